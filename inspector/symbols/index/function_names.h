// The names of functions: an entry's own, or those of the declaration or abstract function that it leads to.
#pragma once

#include <algorithm>
#include <memory>
#include <tuple>
#include <unordered_map>

#include "inspector/symbols/index/dwarf_file.h"

namespace mortem::inspector::index {

struct FunctionName {
  std::string_view linkage_name, name;     // data() is null: none
  const DwarfFile* declared_by = nullptr;  // whose unit numbers the file; null: no file is named
  size_t declaring_unit = 0;
  uint32_t declared_in = 0, declared_at = 0;  // file number and line
  std::string_view best() const { return linkage_name.data() ? linkage_name : name; }
};

class FunctionNames {
 public:
  explicit FunctionNames(DwarfFile& dwarf) : dwarf_(dwarf) {
    constexpr size_t kMost = 1 << 14, kBytesOfEntry = 64;
    known_.reserve(std::min(kMost, dwarf.sections().information.size() / kBytesOfEntry));
  }
  const FunctionName& find(uint64_t entry, bool in_alternate);

 private:
  struct Facts;
  FunctionName read(uint64_t entry, bool in_alternate);
  DwarfFile& dwarf_;
  std::unordered_map<uint64_t, FunctionName> known_, known_in_alternate_;
};

// Those of a file and of its .dwo files.
template <typename OfFile, typename... More>
class ByBody {
 public:
  explicit ByBody(DwarfFile& dwarf, More&... more) : dwarf_(dwarf), more_(more...), own_(dwarf, more...) {}
  OfFile& of(DwarfFile& body) {
    if (&body == &dwarf_) return own_;
    auto& one = others_[&body];
    if (!one) one = std::apply([&](More&... more) { return std::make_unique<OfFile>(body, more...); }, more_);
    return *one;
  }

 private:
  DwarfFile& dwarf_;
  std::tuple<More&...> more_;
  OfFile own_;
  std::unordered_map<const DwarfFile*, std::unique_ptr<OfFile>> others_;
};

}  // namespace mortem::inspector::index
