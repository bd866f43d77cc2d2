// The kernel's formatter against the C library's snprintf.
#include <gtest/gtest.h>

#include <cstdio>
#include <string>

#include "kernel/library/log.h"

namespace {

template <typename... Arguments>
void same(const char* format, Arguments... arguments) {
  char ours[128], theirs[128];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-security"
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
  size_t length = kernel::format_text(ours, sizeof ours, format, arguments...);
  int expected = std::snprintf(theirs, sizeof theirs, format, arguments...);
#pragma GCC diagnostic pop
  EXPECT_STREQ(ours, theirs) << format;
  EXPECT_EQ(length, size_t(expected)) << format;
}

TEST(FormatText, AgreesWithTheCLibrary) {
  same("%d %d %i", 0, -1, 2147483647);
  same("%ld %lu", -9223372036854775807L - 1, 18446744073709551615UL);
  same("%08x|%-8x|%8x|%#x|%X", 0xbeefu, 0xbeefu, 0xbeefu, 0xbeefu, 0xbeefu);
  same("%016lx %#018lx", 0x1234ul, 0xabcul);
  same("%5d|%-5d|%05d|%+d", 42, 42, -42, 42);
  same("%s|%10s|%-10s|%.3s|%*s", "text", "right", "left", "cut me", 7, "star");
  same("%c%%%c %zu %o", 'a', 'b', size_t{12345}, 0755u);
  same("%.4d %.8x", 42, 0xabcu);
}

TEST(FormatText, CutsAndTerminatesInASmallBuffer) {
  char buffer[5];
  EXPECT_EQ(kernel::format_text(buffer, sizeof buffer, "%s", "0123456789"), 10u);
  EXPECT_STREQ(buffer, "0123");
  EXPECT_EQ(kernel::format_text(nullptr, 0, "abc"), 3u);
}

}  // namespace
