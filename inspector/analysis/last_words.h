// What a program said before it ended by itself: the line of its standard error that tells why.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace mortem::inspector {

// Of a Go panic, a Rust panic, a Python exception: its message; else the last line that is not blank. Empty: nothing
// was said. `standard_error` may begin in the middle of a line.
std::string last_words(std::string_view standard_error);

// Of these the panic of Go or Rust only, with its place; empty: there was none.
std::string panic_message(std::string_view standard_error);

// What libstdc++ or libc++abi printed for what() of an uncaught exception of that type.
std::optional<std::string> printed_what(std::string_view standard_error, std::string_view type);

}  // namespace mortem::inspector
