#include "kernel/library/log.h"

#include "kernel/drivers/console.h"
#include "kernel/library/command_line.h"

namespace kernel {

namespace {
constexpr size_t kRingSize = 64 * 1024;
char g_ring_bytes[kRingSize];
}  // namespace

LogRing g_log_ring = {g_ring_bytes, kRingSize, 0};

void log(LogLevel level, const char* format, ...) {
  char line[512];
  va_list arguments;
  va_start(arguments, format);
  size_t length = format_text_list(line, sizeof line - 1, format, arguments);
  va_end(arguments);
  if (length > sizeof line - 2) length = sizeof line - 2;
  line[length++] = '\n';
  for (size_t i = 0; i < length; ++i) g_log_ring.bytes[g_log_ring.written++ % g_log_ring.size] = line[i];
  bool on_console = level == LogLevel::Warning || (level == LogLevel::Info && setting_is("log", "console"));
  if (!on_console) return;
  console_write("mortem: ");
  console_write(std::span<const char>(line, length));
}

}  // namespace kernel
