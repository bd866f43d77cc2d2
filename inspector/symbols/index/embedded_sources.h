// The sources that a compiler put into the debug information itself (clang -gembed-source, DW_LNCT_LLVM_source).
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "inspector/symbols/index/dwarf_file.h"

namespace mortem::inspector::index {

// False: no compiler that does so made anything of the file. Reads no debug information.
bool may_embed_sources(const ElfImage& image);

class EmbeddedSources {
 public:
  explicit EmbeddedSources(DwarfFile& dwarf);
  // By the path as the debug information has it; nothing: it is not there. Valid as long as the DwarfFile.
  std::optional<std::string_view> find(const std::string& path) const;

 private:
  std::map<std::string, std::string_view, std::less<>> texts_;
};

}  // namespace mortem::inspector::index
