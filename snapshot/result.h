// Errors on the host are values: a kind for programs and one sentence for people, which names the file, offset, packet
// or option at fault and says what to do.
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace mortem {

enum class ErrorKind {
  BadInput,     // the thing given is broken or of another kind
  NotFound,     // a file, thread, module, address that is not there
  Unavailable,  // exists, but this target does not hold it (memory that a dump dropped)
  Unsupported,
  System,  // the operating system or another program refused
};

struct Error {
  ErrorKind kind;
  std::string message;  // one line, no newline, no "error:" in front
};

template <typename T>
using Result = tl::expected<T, Error>;

inline tl::unexpected<Error> failure(ErrorKind kind, std::string message) {
  return tl::unexpected<Error>(Error{kind, std::move(message)});
}

// TRY(expression): its value, or a return of its error from the enclosing function (GNU statement expression).
#define TRY(expression)                                                                     \
  ({                                                                                        \
    auto&& try_result = (expression);                                                       \
    if (!try_result) return tl::unexpected<::mortem::Error>(std::move(try_result.error())); \
    std::move(try_result).value();                                                          \
  })
// The same for a Result<void>.
#define TRY_VOID(expression)                                                                \
  do {                                                                                      \
    auto&& try_result = (expression);                                                       \
    if (!try_result) return tl::unexpected<::mortem::Error>(std::move(try_result.error())); \
  } while (false)

}  // namespace mortem
