#include "kernel/net/ethernet.h"
#include "kernel/net/interfaces.h"

#include <cstdint>

#include "kernel/drivers/virtio_network.h"
#include "kernel/library/log.h"
#include "kernel/memory/physical.h"
#include "kernel/net/hash_table.h"
#include "kernel/net/interfaces.h"
#include "kernel/net/lwip_memory.h"
#include "kernel/net/transmit_checksum.h"
#include "lwip/etharp.h"
#include "lwip/ethip6.h"
#include "lwip/netif.h"
#include "lwip/pbuf.h"
#include "netif/ethernet.h"

namespace kernel::net {
namespace {

constexpr unsigned kDefaultMtu = 1500, kHighestMtu = 65535 - 18, kLowestMtu = 576;  // RFC 791: what every host takes
constexpr size_t kHeader = sizeof(VirtioNetworkHeader);

// Memory that the card receives into, which then goes to lwIP as it is: half a page each.
struct ReceiveBuffer {
  static constexpr size_t kWhole = kPageSize / 2, kRoom = kWhole - 64;
  pbuf_custom custom;  // first: lwIP gives back a pointer to it
  ReceiveBuffer *next_free, *previous_free;
  bool is_free;
  uint8_t* bytes() { return reinterpret_cast<uint8_t*>(this) + (kWhole - kRoom); }
};
static_assert(sizeof(ReceiveBuffer) <= 64);

VirtioNetwork* g_card = nullptr;
netif g_interface;
ReceiveBuffer* g_free_buffers = nullptr;
size_t g_buffer_count = 0, g_free_count = 0;
bool g_must_tell = false;  // the card has not been told of buffers
size_t g_queued = 0;       // nor of so many frames

// Frames that found the send queue full, oldest first.
constexpr size_t kWaitingFrames = 256;
pbuf* g_waiting[kWaitingFrames];
size_t g_waiting_first = 0, g_waiting_count = 0;

size_t buffer_limit() {  // an eighth of the RAM may wait in sockets
  const size_t by_memory = ram_page_count() * kPageSize / 8 / ReceiveBuffer::kWhole;
  return by_memory < 8192 ? by_memory : 8192;
}

using FreeBuffers = Chain<ReceiveBuffer, &ReceiveBuffer::next_free, &ReceiveBuffer::previous_free>;

void unlink_free(ReceiveBuffer& buffer) {
  FreeBuffers::remove(g_free_buffers, buffer);
  buffer.is_free = false;
  --g_free_count;
}

void give_back(pbuf* given) {
  auto& buffer = *reinterpret_cast<ReceiveBuffer*>(given);
  FreeBuffers::add(g_free_buffers, buffer);
  buffer.is_free = true;
  ++g_free_count;
  // What a flood took is not kept: a page goes back when both its buffers are free.
  auto& other = *reinterpret_cast<ReceiveBuffer*>(reinterpret_cast<uint64_t>(&buffer) ^ ReceiveBuffer::kWhole);
  if (g_free_count <= g_card->receive_size() || !other.is_free) return;
  unlink_free(buffer);
  unlink_free(other);
  g_buffer_count -= 2;
  free_pages(page_down(direct_map_physical(&buffer)), 1);
}

ReceiveBuffer* take_buffer() {
  if (g_free_buffers == nullptr) {
    if (g_buffer_count >= buffer_limit()) return nullptr;
    auto page = allocate_page(PageOwner::Dma);
    if (page.is_error()) return nullptr;
    for (size_t half = 0; half < 2; ++half) {
      auto* buffer = direct_map<ReceiveBuffer>(page.value() + half * ReceiveBuffer::kWhole);
      buffer->custom.custom_free_function = give_back;
      give_back(&buffer->custom.pbuf);
    }
    g_buffer_count += 2;
  }
  ReceiveBuffer* taken = g_free_buffers;
  unlink_free(*taken);
  return taken;
}

void offer_buffers() {
  while (g_card->receive_room() > 0) {
    ReceiveBuffer* buffer = take_buffer();
    if (buffer == nullptr) break;
    if (!g_card->offer(direct_map_physical(buffer->bytes()), ReceiveBuffer::kRoom, buffer)) {
      give_back(&buffer->custom.pbuf);
      break;
    }
  }
}

// A few at a time are not worth telling the card, which is a call to the host. It is told always: it may have filled
// all that it had, of which not all are taken yet, and then it waits.
void offer_buffers_if_few() {
  if (g_card->receive_room() < g_card->receive_size() / 2) return;
  offer_buffers();
  g_must_tell = true;
}

// A buffer as lwIP's; null: there was none.
pbuf* take_received() {
  uint32_t written = 0;
  auto* buffer = static_cast<ReceiveBuffer*>(g_card->take_received(written));
  if (buffer == nullptr) return nullptr;
  if (written > ReceiveBuffer::kRoom) written = ReceiveBuffer::kRoom;
  return pbuf_alloced_custom(PBUF_RAW, static_cast<u16_t>(written), PBUF_POOL, &buffer->custom, buffer->bytes(),
                             ReceiveBuffer::kRoom);
}

void hand_over(pbuf* frame) {
  VirtioNetworkHeader header;
  if (frame->len <= kHeader) {
    ++g_card_counts.received.dropped;
    pbuf_free(frame);
    return;
  }
  __builtin_memcpy(&header, frame->payload, kHeader);
  pbuf_remove_header(frame, kHeader);
  for (unsigned left = header.buffer_count; left > 1; --left) {
    pbuf* part = take_received();
    // A count that is wrong, or a frame longer than lwIP counts: what follows is not to be understood as its end.
    if (part == nullptr || frame->tot_len + part->len > 0xFFFF) {
      if (part != nullptr) pbuf_free(part);
      ++g_card_counts.received.dropped;
      pbuf_free(frame);
      return;
    }
    pbuf_cat(frame, part);
  }
  g_card_counts.received.add(frame->tot_len);
  // What the host has checked, or what never was on a wire, needs no second look. lwIP asks the interface.
  constexpr u16_t kChecks = NETIF_CHECKSUM_CHECK_TCP | NETIF_CHECKSUM_CHECK_UDP;
  const bool is_checked = (header.flags & (VirtioNetworkHeader::kNeedsChecksum | VirtioNetworkHeader::kDataValid)) != 0;
  g_interface.chksum_flags =
      static_cast<u16_t>(is_checked ? g_interface.chksum_flags & ~kChecks : g_interface.chksum_flags | kChecks);
  if (g_interface.input(frame, &g_interface) != ERR_OK) pbuf_free(frame);
}

void take_sent_back() {
  while (auto* frame = static_cast<pbuf*>(g_card->take_sent())) pbuf_free(frame);
}

// The frame's parts, virtio's header first. 0: more than one chain holds, or memory that is not in the direct map.
size_t gather(pbuf* frame, VirtqueueSegment* segments) {
  size_t count = 0;
  for (pbuf* part = frame; part != nullptr; part = part->next) {
    if (part->len == 0) continue;
    if (count == VirtioNetwork::kMaximumSegments) return 0;
    if (reinterpret_cast<uint64_t>(part->payload) < g_direct_map_base) return 0;
    segments[count++] = {direct_map_physical(part->payload), part->len, false};
  }
  return count;
}

bool put_into_queue(pbuf* frame) {
  VirtqueueSegment segments[VirtioNetwork::kMaximumSegments];
  const size_t count = gather(frame, segments);
  if (count == 0) {  // cannot be sent at all: as if it were lost on its way
    ++g_card_counts.sent.dropped;
    pbuf_free(frame);
    return true;
  }
  if (!g_card->send({segments, count}, frame)) return false;
  g_card_counts.sent.add(frame->tot_len - kHeader);
  ++g_queued;
  return true;
}

void send_waiting() {
  while (g_waiting_count > 0 && put_into_queue(g_waiting[g_waiting_first])) {
    g_waiting_first = (g_waiting_first + 1) % kWaitingFrames;
    --g_waiting_count;
  }
}

// lwIP's: the frame stays its own, what the card still needs is retained.
err_t send_frame(netif*, pbuf* frame) {
  VirtioNetworkHeader header{};
  if (g_card->fills_checksums()) request_checksum(*frame, header);
  take_sent_back();
  send_waiting();

  // The header goes right before the frame where there is room. The caller may move the frame's start afterwards, but
  // not change its bytes while somebody else holds it (lwIP looks at its count of references).
  if (g_waiting_count == 0 && pbuf_add_header(frame, kHeader) == 0) {
    __builtin_memcpy(frame->payload, &header, kHeader);
    pbuf_ref(frame);
    const bool sent = put_into_queue(frame);
    pbuf_remove_header(frame, kHeader);
    if (sent) return ERR_OK;
    pbuf_free(frame);
  }
  pbuf* whole = g_waiting_count < kWaitingFrames ? pbuf_alloc(PBUF_RAW, kHeader, PBUF_RAM) : nullptr;
  if (whole == nullptr) {
    ++g_card_counts.sent.dropped;
    return ERR_MEM;
  }
  __builtin_memcpy(whole->payload, &header, kHeader);
  pbuf_chain(whole, frame);
  if (g_waiting_count == 0 && put_into_queue(whole)) return ERR_OK;
  g_waiting[(g_waiting_first + g_waiting_count++) % kWaitingFrames] = whole;
  g_card->want_room_interrupt(true);
  return ERR_OK;
}

void choose_checksums(netif& interface) {
  u16_t checksums = NETIF_CHECKSUM_ENABLE_ALL;
  if (g_card->fills_checksums()) checksums &= static_cast<u16_t>(~NETIF_CHECKSUM_GEN_TCP);
  NETIF_SET_CHECKSUM_CTRL(&interface, checksums);
}

err_t set_up(netif* interface) {
  interface->name[0] = 'e';
  interface->name[1] = 'n';
  interface->output = etharp_output;
  interface->output_ip6 = ethip6_output;
  interface->linkoutput = send_frame;
  interface->hwaddr_len = 6;
  __builtin_memcpy(interface->hwaddr, g_card->hardware_address().data(), 6);
  interface->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET | NETIF_FLAG_LINK_UP |
                     NETIF_FLAG_IGMP | NETIF_FLAG_MLD6;
  choose_checksums(*interface);
  return ERR_OK;
}

}  // namespace

bool ethernet_initialize(void (*news)(void* context)) {
  g_card = network_device();
  if (g_card == nullptr) return false;
  if (netif_add_noaddr(&g_interface, nullptr, set_up, ethernet_input) == nullptr) {
    g_card = nullptr;
    return false;
  }
  ethernet_set_mtu(kDefaultMtu);
  if (g_card->mtu() != 0) ethernet_set_mtu(g_card->mtu());
  netif_set_default(&g_interface);
  g_card->set_handler(news, nullptr);
  offer_buffers();
  g_card->start();
  const auto mac = g_card->hardware_address();
  log(LogLevel::Info, "virtio-net: %02x:%02x:%02x:%02x:%02x:%02x, MTU %u%s", mac[0], mac[1], mac[2], mac[3], mac[4],
      mac[5], g_interface.mtu, g_card->fills_checksums() ? ", fills checksums" : "");
  return true;
}

bool ethernet_resume() {
  if (g_card == nullptr) return true;
  const VirtioRegisters* registers = virtio_device(VirtioType::Network);
  if (registers == nullptr) return false;
  // Frames that the old card had are as if lost on their way.
  const auto received = [](void* owner) { give_back(&static_cast<ReceiveBuffer*>(owner)->custom.pbuf); };
  const auto sent = [](void* owner) { pbuf_free(static_cast<pbuf*>(owner)); };
  if (g_card->resume(*registers, received, sent).is_error()) return false;
  choose_checksums(g_interface);
  g_must_tell = false;
  g_queued = 0;
  offer_buffers();
  g_card->start();
  g_card->want_receive_interrupt(true);
  return true;
}

ReceiveRoom receive_room() {
  const uint64_t used = lwip_memory_used(), limit = lwip_memory_limit();
  if (used > limit - limit / 8) return ReceiveRoom::Nothing;
  if (g_card != nullptr) {
    constexpr uint64_t kPagesForOthers = 16;
    const size_t waiting = g_card->receive_size() - g_card->receive_room() + g_free_count;
    const size_t most = buffer_limit() > g_buffer_count ? buffer_limit() - g_buffer_count : 0;
    const uint64_t pages = free_page_count() > kPagesForOthers ? free_page_count() - kPagesForOthers : 0;
    const size_t there_could_be = waiting + (most < pages * 2 ? most : pages * 2);
    if (there_could_be < buffer_limit() / 8) return ReceiveRoom::Nothing;
    if (there_could_be < buffer_limit() / 2) return ReceiveRoom::Half;
  }
  return used > limit - limit / 4 ? ReceiveRoom::Half : ReceiveRoom::Enough;
}

pbuf* move_if_small(pbuf* bytes) {
  constexpr u16_t kSmall = 512;
  if (bytes->next != nullptr || bytes->len > kSmall || (bytes->flags & PBUF_FLAG_IS_CUSTOM) == 0) return bytes;
  pbuf* copy = pbuf_alloc(PBUF_RAW, bytes->len, PBUF_RAM);
  if (copy == nullptr) return bytes;
  __builtin_memcpy(copy->payload, bytes->payload, bytes->len);
  pbuf_free(bytes);
  return copy;
}

void ethernet_set_hardware_address(std::span<const uint8_t, 6> address) {
  if (g_card != nullptr) __builtin_memcpy(g_interface.hwaddr, address.data(), 6);
}

netif& ethernet_interface() {
  return g_interface;
}

void ethernet_forget_frames() {
  if (g_card == nullptr) return;
  while (pbuf* frame = take_received()) pbuf_free(frame);
  offer_buffers();
  g_must_tell = true;
  for (; g_waiting_count > 0; --g_waiting_count) {
    pbuf_free(g_waiting[g_waiting_first]);
    g_waiting_first = (g_waiting_first + 1) % kWaitingFrames;
  }
}

bool ethernet_receive(size_t most) {
  if (g_card == nullptr) return false;
  take_sent_back();
  send_waiting();
  for (; most > 0; --most) {
    pbuf* frame = take_received();
    if (frame == nullptr) break;
    hand_over(frame);
    offer_buffers_if_few();
  }
  return g_card->has_received();
}

void ethernet_flush() {
  if (g_card == nullptr) return;
  offer_buffers_if_few();  // they come back when the program reads
  if (g_queued > 0) g_card->tell_sent();
  if (g_must_tell) g_card->tell_offered();
  g_must_tell = false;
  g_queued = 0;
}

bool ethernet_may_put_off() {
  constexpr size_t kFew = 32;
  return g_queued > 0 && g_queued < kFew;
}

void ethernet_be_quiet() {
  if (g_card != nullptr) g_card->want_receive_interrupt(false);
}

bool ethernet_has_news() {
  return g_card != nullptr && g_card->has_received();
}

bool ethernet_wait_for_news() {
  if (g_card == nullptr) return false;
  g_card->want_receive_interrupt(true);
  if (g_waiting_count > 0) g_card->want_room_interrupt(true);
  return g_card->has_received() || (g_waiting_count > 0 && g_card->has_sent());
}

void ethernet_set_mtu(unsigned mtu) {
  if (mtu < kLowestMtu || mtu > kHighestMtu) {
    log(LogLevel::Warning, "an MTU of %u is not possible (%u to %u); it stays %u", mtu, kLowestMtu, kHighestMtu,
        g_interface.mtu);
    return;
  }
  if (g_card->mtu() != 0 && mtu > g_card->mtu()) mtu = g_card->mtu();  // virtio 1.1, section 5.1.4.2
  g_interface.mtu = g_interface.mtu6 = static_cast<u16_t>(mtu);
}

}  // namespace kernel::net
