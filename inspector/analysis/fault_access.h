// A bad memory access in the program's own terms: which instruction made it, through which pointer, to which member.
#pragma once

#include <optional>
#include <string>

#include "inspector/analysis/debug_names.h"
#include "inspector/analysis/value_origin.h"
#include "snapshot/core_file.h"

namespace mortem::inspector {

enum class PointerKind { Null, SmallNumber, NotCanonical, NotMapped, Kernel, Valid };
const char* pointer_kind_name(PointerKind kind);  // "null", "small number", …

struct FaultAccess {
  std::string verb;           // "read", "write", "call", "jump"
  uint64_t size = 0;          // bytes; 0: unknown
  uint64_t address = 0;       // where it went
  std::string instruction;    // "mov rax, qword ptr [rdi + 16]"
  std::string base_register;  // "rdi"; empty: none
  std::string pointer;        // "conn"; empty: the source has no name for it
  std::optional<uint64_t> pointer_value;
  PointerKind pointer_kind = PointerKind::Valid;
  int64_t offset = 0;        // from what the pointer points to, the index's part left out
  std::string type, member;  // "struct connection", "next"; empty: unknown
  std::string index;         // "i" or "rcx"; empty: none
  bool index_is_variable = false;
  std::optional<uint64_t> index_value;
  uint64_t scale = 1;
  std::string owner;                      // `conn`, of the pointer `conn->next`; empty: unknown
  std::optional<uint64_t> owner_address;  // of the object it was read from
  bool misaligned = false;                // a misaligned operand of an instruction that wants it aligned
  std::string text;                       // "null `conn` + offset 16 of `struct connection.next`"
};

// What a fault's access is known by: its address if the processor gave one, else what the instruction makes is taken
// if it can be the reason (an address that is not canonical, a misaligned one).
struct FaultQuestion {
  std::optional<uint64_t> address;
  std::optional<bool> write;  // by the page fault's error code
  bool alignment = false;     // an alignment check
};

// `tracer` is of the frame that made the access. Nothing: its instruction does not make that address.
std::optional<FaultAccess> explain_access(OriginTracer& tracer, DebugNames& names, const Target& target,
                                          const FrameRegisters& registers, const FaultQuestion& question);
// Of a call or jump to where no code is: `call` is the instruction in the caller.
FaultAccess explain_bad_call(OriginTracer& tracer, DebugNames& names, const Target& target,
                             const InstructionFacts& call, uint64_t to);

PointerKind pointer_kind(const Target& target, uint64_t value);
bool is_canonical(uint64_t address);

}  // namespace mortem::inspector
