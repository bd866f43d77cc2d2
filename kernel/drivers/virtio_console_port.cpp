#include "kernel/arch/x86_64/interrupt_guard.h"
#include "kernel/arch/x86_64/interrupts.h"
#include "kernel/drivers/virtio_console.h"
#include "kernel/memory/physical.h"

namespace kernel {
namespace {

// Pages of a port: two queues, the receive buffers, and the send buffers, each for a whole control message.
constexpr uint64_t kPortReceiveQueue = 0, kPortSendQueue = kPageSize, kReceiveArea = 2 * kPageSize,
                   kSendArea = 3 * kPageSize;
constexpr size_t kPages = 3 + 8;

}  // namespace

Result<void> VirtioConsolePort::allocate() {
  static_assert(kReceiveBuffers * kReceiveBufferSize <= kPageSize &&
                kSendBuffers * kSendBufferSize <= (kPages - 3) * kPageSize);
  physical_ = TRY(allocate_pages(kPages, PageOwner::Dma));
  return {};
}

Result<void> VirtioConsolePort::set_up_queues(VirtioConsole& console, uint16_t vector) {
  const uint16_t number = id_ == 0 ? 0 : 2 + 2 * id_;  // section 5.3.2: the control queues are 2 and 3
  TRY(receive_.initialize(direct_map(physical_ + kPortReceiveQueue), physical_ + kPortReceiveQueue,
                          console.device_.queue_limit(number)));
  TRY(send_.initialize(direct_map(physical_ + kPortSendQueue), physical_ + kPortSendQueue,
                       console.device_.queue_limit(number + 1)));
  TRY(console.device_.add_queue(number, receive_, vector));
  TRY(console.device_.add_queue(number + 1, send_, kNoVector));
  filled_ = taken_ = 0;
  sending_ = 0;
  for (uint16_t& chain : send_chain_of_) chain = kNoChain;
  console_ = &console;
  return {};
}

void VirtioConsolePort::offer(size_t buffer) {
  const VirtqueueSegment segment{physical_ + kReceiveArea + buffer * kReceiveBufferSize, kReceiveBufferSize, true};
  auto chain = receive_.submit({&segment, 1});
  chain_of_[buffer] = chain ? chain.value() : kNoChain;
  console_->device_.notify(receive_);
}

bool VirtioConsolePort::begin_next_buffer() {
  uint16_t head;
  uint32_t written;
  if (!receive_.complete(head, written)) return false;
  for (current_ = 0; current_ < kReceiveBuffers && chain_of_[current_] != head;) ++current_;
  taken_ = 0;
  filled_ = written < kReceiveBufferSize ? written : kReceiveBufferSize;
  if (current_ == kReceiveBuffers) filled_ = 0;
  return true;
}

size_t VirtioConsolePort::available() {
  const InterruptGuard guard;
  while (taken_ == filled_ && begin_next_buffer())
    if (filled_ == 0 && current_ < kReceiveBuffers) offer(current_);
  return filled_ - taken_;
}

size_t VirtioConsolePort::read(std::span<uint8_t> to) {
  const InterruptGuard guard;
  size_t count = 0;
  while (count < to.size()) {
    if (taken_ == filled_ && !begin_next_buffer()) break;
    const size_t part = filled_ - taken_ < to.size() - count ? filled_ - taken_ : to.size() - count;
    __builtin_memcpy(to.data() + count,
                     direct_map<uint8_t>(physical_ + kReceiveArea + current_ * kReceiveBufferSize) + taken_, part);
    count += part;
    taken_ += part;
    if (taken_ == filled_ && current_ < kReceiveBuffers) offer(current_);
  }
  return count;
}

void VirtioConsolePort::take_sent_buffers_back() {
  uint16_t head;
  uint32_t written;
  while (send_.complete(head, written))
    for (uint16_t& chain : send_chain_of_)
      if (chain == head) {
        chain = kNoChain;
        --sending_;
      }
}

size_t VirtioConsolePort::send_until(std::span<const uint8_t> from, uint64_t give_up_ns) {
  size_t count = 0;
  while (count < from.size()) {
    take_sent_buffers_back();
    if (sending_ == kSendBuffers) {
      if (monotonic_ns() >= give_up_ns) break;
      __builtin_ia32_pause();
      continue;
    }
    size_t buffer = 0;
    while (send_chain_of_[buffer] != kNoChain) ++buffer;
    const uint64_t physical = physical_ + kSendArea + buffer * kSendBufferSize;
    const size_t part = from.size() - count < kSendBufferSize ? from.size() - count : kSendBufferSize;
    __builtin_memcpy(direct_map<uint8_t>(physical), from.data() + count, part);
    const VirtqueueSegment segment{physical, static_cast<uint32_t>(part), false};
    auto chain = send_.submit({&segment, 1});
    if (chain.is_error()) break;
    send_chain_of_[buffer] = chain.value();
    ++sending_;
    console_->device_.notify(send_);
    count += part;
  }
  return count;
}

size_t VirtioConsolePort::send(std::span<const uint8_t> from, uint64_t timeout_ns) {
  const InterruptGuard guard;
  return send_until(from, monotonic_ns() + timeout_ns);
}

// Messages are few and short: a host that stopped reading holds at most what the buffers hold.
size_t VirtioConsolePort::write(std::span<const uint8_t> from, uint64_t timeout_ns) {
  const InterruptGuard guard;
  const uint64_t give_up = monotonic_ns() + timeout_ns;
  const size_t count = send_until(from, give_up);
  for (take_sent_buffers_back(); sending_ > 0 && monotonic_ns() < give_up; take_sent_buffers_back())
    __builtin_ia32_pause();
  return count;
}

void VirtioConsolePort::set_arrival_handler(void (*arrived)(void* context), void* context) {
  const InterruptGuard guard;
  arrived_ = arrived;
  arrived_context_ = context;
}

}  // namespace kernel
