// lwIP's UDP records, to be found by port; which ports may be bound, and ports for those who name none.
#include "kernel/net/udp_tables.h"

#include "kernel/net/hash_table.h"
#include "lwip/ip.h"
#include "lwip/udp.h"

extern "C" u8_t udp_input_local_match(udp_pcb* pcb, netif* interface, u8_t broadcast);  // lwIP's, udp_tables.patch

namespace kernel::net {
namespace {

using UdpList = Chain<udp_pcb, &udp_pcb::next, &udp_pcb::prev>;
using UdpsOfPort = ShortChain<udp_pcb, &udp_pcb::port_next>;

HashTable<udp_pcb> g_ports;

// Linux (udp_lib_lport_inuse): SO_REUSEADDR or SO_REUSEPORT of both allows it.
bool conflicts(const udp_pcb& pcb, const ip_addr_t& own, const udp_pcb& other) {
  if ((pcb.so_options & other.so_options & (SOF_REUSEADDR | SOF_REUSEPORT)) != 0) return false;
  return addresses_overlap(own, other.local_ip);
}

}  // namespace

void udp_tables_initialize() {
  g_ports.initialize(table_size_by_memory(1 << 12));
}

}  // namespace kernel::net

using namespace kernel::net;

extern "C" {

void lwip_port_udp_added(udp_pcb* pcb) {
  UdpList::add(udp_pcbs, *pcb);
  UdpsOfPort::add(g_ports.chain(pcb->local_port), *pcb);
  pcb->is_listed = 1;
}

void lwip_port_udp_removed(udp_pcb* pcb) {
  UdpList::remove(udp_pcbs, *pcb);
  UdpsOfPort::remove(g_ports.chain(pcb->local_port), *pcb);
  pcb->is_listed = 0;
}

udp_pcb* lwip_port_udp_first(uint16_t own_port) {
  return g_ports.chain(own_port);
}

// One that is connected to the sender; else the one that is bound most closely, the newest of equal ones, or with
// SO_REUSEPORT one of them by the hash of both ends (socket(7)).
udp_pcb* lwip_port_udp_find(const ip_addr_t* peer, uint16_t peer_port, const ip_addr_t* own, uint16_t own_port,
                            netif* interface, uint8_t is_broadcast) {
  udp_pcb* best = nullptr;
  unsigned best_fitness = 0, sharing = 0;
  const auto fitness = [&](udp_pcb& pcb) -> unsigned {
    if (pcb.local_port != own_port || udp_input_local_match(&pcb, interface, is_broadcast) == 0) return 0;
    const bool is_connected = (pcb.flags & UDP_FLAGS_CONNECTED) != 0;
    if (is_connected &&
        (pcb.remote_port != peer_port || (!ip_addr_isany_val(pcb.remote_ip) && !ip_addr_cmp(&pcb.remote_ip, peer))))
      return 0;
    const unsigned closeness = IP_IS_ANY_TYPE_VAL(pcb.local_ip) ? 1 : ip_addr_isany_val(pcb.local_ip) ? 2 : 3;
    return is_connected ? 4 + closeness : closeness;
  };
  for (udp_pcb* pcb = g_ports.chain(own_port); pcb != nullptr; pcb = pcb->port_next) {
    const unsigned fits = fitness(*pcb);
    if (fits == 0 || fits < best_fitness) continue;
    if (fits > best_fitness) {
      best = pcb;
      best_fitness = fits;
      sharing = 0;
    }
    if ((pcb->so_options & SOF_REUSEPORT) != 0) ++sharing;
  }
  if (sharing < 2) return best;
  uint32_t skip = static_cast<uint32_t>(uint64_t{hash_of(*own, own_port, *peer, peer_port)} * sharing >> 32);
  for (udp_pcb* pcb = g_ports.chain(own_port); pcb != nullptr; pcb = pcb->port_next)
    if ((pcb->so_options & SOF_REUSEPORT) != 0 && fitness(*pcb) == best_fitness && skip-- == 0) return pcb;
  return best;
}

int lwip_port_udp_is_taken(const udp_pcb* pcb, const ip_addr_t* own, uint16_t own_port) {
  for (const udp_pcb* other = g_ports.chain(own_port); other != nullptr; other = other->port_next)
    if (other != pcb && other->local_port == own_port && conflicts(*pcb, *own, *other)) return 1;
  return 0;
}

uint16_t lwip_port_udp_free_port() {
  return find_port(lwip_port_random(), [](uint16_t port) {
    for (const udp_pcb* other = g_ports.chain(port); other != nullptr; other = other->port_next)
      if (other->local_port == port) return false;
    return true;
  });
}

}  // extern "C"
