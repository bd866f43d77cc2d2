#include "kernel/net/tcp_tables.h"

#include "kernel/arch/x86_64/interrupts.h"
#include "kernel/memory/physical.h"
#include "kernel/net/hash_table.h"
#include "lwip/priv/tcp_priv.h"

namespace kernel::net {
namespace {

using TcpList = Chain<tcp_pcb, &tcp_pcb::next, &tcp_pcb::prev>;
using TcpsOfPort = ShortChain<tcp_pcb, &tcp_pcb::port_next>;
using OfHash = ShortChain<tcp_pcb, &tcp_pcb::hash_next>;
using Busy = Chain<tcp_pcb, &tcp_pcb::busy_next, &tcp_pcb::busy_prev>;
using HalfOpen = Chain<tcp_pcb, &tcp_pcb::half_next, &tcp_pcb::half_prev>;

HashTable<tcp_pcb> g_connections;  // active ones and those in TIME_WAIT
HashTable<tcp_pcb> g_owners;       // of ports
tcp_pcb *g_newest_half_open = nullptr, *g_oldest_half_open = nullptr;
size_t g_half_open_count = 0, g_half_open_limit = 64, g_time_wait_count = 0, g_time_wait_limit = 256;
uint64_t g_last_drop = 0;  // of a half-open one; 0: none
size_t g_next_chain = 0;   // where wake_some() goes on

// Keepalive times that are shorter than a round of wake_some() takes, in ticks.
constexpr uint32_t kRound = 16, kShortKeepAlive = 4 * kRound;

uint32_t hash_of_pcb(const tcp_pcb& pcb) {
  return hash_of(pcb.local_ip, pcb.local_port, pcb.remote_ip, pcb.remote_port);
}

bool is_connection(tcp_pcb** list) {
  return list == &tcp_active_pcbs || list == &tcp_tw_pcbs;
}

// A flood of connections that are never finished must not take the memory of those that are: the oldest goes. If it is
// finished after all, it is made again (syn_cookies.cpp).
void add_half_open(tcp_pcb& pcb) {
  if (g_half_open_count >= g_half_open_limit) {
    g_last_drop = monotonic_ns();
    tcp_abandon(g_oldest_half_open, 0);
  }
  HalfOpen::add(g_newest_half_open, pcb);
  if (g_oldest_half_open == nullptr) g_oldest_half_open = &pcb;
  pcb.is_half_open = 1;
  ++g_half_open_count;
}

void remove_half_open(tcp_pcb& pcb) {
  if (pcb.is_half_open == 0) return;
  if (g_oldest_half_open == &pcb) g_oldest_half_open = pcb.half_prev;
  HalfOpen::remove(g_newest_half_open, pcb);
  pcb.is_half_open = 0;
  --g_half_open_count;
}

void set_busy(tcp_pcb& pcb, bool is_busy) {
  if ((pcb.is_busy != 0) == is_busy) return;
  pcb.is_busy = is_busy ? 1 : 0;
  if (is_busy)
    Busy::add(lwip_port_tcp_busy, pcb);
  else
    Busy::remove(lwip_port_tcp_busy, pcb);
}

bool may_rest(const tcp_pcb& pcb) {
  constexpr tcpflags_t kPending = TF_ACK_DELAY | TF_ACK_NOW | TF_CLOSEPEND | TF_NAGLEMEMERR | TF_RTO;
  if (pcb.unacked != nullptr || pcb.unsent != nullptr || pcb.ooseq != nullptr || pcb.refused_data != nullptr)
    return false;
  if (pcb.rtime >= 0 || pcb.persist_backoff > 0 || (pcb.flags & kPending) != 0) return false;
  if (pcb.state == FIN_WAIT_2 && (pcb.flags & TF_RXCLOSED) != 0) return false;  // it has an end
  if (pcb.state != ESTABLISHED && pcb.state != CLOSE_WAIT && pcb.state != FIN_WAIT_2) return false;
  if (!ip_get_option(&pcb, SOF_KEEPALIVE)) return true;
  return pcb.keep_cnt_sent == 0 && pcb.keep_idle / TCP_SLOW_INTERVAL >= kShortKeepAlive &&
         tcp_ticks - pcb.tmr <= pcb.keep_idle / TCP_SLOW_INTERVAL;
}

// Of listeners that a packet fits to, the most specific: its address, then those of IPv4 alone or IPv6 alone.
// 0: it does not fit.
unsigned fitness(const tcp_pcb& listener, const ip_addr_t& own, uint16_t port) {
  if (listener.state != LISTEN || listener.local_port != port) return 0;
  if (IP_IS_ANY_TYPE_VAL(listener.local_ip)) return 1;
  if (IP_GET_TYPE(&listener.local_ip) != IP_GET_TYPE(&own)) return 0;
  if (ip_addr_cmp(&listener.local_ip, &own)) return 3;
  return ip_addr_isany_val(listener.local_ip) ? 2 : 0;
}

}  // namespace

void tcp_tables_initialize() {
  const size_t ram = ram_page_count() * kPageSize;
  const auto limit = [ram](size_t share, size_t least, size_t most) {
    const size_t wanted = ram / share;
    return wanted < least ? least : wanted < most ? wanted : most;
  };
  g_connections.initialize(table_size_by_memory(1 << 16));
  g_owners.initialize(table_size_by_memory(1 << 12));
  // One of either takes about half a KiB.
  g_half_open_limit = limit(256 << 10, 64, 16384);
  g_time_wait_limit = limit(48 << 10, 256, 65536);
}

bool half_open_were_dropped() {
  constexpr uint64_t kLately = 120'000'000'000;
  return g_last_drop != 0 && monotonic_ns() - g_last_drop < kLately;
}

tcp_pcb* first_owner_of_port(uint16_t port) {
  return g_owners.chain(port);
}

}  // namespace kernel::net

