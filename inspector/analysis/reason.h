// Why a program died, as one sentence, from what the dump says and the crashed thread's stack shows.
#pragma once

#include <optional>
#include <string>

#include "inspector/analysis/stack.h"
#include "snapshot/core_file.h"

namespace mortem::inspector {

struct CrashReason {
  std::string sentence;     // `SIGSEGV: read of address 0x10 (not mapped) in conn_next (conn.c:42)`
  std::string signal_name;  // empty: none
  std::optional<int> signal, signal_code;
  std::string signal_code_name;  // "SEGV_MAPERR"; empty: none or not known
  std::optional<uint64_t> fault_address;
  bool stack_overflow = false;
  std::string last_words;     // of an exit: what the program said why; empty: nothing
  std::string abort_message;  // glibc's, of assert() and its own checks; empty: none
};

// `stack`: of the crashed thread; null: there is none.
CrashReason explain_crash(const snapshot::CoreFile& core, Symbolizer& symbolizer, const Stack* stack);

}  // namespace mortem::inspector
