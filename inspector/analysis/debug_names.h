// Names for places and values of a stopped program, from its debug information: which variable a register holds, which
// member stands at an offset. What a crash report says about a pointer rests on these; all addresses at run time.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "inspector/symbols/symbolizer.h"
#include "inspector/unwind/frame_registers.h"

namespace mortem::inspector {

using TypeHandle = uint32_t;  // of one DebugNames
inline constexpr TypeHandle kNoType = 0;

struct NamedVariable {
  std::string name;
  TypeHandle type = kNoType;
  int64_t addend = 0;  // the register holds the variable's value plus this
};

struct MemberAt {
  std::string path;  // "next", "address.port", "headers[2]"
  TypeHandle type = kNoType;
};

struct FunctionCode {
  uint64_t start = 0, end = 0;  // the part of it that holds the address
};

class DebugNames {
 public:
  static std::unique_ptr<DebugNames> create(Symbolizer& symbolizer, const std::vector<snapshot::CoreModule>& modules);
  virtual ~DebugNames() = default;

  virtual std::optional<FunctionCode> function_at(uint64_t pc) = 0;
  // The variable that is in scope at `pc` and whose value register `number` holds there, the innermost scope's first.
  virtual std::optional<NamedVariable> in_register(uint64_t pc, int number) = 0;
  // The variable of the frame, or the global one, or the member of it, of `size` bytes (0: any) at `address`. `cfa` and
  // `registers` are of the frame.
  virtual std::optional<NamedVariable> in_memory(uint64_t pc, uint64_t cfa, const FrameRegisters& registers,
                                                 uint64_t address, uint64_t size) = 0;
  // Pointers in scope that are null throughout there, so that no register holds them.
  virtual std::vector<NamedVariable> null_pointers(uint64_t pc) = 0;
  // What a call of the function at `address` gives; kNoType: void or unknown.
  virtual TypeHandle result_type(uint64_t address) = 0;

  virtual TypeHandle pointee(TypeHandle pointer) = 0;  // kNoType: it is no pointer, or one to void
  // The member or element of `size` bytes (0: any) at `offset` into an object of that type; of an object that is no
  // struct, and of arrays behind a pointer, elements: "[3]". Nothing: none starts there, or what is there is larger.
  virtual std::optional<MemberAt> member_at(TypeHandle type, uint64_t offset, uint64_t size) = 0;
  virtual std::string type_name(TypeHandle type) = 0;  // "struct connection"
  virtual uint64_t type_size(TypeHandle type) = 0;     // bytes; 0: unknown
  virtual bool is_aggregate(TypeHandle type) = 0;      // struct, class, union
};

}  // namespace mortem::inspector
