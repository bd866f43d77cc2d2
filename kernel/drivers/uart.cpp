#include "kernel/drivers/uart.h"

#include "kernel/arch/x86_64/cpu.h"

namespace kernel {
namespace {

constexpr uint16_t kData = 0;             // divisor low byte while kDivisorAccess is set
constexpr uint16_t kInterruptEnable = 1;  // divisor high byte while kDivisorAccess is set
constexpr uint16_t kFifoControl = 2;
constexpr uint16_t kLineControl = 3;
constexpr uint16_t kModemControl = 4;
constexpr uint16_t kLineStatus = 5;
constexpr uint16_t kScratch = 7;

constexpr uint8_t kDivisorAccess = 0x80, kEightBitsNoParity = 0x03;
constexpr uint8_t kDataReady = 0x01, kTransmitterEmpty = 0x20;
constexpr size_t kFifoSize = 16;

// A byte takes 87 µs at 115200 baud and a port read at least 0.1 µs even on real hardware, so that a FIFO drains within
// far fewer reads; a UART that does not is stuck (flow control, a hypervisor whose pipe is full).
constexpr unsigned kPatience = 200'000;
constexpr unsigned kPatienceWhenStuck = 100;

}  // namespace

void Uart::initialize() {
  // Ports without a device read as ones; a UART keeps what is in its scratch register.
  out8(base_ + kScratch, 0x5A);
  present_ = in8(base_ + kScratch) == 0x5A;
  stuck_ = false;
  if (!present_) return;
  out8(base_ + kInterruptEnable, 0);
  out8(base_ + kLineControl, kDivisorAccess);
  out8(base_ + kData, 1);  // 115200 baud
  out8(base_ + kInterruptEnable, 0);
  out8(base_ + kLineControl, kEightBitsNoParity);
  out8(base_ + kFifoControl, 0xC7);   // on, both directions emptied; a host may send 14 bytes before it waits
  out8(base_ + kModemControl, 0x03);  // data terminal ready, request to send
}

bool Uart::wait_for_room() {
  for (unsigned left = stuck_ ? kPatienceWhenStuck : kPatience; left > 0; --left) {
    if (in8(base_ + kLineStatus) & kTransmitterEmpty) {
      stuck_ = false;
      return true;
    }
  }
  stuck_ = true;
  return false;
}

size_t Uart::write(std::span<const uint8_t> bytes) {
  size_t written = 0;
  if (!present_) return written;
  while (!bytes.empty()) {
    // Bytes are lost rather than the guest: a stuck console must not keep a dump from being written.
    const bool room = wait_for_room();
    const size_t count = bytes.size() < kFifoSize ? bytes.size() : kFifoSize;
    for (size_t index = 0; room && index < count; ++index) out8(base_ + kData, bytes[index]);
    if (room) written += count;
    bytes = bytes.subspan(count);
  }
  return written;
}

bool Uart::has_input() const {
  return present_ && (in8(base_ + kLineStatus) & kDataReady);
}

size_t Uart::read(std::span<uint8_t> to) {
  size_t count = 0;
  while (count < to.size() && has_input()) to[count++] = in8(base_ + kData);
  return count;
}

}  // namespace kernel