using namespace kernel::net;

extern "C" {

tcp_pcb* lwip_port_tcp_busy = nullptr;
tcp_pcb* lwip_port_tcp_oldest_time_wait = nullptr;

void lwip_port_tcp_added(tcp_pcb** list, tcp_pcb* pcb) {
  TcpList::add(*list, *pcb);
  pcb->is_listed = 1;
  if (pcb->is_accepted == 0) TcpsOfPort::add(g_owners.chain(pcb->local_port), *pcb);
  if (!is_connection(list)) return;
  OfHash::add(g_connections.chain(hash_of_pcb(*pcb)), *pcb);
  if (list == &tcp_active_pcbs) {
    set_busy(*pcb, true);
    if (pcb->state == SYN_RCVD) add_half_open(*pcb);
    return;
  }
  if (lwip_port_tcp_oldest_time_wait == nullptr) lwip_port_tcp_oldest_time_wait = pcb;
  if (++g_time_wait_count <= g_time_wait_limit) return;
  tcp_pcb* oldest = lwip_port_tcp_oldest_time_wait;
  tcp_pcb_remove(&tcp_tw_pcbs, oldest);
  tcp_free(oldest);
}

void lwip_port_tcp_removed(tcp_pcb** list, tcp_pcb* pcb) {
  if (pcb->is_listed == 0) return;  // as lwIP: it may ask for one that never was bound
  if (list == &tcp_tw_pcbs) {
    if (lwip_port_tcp_oldest_time_wait == pcb) lwip_port_tcp_oldest_time_wait = pcb->prev;
    --g_time_wait_count;
  }
  TcpList::remove(*list, *pcb);
  pcb->is_listed = 0;
  if (pcb->is_accepted == 0) TcpsOfPort::remove(g_owners.chain(pcb->local_port), *pcb);
  if (!is_connection(list)) return;
  OfHash::remove(g_connections.chain(hash_of_pcb(*pcb)), *pcb);
  set_busy(*pcb, false);
  remove_half_open(*pcb);
}

void lwip_port_tcp_established(tcp_pcb* pcb) {
  remove_half_open(*pcb);
}

void lwip_port_tcp_is_busy(tcp_pcb* pcb) {
  if (pcb->is_listed != 0 && pcb->state != CLOSED && pcb->state != LISTEN && pcb->state != TIME_WAIT)
    set_busy(*pcb, true);
}

void lwip_port_tcp_rests(tcp_pcb* pcb) {
  if (may_rest(*pcb)) set_busy(*pcb, false);
}

void lwip_port_tcp_wake_some() {
  const size_t size = g_connections.size(), count = (size + kRound - 1) / kRound;
  for (size_t index = 0; index < count; ++index) {
    for (tcp_pcb* pcb = g_connections.chain(static_cast<uint32_t>(g_next_chain)); pcb != nullptr; pcb = pcb->hash_next)
      if (pcb->is_busy == 0 && pcb->state != TIME_WAIT && !may_rest(*pcb)) set_busy(*pcb, true);
    g_next_chain = (g_next_chain + 1) % size;
  }
}

tcp_pcb* lwip_port_tcp_find(const ip_addr_t* peer, uint16_t peer_port, const ip_addr_t* own, uint16_t own_port) {
  tcp_pcb* pcb = g_connections.chain(hash_of(*own, own_port, *peer, peer_port));
  for (; pcb != nullptr; pcb = pcb->hash_next)
    if (pcb->remote_port == peer_port && pcb->local_port == own_port && ip_addr_cmp(&pcb->remote_ip, peer) &&
        ip_addr_cmp(&pcb->local_ip, own))
      break;
  return pcb;
}

tcp_pcb_listen* lwip_port_tcp_find_listener(const ip_addr_t* peer, uint16_t peer_port, const ip_addr_t* own,
                                            uint16_t own_port) {
  tcp_pcb* best = nullptr;
  unsigned best_fitness = 0, sharing = 0;  // how many share the port at that fitness
  for (tcp_pcb* pcb = first_owner_of_port(own_port); pcb != nullptr; pcb = pcb->port_next) {
    const unsigned fits = fitness(*pcb, *own, own_port);
    if (fits == 0 || fits < best_fitness) continue;
    sharing = fits > best_fitness ? 1 : sharing + 1;
    best_fitness = fits;
    best = pcb;
  }
  if (sharing > 1) {  // SO_REUSEPORT: by the connection's hash (socket(7))
    uint32_t skip = static_cast<uint32_t>(uint64_t{hash_of(*own, own_port, *peer, peer_port)} * sharing >> 32);
    for (best = first_owner_of_port(own_port); best != nullptr; best = best->port_next)
      if (fitness(*best, *own, own_port) == best_fitness && skip-- == 0) break;
  }
  return reinterpret_cast<tcp_pcb_listen*>(best);
}

}  // extern "C"
