// Why a program died, as one sentence, from what the dump says and the crashed thread's stack shows.
#pragma once

#include <optional>
#include <string>

#include "inspector/analysis/crash_scene.h"
#include "inspector/analysis/fault_access.h"

namespace mortem::inspector {

struct CrashReason {
  std::string sentence;  // "SIGSEGV: read of 8 bytes at 0x10: null `conn` + offset 16 of `struct connection.next`, in
                         // conn_next (conn.c:42)"
  std::string signal_name;  // empty: none
  std::optional<int> signal, signal_code;
  std::string signal_code_name;  // "SEGV_MAPERR"; empty: none or not known
  std::optional<uint64_t> fault_address;
  bool crashed = true;                        // false: a dump on demand, or no reason is known
  std::optional<int> exit_status;             // of an exit
  std::string exception_type;                 // of an uncaught C++ exception; empty: it was none
  std::optional<std::string> exception_text;  // its what(), or the value that was thrown
  std::string panic;                          // of Go or Rust: the message; empty: none
  std::optional<FaultAccess> access;          // of a bad access of memory
  bool stack_overflow = false;
  std::string last_words;     // of an exit: what the program said why; empty: nothing
  std::string abort_message;  // glibc's, of assert() and its own checks; empty: none
};

CrashReason explain_crash(const CrashScene& scene);

}  // namespace mortem::inspector
