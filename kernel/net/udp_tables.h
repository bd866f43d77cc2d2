// lwIP's UDP records, to be found by port; kernel/net/lwip/hooks.h has what lwIP calls.
#pragma once

namespace kernel::net {

void udp_tables_initialize();

}  // namespace kernel::net
