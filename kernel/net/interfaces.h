// Network interfaces as Linux shows them (netdevice(7), rtnetlink(7)).
#pragma once

#include <cstdint>

#include "kernel/library/result.h"

struct netif;

namespace kernel::net {

bool is_loopback(const netif& interface);
const char* interface_name(const netif& interface);
uint32_t interface_flags(const netif& interface);  // IFF_…
uint32_t interface_mtu(const netif& interface);
uint16_t interface_type(const netif& interface);  // ARPHRD_…

// Since the start; bytes with their Ethernet headers.
struct InterfaceCounts {
  struct Direction {
    uint64_t packets = 0, bytes = 0, dropped = 0;
    void add(uint64_t length) { ++packets, bytes += length; }
  } received, sent;
};
const InterfaceCounts& interface_counts(const netif& interface);
inline InterfaceCounts g_card_counts;

// ioctl(2) that asks about them, on a socket of any family. NotTerminal: it is none of those.
Result<uint64_t> interface_control(uint32_t request, uint64_t user_argument);

}  // namespace kernel::net
