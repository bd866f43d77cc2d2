// The kernel log: a ring in memory that dumps carry (note KernelLog) and that warnings copy to the console.
#pragma once

#include <cstdarg>
#include <cstddef>
#include <cstdint>

namespace kernel {

enum class LogLevel : uint8_t {
  Debug,    // ring only
  Info,     // ring only, on the console too with `log=console` on the kernel command line
  Warning,  // ring and console
};

// printf's conversions without floating point: %s %c %d %u %x %p with l, ll, z, width, 0, -, precision on %s.
// One line without its newline. Safe in interrupt handlers. Allocates nothing.
void log(LogLevel level, const char* format, ...) __attribute__((format(printf, 2, 3)));

// snprintf for the kernel: always terminates, returns the length that would have been written.
size_t format_text(char* buffer, size_t size, const char* format, ...) __attribute__((format(printf, 3, 4)));
size_t format_text_list(char* buffer, size_t size, const char* format, va_list arguments);

struct LogRing {
  char* bytes;
  size_t size;             // a power of two
  uint64_t written;        // bytes ever written; the newest byte stands at (written - 1) % size
};
extern LogRing g_log_ring;
// The last that the program wrote to its standard error and its standard output, which the VM's console took.
extern LogRing g_error_ring, g_output_ring;
void ring_append(LogRing& ring, const char* bytes, size_t length);  // interrupts are off, or nobody else writes to it

}  // namespace kernel
