#pragma once

#include <string>
#include <vector>

namespace mortem::test {

// Every match of an extended regular expression (POSIX; `^` is the beginning of a line) in the text, in order: the whole
// and its groups. Of the C library's: std::regex costs the compiler ten seconds a test.
std::vector<std::vector<std::string>> matches_of(const char* pattern, const std::string& text);

}  // namespace mortem::test
