// What the views show: plain data, as it was at one moment. Unknown is said, never zero.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "inspector/analysis/address_ranges.h"
#include "inspector/analysis/crash_findings.h"
#include "inspector/analysis/goroutines.h"
#include "inspector/analysis/parallel_stacks.h"
#include "inspector/analysis/search.h"
#include "inspector/analysis/stack.h"
#include "inspector/analysis/thread_list.h"
#include "inspector/symbols/source_text.h"
#include "snapshot/dump_info.h"

namespace mortem::inspector::app {

struct ModuleFacts {
  snapshot::CoreModule module;
  SymbolFiles files;
  std::string symbols;  // "debug information from FILE", "symbol table of FILE", "no symbols"
};

// The first page: why it stopped, in one sentence, and what one asks next.
struct Summary {
  CrashFindings findings;                    // reason, signature, telling frame, goroutine
  snapshot::DumpInfo info;                   // program, command line, identity, reason as it was written
  std::string when;                          // "2026-11-26 19:30:00 UTC"; empty: unknown
  bool partial = false;                      // the dump holds less than everything
  uint64_t occurrence = 0;                   // this is the how-manieth crash of its kind on its disk; 0: not known
  std::optional<SourceLines> source;         // around the telling frame
  std::vector<std::string> missing_symbols;  // a sentence each
  std::vector<std::string> error_lines;      // the last of its standard error
  std::vector<std::string> output_lines;     // and of its standard output
};

struct ThreadFacts {
  TargetThread thread;
  std::string state;  // "crashed", "in futex", "running", "in the kernel"
  std::optional<uint64_t> instruction_pointer, stack_pointer;
};

// Threads with equal stacks, in the order of their first one.
struct ThreadGroup {
  std::vector<uint32_t> threads;
  std::string place;  // the telling frame: "worker at pool.c:17"
};

// Stands for a value that the session knows: for children(), to write to it. 0: none.
using ValueHandle = uint64_t;

struct ValueFacts {
  std::string name, type, text;
  bool known = true;  // false: `text` says why not
  std::optional<uint64_t> address;
  std::optional<uint64_t> pointer;  // of a pointer: where it leads
  std::string note;
  bool elements = false;          // its children are elements: they are asked for in pages
  std::optional<uint64_t> count;  // of elements, all of them
  bool expandable = false;
  ValueHandle handle = 0;
};

struct VariableFacts {
  ValueFacts value;
  bool parameter = false;
  bool shadowed = false;  // an inner one of the same name hides it
  uint32_t line = 0;      // of its declaration; 0: unknown
};

struct RegisterFacts {
  std::string name;
  std::vector<uint8_t> bytes;  // little-endian; empty: not known
  bool changed = false;        // since the stop before
  std::string place;           // of a general register: what it points to: "main+12", "stack of thread 1"; empty
};

struct RegisterSet {
  std::string name;  // "General", "x87", "SSE", "AVX", "Machine"
  std::vector<RegisterFacts> registers;
};

inline constexpr uint64_t kMemoryPage = 4096;

struct MemoryPage {
  enum class State : uint8_t {
    Held,    // all bytes are known
    Partly,  // only those below `known`
    Unmapped,
    NotHeld,     // mapped, but its content is not in this target
    Reserved,    // mapped without access: it has no content
    Unreadable,  // held, but damaged in the file
  };
  State state = State::Unmapped;
  uint64_t address = 0;
  std::array<uint8_t, kMemoryPage> bytes{};
  size_t known = 0;           // bytes from the start on
  bool from_file = false;     // not from the target: the module's file has these
  std::vector<bool> changed;  // since the stop before; empty: nothing
};

struct CodeRow {
  uint64_t address = 0;
  std::vector<uint8_t> bytes;
  std::string text;
  std::optional<uint64_t> target;
  std::string target_name;  // " <function+4>"; empty: none
  std::string file;         // empty: unknown
  uint32_t line = 0;        // 0: unknown
  std::string inlined;      // the function that was inlined here; empty: none
};

// A function, or a piece of code of which it is not known where a function begins.
struct CodeBlock {
  uint64_t start = 0, end = 0;
  std::string function, module;  // empty: unknown
  std::vector<CodeRow> rows;     // by address; empty: there is no code
  bool from_file = false;
};

struct SourceFile {
  std::string file;            // as the debug information names it
  std::filesystem::path from;  // where it stands here
  std::vector<std::string> lines;
  bool newer = false;  // changed here after the program was built
};

struct SymbolFacts {
  std::string name;  // demangled
  uint64_t address = 0, size = 0;
  bool function = false;
  std::string module;
};

struct SymbolList {
  std::vector<SymbolFacts> symbols;  // by name
  uint64_t more = 0;                 // that match and are not here
};

struct TypeFacts {
  std::string name, kind;  // "struct", "enum", …
  std::optional<uint64_t> size;
  struct MemberLine {
    uint64_t offset = 0;
    std::optional<uint64_t> bit_offset, bit_size;
    std::string type, name;
    std::optional<uint64_t> size;
    uint64_t hole_after = 0;  // bytes of padding
  };
  std::vector<MemberLine> members;
  std::vector<std::pair<std::string, int64_t>> enumerators;
};

struct SearchHit {
  uint64_t address = 0;
  std::vector<uint8_t> bytes;  // what was found and some behind it
  std::string place;           // "libc.so.6+0x1d2", "stack of thread 7"
};

struct SearchResults {
  std::vector<SearchHit> hits;
  bool more = false;  // there are more than were asked for
  bool complete = false;
  uint64_t searched = 0, unreadable = 0;  // bytes
};

}  // namespace mortem::inspector::app
