#include "kernel/drivers/virtio_network.h"

#include "kernel/arch/x86_64/cpu.h"
#include "kernel/library/log.h"
#include "kernel/memory/physical.h"

namespace kernel {
namespace {

constexpr uint16_t kReceiveQueue = 0, kSendQueue = 1;  // section 5.1.2
constexpr uint32_t kMacOffset = 0, kMtuOffset = 10;    // struct virtio_net_config, section 5.1.4

}  // namespace

Result<void> VirtioNetwork::initialize(const VirtioRegisters& registers) {
  TRY(device_.start(registers, kWantedFeatures));
  if (!device_.has(kMergeBuffers)) {
    log(LogLevel::Warning, "virtio-net: the device cannot merge receive buffers");
    device_.fail();
    return Error::NotSupported;
  }
  const uint64_t pages = TRY(allocate_pages(2, PageOwner::Dma));
  TRY(receive_.initialize(direct_map(pages), pages, device_.queue_limit(kReceiveQueue)));
  TRY(send_.initialize(direct_map(pages + kPageSize), pages + kPageSize, device_.queue_limit(kSendQueue)));
  TRY(interrupts_.open(registers.where));
  TRY(set_up_device(TRY(interrupts_.add(interrupt, this))));
  if (device_.has(kMac)) {
    for (uint32_t byte = 0; byte < address_.size(); ++byte)
      address_[byte] = device_.read_configuration8(kMacOffset + byte);
  } else {
    random_bytes(address_.data(), address_.size());
    address_[0] = static_cast<uint8_t>((address_[0] & ~1) | 2);  // locally administered, one station
  }
  return {};
}

Result<void> VirtioNetwork::set_up_device(uint16_t vector) {
  TRY(device_.add_queue(kReceiveQueue, receive_, vector));
  TRY(device_.add_queue(kSendQueue, send_, vector));
  receive_.want_interrupts(false);
  send_.want_interrupts(false);
  mtu_ = 0;
  if (device_.has(kMtu))
    mtu_ = static_cast<uint16_t>(device_.read_configuration8(kMtuOffset) | device_.read_configuration8(kMtuOffset + 1)
                                                                               << 8);
  return {};
}

Result<void> VirtioNetwork::resume(const VirtioRegisters& registers, void (*received)(void* owner),
                                   void (*sent)(void* owner)) {
  VirtqueueSegment one[1];
  for (uint16_t head = 0; head < receive_.size(); ++head)
    if (receive_.chain(head, one) != 0) received(receive_owners_[head]);
  for (uint16_t head = 0; head < send_.size(); ++head)
    if (send_.chain(head, one) != 0) sent(send_owners_[head]);
  TRY(device_.start(registers, kWantedFeatures));
  if (!device_.has(kMergeBuffers)) return Error::NotSupported;
  const uint64_t receive = receive_.descriptor_area(), send = send_.descriptor_area();
  TRY(receive_.initialize(direct_map(receive), receive, device_.queue_limit(kReceiveQueue)));
  TRY(send_.initialize(direct_map(send), send, device_.queue_limit(kSendQueue)));
  TRY(interrupts_.open(registers.where));
  return set_up_device(0);  // it has one vector
}

void VirtioNetwork::set_handler(void (*handler)(void* context), void* context) {
  handler_context_ = context;
  handler_ = handler;
}

void VirtioNetwork::start() {
  device_.ready();
  tell_offered();
}

void VirtioNetwork::interrupt(void* self) {
  auto& network = *static_cast<VirtioNetwork*>(self);
  network.receive_.want_interrupts(false);
  network.send_.want_interrupts(false);
  if (network.handler_ != nullptr) network.handler_(network.handler_context_);
}

bool VirtioNetwork::offer(uint64_t physical, uint32_t length, void* owner) {
  const VirtqueueSegment segment{physical, length, true};
  auto chain = receive_.submit({&segment, 1});
  if (chain.is_error()) return false;
  receive_owners_[chain.value()] = owner;
  return true;
}

void* VirtioNetwork::take_received(uint32_t& written) {
  uint16_t chain;
  return receive_.complete(chain, written) ? receive_owners_[chain] : nullptr;
}

bool VirtioNetwork::send(std::span<const VirtqueueSegment> segments, void* owner) {
  auto chain = send_.submit(segments);
  if (chain.is_error()) return false;
  send_owners_[chain.value()] = owner;
  return true;
}

void* VirtioNetwork::take_sent() {
  uint16_t chain;
  uint32_t written;
  return send_.complete(chain, written) ? send_owners_[chain] : nullptr;
}

}  // namespace kernel
