#include "inspector/symbols/module_symbols.h"

#include "inspector/symbols/demangle.h"
#include "inspector/symbols/dwarf_call_sites.h"
#include "inspector/symbols/suspect.h"

namespace mortem::inspector {
namespace {

// The name in the debug information first, as debuggers show it: the symbol table knows clones (`f.constprop.0`). But
// what stands in an anonymous namespace has its bare name there, and its scope in the symbol table.
std::string function_name(std::string_view in_debug_information, const Symbol* symbol) {
  if (!symbol) return std::string(in_debug_information);
  if (in_debug_information.empty()) return std::string(symbol->name);
  if (symbol->name.starts_with("_Z") && !in_debug_information.starts_with("_Z"))
    return std::string(without_clone_suffix(symbol->name));
  return std::string(in_debug_information);
}

}  // namespace

// The module's debug information in the reader of our own.
class ModuleSymbols::Dwarf {
 public:
  Dwarf(const FoundFiles& files, const PathRules& rules, const SymbolTable& table)
      : alternate_(files.alternate ? std::make_unique<index::DwarfFile>(files.alternate) : nullptr),
        file_(files.debug, alternate_.get()),
        parts_(files.paths, rules),
        ranges_(file_),
        lookup_(file_),
        calls_(read_call_sites(file_, ranges_, table)) {
    file_.set_parts(&parts_);
  }
  const std::set<std::string>& missing_parts() const { return parts_.missing(); }
  index::DwarfLookup& lookup() { return lookup_; }
  CallSites& calls() { return *calls_; }
  index::DwarfFile& file() { return file_; }

 private:
  std::unique_ptr<index::DwarfFile> alternate_;
  index::DwarfFile file_;
  index::SplitParts parts_;
  index::UnitRanges ranges_;
  index::DwarfLookup lookup_;
  std::unique_ptr<CallSites> calls_;
};

// Whichever reader knows the function at an address: the index, or else what reads the debug information there.
class ModuleSymbols::AllCallSites final : public CallSites {
 public:
  explicit AllCallSites(ModuleSymbols& module) : module_(module) {}
  const CallSite* returning_to(uint64_t return_address) override {
    return ask([&](CallSites& calls) { return calls.returning_to(return_address); });
  }
  std::optional<uint64_t> function_start(uint64_t address) override {
    return ask([&](CallSites& calls) { return calls.function_start(address); });
  }
  const std::vector<CallSite>* tail_calls_of(uint64_t start) override {
    return ask([&](CallSites& calls) { return calls.tail_calls_of(start); });
  }

 private:
  template <typename Question>
  auto ask(Question question) -> decltype(question(std::declval<CallSites&>())) {
    if (const auto& index = module_.index_; index && !index->file()->broken()) {
      auto answer = question(index->calls());
      if (!index->file()->broken()) return answer;
    }
    Dwarf* own = module_.dwarf();
    return own ? question(own->calls()) : decltype(question(own->calls())){};
  }

  ModuleSymbols& module_;
};

ModuleSymbols::ModuleSymbols(const FoundFiles& files, const PathRules& rules, const index::IndexStore& indexes)
    : files_(files), rules_(rules) {
  const index::IndexedFiles indexed(files_);
  if (files_.executable) executable_.emplace(files_.executable, files_.small_symbols);
  if (indexed.symbols_are_in_debug_file()) debug_table_.emplace(files_.debug);
  if (files_.executable) index_ = index::ModuleIndex::open(indexed, indexes, &complaint_);
  if (files_.executable && (!files_.debug || !files_.executable->has_symbol_table()))
    go_lines_ = GoLineTable::create(*files_.executable);
}
ModuleSymbols::~ModuleSymbols() = default;

ModuleSymbols::Dwarf* ModuleSymbols::dwarf() {
  if (!dwarf_tried_ && files_.debug && !distrusted(Reader::Own, files_.debug->name())) {
    now_reading(Reader::Own, files_.debug->name());
    dwarf_ = std::make_unique<Dwarf>(files_, rules_, table());
  }
  dwarf_tried_ = true;
  return dwarf_.get();
}

const SymbolTable& ModuleSymbols::table() const {
  static const SymbolTable none;
  return debug_table_ ? *debug_table_ : executable_ ? *executable_ : none;
}

DebugFile* ModuleSymbols::debug_file() {
  if (!debug_file_tried_ && files_.debug)
    if (auto file = DebugFile::open(files_.debug, files_.paths.package.string(), files_.alternate))
      debug_file_ = std::move(*file);
  debug_file_tried_ = true;
  return debug_file_.get();
}

std::shared_ptr<index::UnitNames> ModuleSymbols::unit_names() {
  return dwarf() && !files_.alternate ? std::make_shared<index::UnitNames>(dwarf_->file()) : nullptr;
}

CallSites* ModuleSymbols::call_sites() {
  if (!files_.debug || (!index_ && !dwarf())) return nullptr;
  if (!calls_) calls_ = std::make_unique<AllCallSites>(*this);
  return calls_.get();
}

std::optional<uint64_t> ModuleSymbols::exported(const std::string& name) const {
  return executable_ ? executable_->exported(name) : std::nullopt;
}

std::optional<uint64_t> ModuleSymbols::find_symbol(const std::string& name) const {
  if (const auto address = table().address_of(name)) return address;
  return executable_ ? executable_->address_of(name) : std::nullopt;
}

std::optional<std::string_view> ModuleSymbols::embedded_source(const std::string& file) {
  if (!files_.debug || !index::may_embed_sources(*files_.debug) || !dwarf()) return std::nullopt;
  if (!sources_) sources_.emplace(dwarf_->file());
  return sources_->find(rules_.undo(file));
}

std::set<std::string> ModuleSymbols::missing_parts() const {
  return dwarf_ ? dwarf_->missing_parts() : std::set<std::string>();
}

std::vector<SourceLocation> ModuleSymbols::locate(uint64_t address) {
  auto locations = locate_in_index(address);
  if (!locations) locations = locate_whole(address);
  for (SourceLocation& one : *locations) one.file = rules_.apply(one.file);
  return std::move(*locations);
}

std::optional<std::vector<SourceLocation>> ModuleSymbols::locate_in_index(uint64_t address) {
  if (!index_ || (go_lines_ && !files_.debug)) return std::nullopt;
  if (auto locations = index_->locate(address)) return locations;
  complaint_ = index_->take_complaint();
  index_.reset();
  return std::nullopt;
}

std::vector<SourceLocation> ModuleSymbols::locate_whole(uint64_t address) {
  std::vector<index::LookedUpFrame> frames;
  if (dwarf()) dwarf_->lookup().locate(address, false, frames);
  std::vector<SourceLocation> locations;
  // Without DWARF it tells more than the symbol table; code of other languages is not in it.
  if (go_lines_ && frames.empty() && (!files_.debug || !table().covering(address))) {
    for (GoLineTable::Place& one : go_lines_->locate(address))
      locations.push_back({std::move(one.function), std::move(one.file), one.line, 0, true});
    if (!locations.empty()) {
      locations.back().inlined = false;
      return locations;
    }
  }
  if (frames.empty()) frames.emplace_back();
  for (const index::LookedUpFrame& one : frames) {
    SourceLocation& location = locations.emplace_back();
    location.inlined = &one != &frames.back();
    location.function =
        demangle(location.inlined ? std::string(one.function) : function_name(one.function, table().covering(address)));
    if (one.file) location.file = one.file->path;
    location.line = one.line;
    location.column = one.column;
  }
  return locations;
}

}  // namespace mortem::inspector
