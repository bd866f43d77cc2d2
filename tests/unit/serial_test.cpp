#include <gtest/gtest.h>

#include <string>

#include "kernel/arch/x86_64/cpu.h"
#include "kernel/drivers/console.h"

namespace {

// A 16550 with a FIFO of 16 bytes that empties whenever its line status is read, or never.
struct Uart {
  bool present = true, stuck = false;
  uint8_t scratch = 0, line_control = 0;
  size_t in_fifo = 0;
  std::string sent, to_receive;
  uint64_t status_reads = 0;
} g_uart;

}  // namespace

namespace kernel {

uint8_t in8(uint16_t port) {
  if (!g_uart.present) return 0xFF;
  switch (port) {
    case 0x3F8: {
      const char byte = g_uart.to_receive[0];
      g_uart.to_receive.erase(0, 1);
      return static_cast<uint8_t>(byte);
    }
    case 0x3FD:
      ++g_uart.status_reads;
      if (!g_uart.stuck) g_uart.in_fifo = 0;
      return (g_uart.to_receive.empty() ? 0 : 1) | (g_uart.in_fifo == 0 && !g_uart.stuck ? 0x60 : 0);
    case 0x3FF:
      return g_uart.scratch;
    default:
      return 0;
  }
}

void out8(uint16_t port, uint8_t value) {
  if (!g_uart.present) return;
  if (port == 0x3FB) g_uart.line_control = value;
  if (port == 0x3FF) g_uart.scratch = value;
  if (port == 0x3F8 && !(g_uart.line_control & 0x80)) {
    EXPECT_LT(g_uart.in_fifo, 16u) << "more than the FIFO holds";
    ++g_uart.in_fifo;
    g_uart.sent += static_cast<char>(value);
  }
}

}  // namespace kernel

namespace {

class Serial : public testing::Test {
 protected:
  void SetUp() override { g_uart = {}; }
};

TEST_F(Serial, BytesGoOutAsTheyAre) {
  kernel::console_initialize();
  std::string text = "one\ntwo\r\n\t";
  text += '\0';
  text += std::string(1000, 'x') + "\xFF\x80";
  kernel::console_write(std::span<const char>(text.data(), text.size()));
  kernel::console_write("end");
  EXPECT_EQ(g_uart.sent, text + "end");
}

TEST_F(Serial, InputIsReadWithoutWaiting) {
  kernel::console_initialize();
  char bytes[4];
  EXPECT_FALSE(kernel::console_has_input());
  EXPECT_EQ(kernel::console_read(bytes), 0u);
  g_uart.to_receive = "hello";
  EXPECT_TRUE(kernel::console_has_input());
  EXPECT_EQ(std::string(bytes, kernel::console_read(bytes)), "hell");
  EXPECT_EQ(std::string(bytes, kernel::console_read(bytes)), "o");
}

TEST_F(Serial, AMachineWithoutOneIsLeftAlone) {
  g_uart.present = false;
  kernel::console_initialize();
  kernel::console_write("nobody hears this");
  EXPECT_FALSE(kernel::console_has_input());
}

TEST_F(Serial, AStuckOneCostsABoundedTimeAndComesBack) {
  kernel::console_initialize();
  g_uart.stuck = true;
  const std::string text(64 * 1024, 'x');
  kernel::console_write(std::span<const char>(text.data(), text.size()));
  EXPECT_EQ(g_uart.sent, "");
  EXPECT_LT(g_uart.status_reads, 1'000'000u);
  g_uart.stuck = false;
  kernel::console_write("again");
  EXPECT_EQ(g_uart.sent, "again");
}

}  // namespace
