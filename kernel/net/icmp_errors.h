// ICMP errors about what was sent (RFC 1122, section 3.2.2; RFC 4443): lwIP itself does not look at them.
#pragma once

namespace kernel::net {

// UDP: a connected socket gets the error. TCP: a connection that is being made ends where nobody can be reached, and
// "fragmentation needed" makes its segments smaller (path MTU discovery, RFC 1191, RFC 8201).
void listen_for_icmp_errors();

}  // namespace kernel::net
