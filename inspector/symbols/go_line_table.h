// Go's own table of functions and lines (.gopclntab), which stays in programs that were stripped of everything else.
// The layouts of Go 1.18 and newer (runtime/symtab.go: pcHeader, _func, inlinedCall). Addresses are those of the ELF
// file.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "inspector/elf/elf_image.h"

namespace mortem::inspector {

class GoLineTable {
 public:
  // Null: the file has no such table, or one of another layout. `image` must outlive the result.
  static std::unique_ptr<GoLineTable> create(const ElfImage& image);

  struct Place {
    std::string function, file;
    uint32_t line = 0;
  };
  // Innermost first: inlined calls, then the function; empty: in no function of Go's.
  std::vector<Place> locate(uint64_t address) const;
  std::string function_at(uint64_t address) const;  // without what is inlined into it; empty: none

  struct StackRule {
    int64_t delta = 0;       // the stack pointer's distance from the return address
    bool outermost = false;  // nobody called this function
  };
  std::optional<StackRule> stack_rule(uint64_t address) const;

 private:
  struct Function {
    uint64_t entry = 0, end = 0;
    uint64_t record = 0;  // offset of its _func in the table
  };
  explicit GoLineTable(std::span<const uint8_t> bytes) : bytes_(bytes) {}
  bool read_header();
  void find_inline_trees(const ElfImage& image, uint64_t table_address);
  template <typename T>
  std::optional<T> number(uint64_t offset) const;
  std::string text(uint64_t offset) const;
  std::optional<Function> find(uint64_t address) const;
  // The value that a table of the function gives for `address` (runtime.pcvalue); nothing: none, or a broken table.
  std::optional<int32_t> value_at(const Function& function, uint64_t table, uint64_t address) const;
  std::optional<uint32_t> field(const Function& function, unsigned index) const;
  std::string file_at(const Function& function, uint64_t address) const;
  uint32_t line_at(const Function& function, uint64_t address) const;
  struct InlinedCall {
    uint32_t name = 0;       // offset into the names
    uint32_t parent_pc = 0;  // from the function's entry: an instruction of the caller's line
  };
  std::optional<InlinedCall> inlined_at(const Function& function, uint64_t address) const;
  unsigned fixed_size() const { return new_layout_ ? 44 : 40; }

  std::span<const uint8_t> bytes_;
  bool new_layout_ = false;  // Go 1.20 and newer
  uint64_t count_ = 0, text_start_ = 0, names_ = 0, units_ = 0, files_ = 0, values_ = 0, functions_ = 0;
  unsigned quantum_ = 1;
  std::vector<uint8_t> tree_bytes_;  // from moduledata.gofunc on; empty: not found
};

}  // namespace mortem::inspector
