// /proc/net and /sys/class/net.
#pragma once

#include "kernel/fs/tree.h"

namespace kernel::net {

Result<void> add_network_files(TreeDirectory& proc_net);       // tcp, tcp6, dev, pnp
Result<void> add_interface_folders(TreeDirectory& sys_class);  // net
// include/net/tcp_states.h, by lwIP's enum tcp_state.
uint8_t linux_tcp_state(unsigned lwip_state);

}  // namespace kernel::net
