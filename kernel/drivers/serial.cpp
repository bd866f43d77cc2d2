// The console on the first UART. Polled, because the log must come out in interrupt handlers, in a panic and before
// interrupts are there.
#include "kernel/drivers/console.h"
#include "kernel/drivers/uart.h"

namespace kernel {
namespace {

constinit Uart g_console_uart(0x3F8);

}  // namespace

void console_initialize() {
  g_console_uart.initialize();
}

void console_write(std::span<const char> bytes) {
  g_console_uart.write({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()});
}

void console_write(const char* text) {
  console_write({text, __builtin_strlen(text)});
}

bool console_has_input() {
  return g_console_uart.has_input();
}

size_t console_read(std::span<char> to) {
  return g_console_uart.read({reinterpret_cast<uint8_t*>(to.data()), to.size()});
}

}  // namespace kernel
