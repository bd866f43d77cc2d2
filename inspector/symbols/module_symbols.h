// One module's files, opened: what they say of an address, by the reader of our own (symbols/index).
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "inspector/symbols/call_sites.h"
#include "inspector/symbols/debug_file.h"
#include "inspector/symbols/go_line_table.h"
#include "inspector/symbols/index/dwarf_lookup.h"
#include "inspector/symbols/index/embedded_sources.h"
#include "inspector/symbols/index/module_index.h"
#include "inspector/symbols/index/split_parts.h"
#include "inspector/symbols/index/unit_names.h"
#include "inspector/symbols/path_rules.h"
#include "inspector/symbols/symbol_files.h"

namespace mortem::inspector {

class ModuleSymbols {
 public:
  // `rules` must outlive this. `indexes`: where they stand.
  ModuleSymbols(const FoundFiles& files, const PathRules& rules, const index::IndexStore& indexes);
  ~ModuleSymbols();

  // Innermost first, never empty. `address`: of the ELF file.
  std::vector<SourceLocation> locate(uint64_t address);
  // A function that other modules can call by this name. Debug files keep no dynamic symbols.
  std::optional<uint64_t> exported(const std::string& name) const;
  std::optional<uint64_t> find_symbol(const std::string& name) const;
  DebugFile* debug_file();  // null: no debug information
  CallSites* call_sites();  // null: no debug information
  // Null: no debug information, or dwz took parts out of it, so that what a unit defines has its name in another file.
  std::shared_ptr<index::UnitNames> unit_names();
  std::shared_ptr<index::IndexFile> index_file() const { return index_ ? index_->file() : nullptr; }  // null: none
  // The text of a file that a SourceLocation names, where the debug information itself holds it.
  std::optional<std::string_view> embedded_source(const std::string& file);
  // .dwo files that were wanted and are not there.
  std::set<std::string> missing_parts() const;
  const std::string& complaint() const { return complaint_; }  // of a broken index; empty: none

 private:
  class Dwarf;
  class AllCallSites;
  const SymbolTable& table() const;
  Dwarf* dwarf();  // null: no debug information, or its reader crashed
  std::optional<std::vector<SourceLocation>> locate_in_index(uint64_t address);
  std::vector<SourceLocation> locate_whole(uint64_t address);

  FoundFiles files_;
  const PathRules& rules_;
  std::unique_ptr<index::ModuleIndex> index_;  // null: there is none, or it is broken
  std::string complaint_;
  std::optional<SymbolTable> executable_, debug_table_;  // debug_table_: where the executable was stripped of its own
  std::unique_ptr<DebugFile> debug_file_;
  std::unique_ptr<GoLineTable> go_lines_;  // of a Go program that was stripped
  bool debug_file_tried_ = false, dwarf_tried_ = false;
  std::unique_ptr<CallSites> calls_;
  std::unique_ptr<Dwarf> dwarf_;                   // made when first asked for
  std::optional<index::EmbeddedSources> sources_;  // likewise
};

}  // namespace mortem::inspector
