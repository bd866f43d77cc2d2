// What a program said before it ended by itself: the line of its standard error that tells why.
#pragma once

#include <string>
#include <string_view>

namespace mortem::inspector {

// Of a Go panic, a Rust panic, a Python exception: its message; else the last line that is not blank. Empty: nothing
// was said. `standard_error` may begin in the middle of a line.
std::string last_words(std::string_view standard_error);

}  // namespace mortem::inspector
