#include "kernel/library/log.h"

#include "kernel/arch/x86_64/interrupt_guard.h"
#include "kernel/arch/x86_64/interrupts.h"
#include "kernel/drivers/console.h"
#include "kernel/library/command_line.h"

namespace kernel {

namespace {
constexpr size_t kRingSize = 64 * 1024;
constexpr size_t kErrorRingSize = 8 * 1024, kOutputRingSize = 4 * 1024;
char g_ring_bytes[kRingSize], g_error_bytes[kErrorRingSize], g_output_bytes[kOutputRingSize];
}  // namespace

LogRing g_log_ring = {g_ring_bytes, kRingSize, 0};
LogRing g_error_ring = {g_error_bytes, kErrorRingSize, 0}, g_output_ring = {g_output_bytes, kOutputRingSize, 0};

void ring_append(LogRing& ring, const char* bytes, size_t length) {
  if (length > ring.size) {
    ring.written += length - ring.size;
    bytes += length - ring.size;
    length = ring.size;
  }
  const size_t at = ring.written % ring.size;
  const size_t first = length < ring.size - at ? length : ring.size - at;
  __builtin_memcpy(ring.bytes + at, bytes, first);
  __builtin_memcpy(ring.bytes, bytes + first, length - first);
  ring.written += length;
}

void log(LogLevel level, const char* format, ...) {
  char line[512];
  const uint64_t now_us = monotonic_ns() / 1000;  // 0 until the clock is known
  const size_t stamp = format_text(line, sizeof line, "[%5lu.%06lu] ", now_us / 1'000'000, now_us % 1'000'000);
  va_list arguments;
  va_start(arguments, format);
  size_t length = stamp + format_text_list(line + stamp, sizeof line - 1 - stamp, format, arguments);
  va_end(arguments);
  if (length > sizeof line - 2) length = sizeof line - 2;
  line[length++] = '\n';
  InterruptGuard guard;
  ring_append(g_log_ring, line, length);
  bool on_console = level == LogLevel::Warning || (level == LogLevel::Info && setting_is("log", "console"));
  if (!on_console) return;
  console_write("mortem: ");
  console_write(std::span<const char>(line + stamp, length - stamp));
}

}  // namespace kernel
