// Reads the module table entry by entry; a damaged table ends where it stops making sense. The kernel itself comes
// last, from the guest description, unless the table names it already.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "snapshot/format/notes.h"

namespace kernel {

class ByteSink;

class ModuleReader {
 public:
  ModuleReader();
  bool next();  // false: no more
  const mortem::format::ModuleEntry& entry() const { return entry_; }
  std::span<const uint8_t> id() const { return {id_, entry_.id_length}; }
  const char* path() const { return path_; }  // NUL-terminated

 private:
  bool kernel_entry();

  const uint8_t* at_ = nullptr;
  size_t left_ = 0;
  bool kernel_seen_ = false;
  bool kernel_given_ = false;
  mortem::format::ModuleEntry entry_{};
  uint8_t id_[64];
  char path_[256];
};

// The module that holds `address`; false: none.
bool find_module(uint64_t address, ModuleReader& module);

}  // namespace kernel
