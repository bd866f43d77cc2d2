// The console: the first 16550 serial port, polled for output; bytes go out as they are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace kernel {

void console_initialize();  // usable from the first instruction of C++ on
void console_write(std::span<const char> bytes);
void console_write(const char* text);
size_t console_read(std::span<char> to);  // what has arrived, without waiting; 0: nothing
bool console_has_input();

}  // namespace kernel
