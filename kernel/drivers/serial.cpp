// The console on the first 16550 UART (PC16550D data sheet: registers in section 8, FIFO operation in section 8.11).
// Polled, because the log must come out in interrupt handlers, in a panic and before interrupts are there.
#include "kernel/arch/x86_64/cpu.h"
#include "kernel/drivers/console.h"

namespace kernel {
namespace {

constexpr uint16_t kBase = 0x3F8;
constexpr uint16_t kData = kBase + 0;             // divisor low byte while kDivisorAccess is set
constexpr uint16_t kInterruptEnable = kBase + 1;  // divisor high byte while kDivisorAccess is set
constexpr uint16_t kFifoControl = kBase + 2;
constexpr uint16_t kLineControl = kBase + 3;
constexpr uint16_t kModemControl = kBase + 4;
constexpr uint16_t kLineStatus = kBase + 5;
constexpr uint16_t kScratch = kBase + 7;

constexpr uint8_t kDivisorAccess = 0x80, kEightBitsNoParity = 0x03;
constexpr uint8_t kDataReady = 0x01, kTransmitterEmpty = 0x20;
constexpr size_t kFifoSize = 16;

// A byte takes 87 µs at 115200 baud and a port read at least 0.1 µs even on real hardware, so that a FIFO drains within
// far fewer reads; a UART that does not is stuck (flow control, a hypervisor whose pipe is full).
constexpr unsigned kPatience = 200'000;
constexpr unsigned kPatienceWhenStuck = 100;

bool g_present = false;
bool g_stuck = false;

bool wait_for_room() {
  for (unsigned left = g_stuck ? kPatienceWhenStuck : kPatience; left > 0; --left) {
    if (in8(kLineStatus) & kTransmitterEmpty) {
      g_stuck = false;
      return true;
    }
  }
  g_stuck = true;
  return false;
}

}  // namespace

void console_initialize() {
  // Ports without a device read as ones; a UART keeps what is in its scratch register.
  out8(kScratch, 0x5A);
  g_present = in8(kScratch) == 0x5A;
  g_stuck = false;
  if (!g_present) return;
  out8(kInterruptEnable, 0);
  out8(kLineControl, kDivisorAccess);
  out8(kData, 1);  // 115200 baud
  out8(kInterruptEnable, 0);
  out8(kLineControl, kEightBitsNoParity);
  out8(kFifoControl, 0x07);   // on, both directions emptied
  out8(kModemControl, 0x03);  // data terminal ready, request to send
}

void console_write(std::span<const char> bytes) {
  if (!g_present) return;
  while (!bytes.empty()) {
    // Bytes are lost rather than the guest: a stuck console must not keep a dump from being written.
    const bool room = wait_for_room();
    const size_t count = bytes.size() < kFifoSize ? bytes.size() : kFifoSize;
    for (size_t index = 0; room && index < count; ++index) out8(kData, static_cast<uint8_t>(bytes[index]));
    bytes = bytes.subspan(count);
  }
}

void console_write(const char* text) {
  console_write({text, __builtin_strlen(text)});
}

bool console_has_input() {
  return g_present && (in8(kLineStatus) & kDataReady);
}

size_t console_read(std::span<char> to) {
  size_t count = 0;
  while (count < to.size() && console_has_input()) to[count++] = static_cast<char>(in8(kData));
  return count;
}

}  // namespace kernel
