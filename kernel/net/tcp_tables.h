// lwIP's TCP records, to be found by what a packet says, and how many of those that nobody asked for there may be.
// lwIP's own lists stay what they are; kernel/net/lwip/hooks.h has what lwIP calls.
#pragma once

#include <cstdint>

struct tcp_pcb;

namespace kernel::net {

void tcp_tables_initialize();

// Records that own a port: those that are bound, listen or asked for a connection, by port_next. Not those that a
// listener made, which use its port.
tcp_pcb* first_owner_of_port(uint16_t port);

// Whether a half-open connection had to make room for another within the last two minutes.
bool half_open_were_dropped();

}  // namespace kernel::net
