// The network card on virtio-net (virtio 1.1, section 5.1): one queue each way. It moves frames between the device and
// memory of its owner (kernel/net) and knows nothing of what is in them.
#pragma once

#include <array>
#include <span>

#include "kernel/drivers/virtio.h"

namespace kernel {

// struct virtio_net_hdr, section 5.1.6: it stands before every frame.
struct VirtioNetworkHeader {
  static constexpr uint8_t kNeedsChecksum = 1, kDataValid = 2;                    // flags
  static constexpr uint8_t kSegmentNone = 0, kSegmentTcp4 = 1, kSegmentTcp6 = 4;  // segmentation
  uint8_t flags, segmentation;
  uint16_t header_length, segment_size, checksum_start, checksum_offset, buffer_count;
};
static_assert(sizeof(VirtioNetworkHeader) == 12);

class VirtioNetwork {
 public:
  Result<void> initialize(const VirtioRegisters& registers);
  // In a guest that was resumed from a dump: the queues are empty then. Before, each owner of what the old device held
  // is given back.
  Result<void> resume(const VirtioRegisters& registers, void (*received)(void* owner), void (*sent)(void* owner));
  // `handler` is called from the interrupt: something was received, or sent while want_room_interrupt() was on. It
  // stays quiet from then on until the owner asks again.
  void set_handler(void (*handler)(void* context), void* context);
  void start();  // from now on frames come

  std::span<const uint8_t, 6> hardware_address() const { return address_; }
  uint16_t mtu() const { return mtu_; }                            // 0: the host did not say
  bool fills_checksums() const { return device_.has(kChecksum); }  // of what is sent, where the header asks for it

  // Memory to receive into; `owner` names it when it comes back. False: the queue is full.
  bool offer(uint64_t physical, uint32_t length, void* owner);
  // A buffer that was filled; null: none. A long frame takes several, as the first one's header says.
  void* take_received(uint32_t& written);
  bool has_received() const { return receive_.has_completed(); }
  uint16_t receive_room() const { return receive_.free_descriptors(); }
  uint16_t receive_size() const { return receive_.size(); }
  void want_receive_interrupt(bool wanted) { receive_.want_interrupts(wanted); }
  void tell_offered() { device_.notify(receive_); }

  // One frame with its header in front. False: no room in the queue now.
  bool send(std::span<const VirtqueueSegment> segments, void* owner);
  void tell_sent() { device_.notify(send_); }  // once for all that was put into the queue
  bool has_sent() const { return send_.has_completed(); }
  void* take_sent();  // the owner of a frame that is out; null: none
  void want_room_interrupt(bool wanted) { send_.want_interrupts(wanted); }
  static constexpr size_t kMaximumSegments = 32;  // of one frame

 private:
  static constexpr uint64_t kChecksum = 1 << 0, kGuestChecksum = 1 << 1, kMtu = 1 << 3, kMac = 1 << 5,
                            kMergeBuffers = 1 << 15;
  static constexpr uint64_t kWantedFeatures = kChecksum | kGuestChecksum | kMtu | kMac | kMergeBuffers;
  static void interrupt(void* self);
  Result<void> set_up_device(uint16_t vector);

  VirtioDevice device_;
  MsixTable interrupts_;
  Virtqueue receive_, send_;
  std::array<uint8_t, 6> address_{};
  uint16_t mtu_ = 0;
  void (*handler_)(void* context) = nullptr;
  void* handler_context_ = nullptr;
  void* receive_owners_[Virtqueue::kMaximumSize] = {};  // by chain
  void* send_owners_[Virtqueue::kMaximumSize] = {};
};

VirtioNetwork* network_device();  // null: there is none

}  // namespace kernel
