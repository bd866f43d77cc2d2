// The call frame information of one ELF file, read by libdwarf, as rules that we evaluate ourselves.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "inspector/elf/elf_image.h"
#include "inspector/unwind/expression.h"
#include "inspector/unwind/frame_registers.h"
#include "inspector/unwind/memory_cache.h"

namespace mortem::inspector {

struct UnwindRule {  // DWARF 5, section 6.4.1
  enum class Kind : uint8_t { SameValue, Undefined, AtOffset, IsOffset, InRegister, AtExpression, IsExpression };
  Kind kind = Kind::SameValue;
  uint16_t number = 0;                  // InRegister; of the CFA's rule: its base
  int64_t offset = 0;                   // from the CFA; of the CFA's rule: from the base
  std::span<const uint8_t> expression;  // into the section
};

// How the caller's registers are found at one address.
struct UnwindRow {
  UnwindRule cfa;  // InRegister (plus offset) or IsExpression
  std::array<UnwindRule, FrameRegisters::kCount> registers;
  unsigned return_address = FrameRegisters::kRip;  // DWARF number of the return address column
  bool signal_frame = false;                       // augmentation 'S': the caller was interrupted, it made no call
};

struct FrameSection {
  std::string name;  // ".eh_frame" or ".debug_frame"
  uint64_t address = 0;
  std::span<const uint8_t> bytes;
  std::string file;                   // whose section it is, for messages
  std::shared_ptr<const void> owner;  // of the bytes
  // Nothing: the file has none, or nothing is in it.
  static std::optional<FrameSection> of(std::shared_ptr<const ElfImage> image, const char* name);
  static FrameSection from(std::string name, uint64_t address, std::vector<uint8_t> bytes, std::string file);
};

class CallFrameInformation {
 public:
  // Nothing if libdwarf can read nothing of it.
  static std::unique_ptr<CallFrameInformation> create(FrameSection section);
  virtual ~CallFrameInformation() = default;
  // Null: no information for that address (of the ELF file). What is returned lives as long as this object.
  virtual const UnwindRow* find(uint64_t address) = 0;
  // All that find() can answer: stretches of addresses with one row each, rising.
  using Visit = std::function<void(uint64_t low, uint64_t high, const UnwindRow& row)>;
  virtual void visit_rows(const Visit&) {}
};

// What a row says about the caller of a frame.
struct UnwoundFrame {
  FrameRegisters caller;
  uint64_t cfa = 0;
  bool outermost = false;  // the return address is undefined: nobody called
};
// Nothing if a register or memory that the rules need is not known; `missing` then says which.
std::optional<UnwoundFrame> apply_row(const UnwindRow& row, const FrameRegisters& registers, MemoryCache& memory,
                                      std::string* missing);

}  // namespace mortem::inspector
