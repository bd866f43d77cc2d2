#include "kernel/net/path_mtu.h"

#include "kernel/arch/x86_64/interrupts.h"
#include "kernel/library/command_line.h"
#include "kernel/library/log.h"
#include "kernel/net/lwip/hooks.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/prot/ip4.h"
#include "lwip/prot/ip6.h"

namespace kernel::net {
namespace {

constexpr uint32_t kLowestMtu4 = 552, kLowestMtu6 = 1280;  // RFC 1122's 576 less what Linux allows; RFC 8200
// RFC 1191, table 7-1: where the real ones lie.
constexpr uint32_t kCommonMtus[] = {8166, 4352, 2002, 1492, 1006, kLowestMtu4};

// What was learned of ways, for the connections that follow. After ten minutes (RFC 1191, section 6.3) larger packets
// are tried again, by all connections that go there: for a minute the first that is lost is taken as too large (RFC
// 4821, section 7.5, has single packets for that), then the way is as any other. One place an address; another that
// falls on it replaces it.
struct KnownPath {
  ip_addr_t to{};
  uint32_t mtu = 0;  // 0: none
  uint64_t until = 0, tried_until = 0;
};
constexpr uint64_t kSecond = 1'000'000'000, kTry = 60 * kSecond;
constexpr size_t kKnownPaths = 64;
KnownPath g_known_paths[kKnownPaths];

uint32_t mixed(const ip_addr_t& address) {
  uint32_t sum = 0;
  if (IP_IS_V6_VAL(address)) {
    for (const uint32_t word : ip_2_ip6(&address)->addr) sum = (sum ^ word) * 0x9E3779B1u;
  } else {
    sum = ip_2_ip4(&address)->addr * 0x9E3779B1u;
  }
  return sum >> 16;
}

uint64_t path_lifetime() {
  static uint64_t lifetime = 0;
  if (lifetime == 0) {
    uint64_t seconds = 0;
    const char* given = setting("path-mtu-lifetime");
    for (; given != nullptr && *given >= '0' && *given <= '9' && seconds < 1'000'000; ++given)
      seconds = seconds * 10 + static_cast<uint64_t>(*given - '0');
    lifetime = (seconds != 0 ? seconds : 600) * kSecond;
  }
  return lifetime;
}

void remember_path(const ip_addr_t& to, uint32_t mtu) {
  g_known_paths[mixed(to) % kKnownPaths] = {to, mtu, monotonic_ns() + path_lifetime(), 0};
}

KnownPath* known_path(const ip_addr_t& to) {
  KnownPath& path = g_known_paths[mixed(to) % kKnownPaths];
  return path.mtu != 0 && ip_addr_cmp(&path.to, &to) ? &path : nullptr;
}

tcp_pcb* find_connection(const ip_addr_t& from, uint16_t from_port, const ip_addr_t& to, uint16_t to_port) {
  tcp_pcb* pcb = lwip_port_tcp_find(&to, to_port, &from, from_port);
  return pcb != nullptr && pcb->state != TIME_WAIT ? pcb : nullptr;
}

bool is_on_its_way(const tcp_pcb& pcb, uint32_t sequence) {
  return TCP_SEQ_GEQ(sequence, pcb.lastack) && TCP_SEQ_LT(sequence, pcb.snd_nxt);
}

uint32_t headers_of(const tcp_pcb& pcb) {
  return (IP_IS_V6_VAL(pcb.remote_ip) ? IP6_HLEN : IP_HLEN) + TCP_HLEN;
}

// All that is to be sent, again or for the first time, in parts of at most `size` bytes.
void split_unsent(tcp_pcb& pcb, uint16_t size) {
  tcp_seg* const first = pcb.unsent;
  for (tcp_seg* segment = first; segment != nullptr; segment = segment->next) {
    pcb.unsent = segment;  // lwIP splits the one at the front
    if (segment->len > size && tcp_split_unsent_seg(&pcb, size) != ERR_OK) break;
  }
  pcb.unsent = first;
}

void set_segment_size(tcp_pcb& pcb, uint32_t mtu) {
  pcb.mss = static_cast<uint16_t>(mtu - headers_of(pcb));
  split_unsent(pcb, pcb.mss);
}

uint32_t next_smaller(uint32_t mtu) {
  for (const uint32_t common : kCommonMtus)
    if (common < mtu) return common;
  return kLowestMtu4;
}

}  // namespace

void lower_path_mtu(const ip_addr_t& from, uint16_t from_port, const ip_addr_t& to, uint16_t to_port, uint32_t sequence,
                    uint32_t mtu) {
  tcp_pcb* pcb = find_connection(from, from_port, to, to_port);
  if (pcb == nullptr || !is_on_its_way(*pcb, sequence)) return;
  const uint32_t now = pcb->mss + headers_of(*pcb), lowest = IP_IS_V6_VAL(to) ? kLowestMtu6 : kLowestMtu4;
  if (mtu == 0) mtu = next_smaller(now);
  if (mtu < lowest) mtu = lowest;
  if (mtu >= now) return;
  remember_path(to, mtu);
  log(LogLevel::Debug, "path MTU of port %u to port %u: %u", from_port, to_port, mtu);
  // Nothing was lost for want of room in the network: the congestion window stays.
  if (tcp_rexmit_rto_prepare(pcb) != ERR_OK) {
    set_segment_size(*pcb, mtu);  // what is on its way goes out again, smaller, when its time is up
    return;
  }
  set_segment_size(*pcb, mtu);
  tcp_output(pcb);
}

void end_connecting(const ip_addr_t& from, uint16_t from_port, const ip_addr_t& to, uint16_t to_port, uint32_t sequence,
                    Error error) {
  tcp_pcb* pcb = find_connection(from, from_port, to, to_port);
  if (pcb == nullptr || pcb->state != SYN_SENT || !is_on_its_way(*pcb, sequence)) return;
  const tcp_err_fn tell = pcb->errf;
  void* const whom = pcb->callback_arg;
  tcp_err(pcb, nullptr);
  tcp_abort(pcb);
  const err_t reason = error == Error::ConnectionRefused ? ERR_RST : (error == Error::TimedOut ? ERR_ABRT : ERR_RTE);
  if (tell != nullptr) tell(whom, reason);
}

// A way that swallows large packets without a word (RFC 4821, section 7.7): when the same bytes were lost three times,
// smaller ones are tried, at each further loss smaller ones still. `connection` is a tcp_pcb whose unacknowledged
// segments are about to be sent again.
extern "C" void lwip_port_tcp_sends_again(tcp_pcb* connection) {
  constexpr uint8_t kPatience = 2;
  constexpr uint32_t kEthernet = 1500, kProbe = 1024 + 40;
  tcp_pcb& pcb = *connection;
  if (pcb.unsent == nullptr) return;
  const bool is_v6 = IP_IS_V6_VAL(pcb.remote_ip);
  const uint32_t now = pcb.mss + headers_of(pcb);
  if (const KnownPath* path = known_path(pcb.remote_ip); path != nullptr && now > path->mtu &&
                                                         monotonic_ns() < path->tried_until &&
                                                         pcb.unsent->len > path->mtu - headers_of(pcb)) {
    const uint32_t proven = path->mtu;
    remember_path(pcb.remote_ip, proven);
    set_segment_size(pcb, proven);
    return;
  }
  const uint32_t smaller = now > kEthernet ? kEthernet : is_v6 ? kLowestMtu6 : now > kProbe ? kProbe : kLowestMtu4;
  if (pcb.nrtx >= kPatience && smaller < now && pcb.unsent->len > smaller - headers_of(pcb)) {
    remember_path(pcb.remote_ip, smaller);
    set_segment_size(pcb, smaller);
    return;
  }
  // Those that were too large while the card still held them.
  if (pcb.unsent->len > pcb.mss) split_unsent(pcb, pcb.mss);
}

extern "C" uint16_t lwip_port_path_mtu(const ip_addr_t* to, uint16_t of_link) {
  const KnownPath* path = known_path(*to);
  if (path == nullptr || path->mtu >= of_link) return of_link;
  return monotonic_ns() < path->until ? static_cast<uint16_t>(path->mtu) : of_link;
}

void try_larger_segments(tcp_pcb& pcb) {
  if (pcb.mss >= pcb.peer_mss) return;
  KnownPath* path = known_path(pcb.remote_ip);
  if (path == nullptr || monotonic_ns() < path->until) return;
  const uint16_t largest = tcp_eff_send_mss(pcb.peer_mss, &pcb.local_ip, &pcb.remote_ip);
  if (largest <= pcb.mss) return;
  if (path->tried_until == 0) path->tried_until = monotonic_ns() + kTry;
  pcb.mss = largest;
}

}  // namespace kernel::net
