#include "kernel/net/interfaces.h"

#include "kernel/net/lwip/hooks.h"
#include "lwip/netif.h"

namespace kernel::net {

bool is_loopback(const netif& interface) {
  return interface.name[0] == 'l';
}

const char* interface_name(const netif& interface) {
  return is_loopback(interface) ? "lo" : "eth0";
}

uint32_t interface_flags(const netif& interface) {
  constexpr uint32_t kUp = 1, kHasBroadcast = 2, kLoopback = 8, kRunning = 0x40, kMulticast = 0x1000,
                     kLowerUp = 0x10000;
  if (is_loopback(interface)) return kUp | kLoopback | kRunning | kLowerUp;
  return (netif_is_up(&interface) ? kUp : 0) | kHasBroadcast | kRunning | kMulticast | kLowerUp;
}

uint32_t interface_mtu(const netif& interface) {
  return is_loopback(interface) ? 65536 : interface.mtu;
}

uint16_t interface_type(const netif& interface) {
  constexpr uint16_t kEthernet = 1, kLoopback = 772;
  return is_loopback(interface) ? kLoopback : kEthernet;
}

static InterfaceCounts g_loopback_counts;

const InterfaceCounts& interface_counts(const netif& interface) {
  return is_loopback(interface) ? g_loopback_counts : g_card_counts;
}

extern "C" void lwip_port_looped(uint32_t length) {
  g_loopback_counts.received.add(length);
  g_loopback_counts.sent.add(length);
}

}  // namespace kernel::net
