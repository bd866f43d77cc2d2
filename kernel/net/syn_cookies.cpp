// SYN cookies (RFC 4987, section 3.6): what a client asked for stands in the sequence number that answers it, with a
// hash that only this guest can make. 24 bits of hash, then one of the time, one for SACK, four for the window's scale
// (15: none), two for the segment size.
#include "kernel/arch/x86_64/interrupts.h"
#include "kernel/net/hash_table.h"
#include "kernel/net/tcp_tables.h"
#include "lwip/priv/tcp_priv.h"

namespace kernel::net {
namespace {

constexpr uint16_t kSegments[] = {536, 1220, 1460, 8960};  // at most what was asked for is used
constexpr uint32_t kNoScale = 15, kSackBit = 0x40, kSlotBit = 0x80, kOptions = 0xFF;

uint64_t slot_now() {
  return monotonic_ns() / 64'000'000'000 + 1;
}

uint32_t cookie_of(const ip_addr_t& own, uint16_t own_port, const ip_addr_t& peer, uint16_t peer_port,
                   uint32_t peer_sequence, uint64_t slot, uint32_t options) {
  const uint64_t also = uint64_t{peer_sequence} << 32 | (slot & 0xFFFFFF) << 8 | options;
  return (hash_of(own, own_port, peer, peer_port, also) & ~kOptions) | options;
}

}  // namespace
}  // namespace kernel::net

using namespace kernel::net;

extern "C" {

uint32_t lwip_port_syn_cookie(const tcp_pcb* pcb, uint32_t peer_sequence) {
  uint32_t segment = 0;
  while (segment < 3 && kSegments[segment + 1] <= pcb->mss) ++segment;
  const uint64_t slot = slot_now();
  const uint32_t scale = (pcb->flags & TF_WND_SCALE) != 0 ? pcb->snd_scale : kNoScale;
  const uint32_t options =
      segment | scale << 2 | ((pcb->flags & TF_SACK) != 0 ? kSackBit : 0) | ((slot & 1) != 0 ? kSlotBit : 0);
  return cookie_of(pcb->local_ip, pcb->local_port, pcb->remote_ip, pcb->remote_port, peer_sequence, slot, options);
}

int lwip_port_syn_cookie_options(const ip_addr_t* own, uint16_t own_port, const ip_addr_t* peer, uint16_t peer_port,
                                 uint32_t peer_sequence, uint32_t cookie) {
  if (!half_open_were_dropped()) return -1;
  const uint32_t options = cookie & kOptions;
  uint64_t slot = slot_now();
  if ((slot & 1) != ((options & kSlotBit) != 0 ? 1 : 0)) --slot;
  if (cookie_of(*own, own_port, *peer, peer_port, peer_sequence, slot, options) != cookie) return -1;
  return static_cast<int>(options);
}

void lwip_port_syn_cookie_apply(tcp_pcb* pcb, int given) {
  const auto options = static_cast<uint32_t>(given);
  pcb->mss = kSegments[options & 3];
  if ((options & kSackBit) != 0) tcp_set_flags(pcb, TF_SACK);
  const uint32_t scale = options >> 2 & 15;
  if (scale == kNoScale) return;
  tcp_set_flags(pcb, TF_WND_SCALE);
  pcb->snd_scale = static_cast<u8_t>(scale);
  pcb->rcv_scale = TCP_RCV_SCALE;
  pcb->rcv_wnd = pcb->rcv_ann_wnd = TCP_WND;
}

}  // extern "C"
