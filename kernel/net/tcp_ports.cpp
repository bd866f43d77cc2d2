// Which TCP ports may be bound, and ports for those who name none.
#include "kernel/net/hash_table.h"
#include "kernel/net/tcp_tables.h"
#include "lwip/priv/tcp_priv.h"

namespace kernel::net {
namespace {

// As Linux decides (inet_csk_bind_conflict): SO_REUSEADDR of both allows it unless the other one listens, SO_REUSEPORT
// of both always.
bool conflicts(const tcp_pcb& pcb, const ip_addr_t& own, const tcp_pcb& other) {
  const auto both = [&](uint8_t option) { return (pcb.so_options & other.so_options & option) != 0; };
  if (both(SOF_REUSEPORT) || (both(SOF_REUSEADDR) && other.state != LISTEN)) return false;
  return addresses_overlap(own, other.local_ip);
}

}  // namespace
}  // namespace kernel::net

using namespace kernel::net;

extern "C" {

int lwip_port_tcp_is_taken(const tcp_pcb* pcb, const ip_addr_t* own, uint16_t own_port) {
  for (const tcp_pcb* other = first_owner_of_port(own_port); other != nullptr; other = other->port_next)
    if (other != pcb && other->local_port == own_port && conflicts(*pcb, *own, *other)) return 1;
  // Those that a listener made, which may be gone; one by one, as nobody binds a port for each connection.
  for (const tcp_pcb* list : {tcp_active_pcbs, tcp_tw_pcbs})
    for (const tcp_pcb* other = list; other != nullptr; other = other->next)
      if (other->is_accepted != 0 && other->local_port == own_port && conflicts(*pcb, *own, *other)) return 1;
  return 0;
}

uint16_t lwip_port_tcp_free_port() {
  return find_port(lwip_port_random(), [](uint16_t port) {
    for (const tcp_pcb* other = first_owner_of_port(port); other != nullptr; other = other->port_next)
      if (other->local_port == port) return false;
    return true;
  });
}

// Others may have the port too: it is enough that the four numbers of the connection are its own.
uint16_t lwip_port_tcp_free_port_to(const tcp_pcb* pcb) {
  return find_port(lwip_port_random(), [pcb](uint16_t port) {
    for (const tcp_pcb* other = first_owner_of_port(port); other != nullptr; other = other->port_next)
      if (other->local_port == port && (other->state == CLOSED || other->state == LISTEN)) return false;
    return lwip_port_tcp_find(&pcb->remote_ip, pcb->remote_port, &pcb->local_ip, port) == nullptr;
  });
}

}  // extern "C"
