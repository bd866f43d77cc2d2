// What TCP learns of the way to the other side, and who told it: any machine on the way, or one that lies. Only what
// names a connection of ours, and bytes of it that are on their way (RFC 5927, section 4.1), is believed.
#pragma once

#include "kernel/library/result.h"
#include "lwip/ip_addr.h"

struct tcp_pcb;

namespace kernel::net {

// A packet of the connection was too big: its next segments fit into `mtu` (0: not told, then the next smaller common
// size), and what is unacknowledged is sent again in such parts.
void lower_path_mtu(const ip_addr_t& from, uint16_t from_port, const ip_addr_t& to, uint16_t to_port, uint32_t sequence,
                    uint32_t mtu);
// Before more is sent: the way may take larger segments than it did.
void try_larger_segments(tcp_pcb& connection);
// The other side cannot be reached: a connection that is being made ends with `error`.
void end_connecting(const ip_addr_t& from, uint16_t from_port, const ip_addr_t& to, uint16_t to_port, uint32_t sequence,
                    Error error);

}  // namespace kernel::net
