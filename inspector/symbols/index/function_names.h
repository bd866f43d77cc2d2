// The names of functions: an entry's own, or those of the declaration or abstract function that it leads to.
#pragma once

#include <unordered_map>

#include "inspector/symbols/index/dwarf_file.h"

namespace mortem::inspector::index {

struct FunctionName {
  std::string_view linkage_name, name;      // data() is null: none
  const DwarfFile* declared_by = nullptr;   // whose unit numbers the file; null: no file is named
  size_t declaring_unit = 0;
  uint32_t declared_in = 0, declared_at = 0;  // file number and line
  std::string_view best() const { return linkage_name.data() ? linkage_name : name; }
};

class FunctionNames {
 public:
  explicit FunctionNames(DwarfFile& dwarf) : dwarf_(dwarf) {}
  const FunctionName& find(uint64_t entry, bool in_alternate);

 private:
  struct Facts;
  FunctionName read(uint64_t entry, bool in_alternate);
  DwarfFile& dwarf_;
  std::unordered_map<uint64_t, FunctionName> known_, known_in_alternate_;
};

}  // namespace mortem::inspector::index
