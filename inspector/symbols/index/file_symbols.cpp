#include "inspector/symbols/index/file_symbols.h"

#include "inspector/symbols/index/dwarf_lookup.h"
#include "inspector/symbols/index/embedded_sources.h"
#include "inspector/symbols/index/index_lookup.h"
#include "inspector/symbols/index/index_store.h"
#include "inspector/symbols/index/split_parts.h"

namespace mortem::inspector::index {
namespace {

// The debug information, read when it is first needed.
struct Direct {
  Direct(const IndexedFiles& files, const PathRules& rules)
      : symbols(files.executable),
        alternate(files.alternate ? std::make_unique<DwarfFile>(files.alternate) : nullptr),
        dwarf(files.debug, alternate.get()),
        parts(files.paths, rules),
        lookup(dwarf),
        variables(dwarf, lookup) {
    dwarf.set_parts(&parts);
  }
  SymbolTable symbols;
  std::unique_ptr<DwarfFile> alternate;  // null: none
  DwarfFile dwarf;
  SplitParts parts;
  DwarfLookup lookup;
  VariableLookup variables;
};

class OpenedFile final : public FileSymbols {
 public:
  OpenedFile(IndexedFiles files, const SymbolOptions& options)
      : files_(std::move(files)),
        rules_(options.substitutions),
        store_(options),
        index_file_(store_.open(files_, &complaint_)) {
    if (index_file_) index_ = std::make_unique<IndexLookup>(*index_file_);
  }

  const std::vector<LookedUpFrame>& locate(uint64_t address, bool declarations) override {
    if (index_) index_->locate(address, declarations, frames_);
    if (!index_is_good()) direct().lookup.locate(address, declarations, frames_);
    return frames_;
  }
  // An index needs no order but that of the addresses.
  uint64_t locality(uint64_t address) override { return index_ ? 0 : direct().lookup.locality(address); }

  const Symbol* symbol_at(uint64_t address) override {
    if (index_) symbol_ = index_->symbol_at(address, IndexSection::Symbols);
    if (!index_is_good()) {
      const Symbol* found = direct().symbols.covering(address);
      symbol_ = found ? std::optional(*found) : std::nullopt;
    }
    return symbol_ ? &*symbol_ : nullptr;
  }

  std::vector<Symbol> symbols_named(std::string_view name) override {
    if (!symbols_) {
      symbols_ = std::make_unique<SymbolTable>(files_.executable);
      for (const Symbol* one : symbols_->by_address()) by_name_[one->name].push_back(one);
    }
    std::vector<Symbol> result;
    if (const auto found = by_name_.find(name); found != by_name_.end())
      for (const Symbol* one : found->second) result.push_back(*one);
    return result;
  }

  Declaration declaration_at(uint64_t address) override { return direct().variables.declaration(address); }
  std::vector<LocalVariable> locals_at(uint64_t address) override { return direct().variables.locals(address); }

  std::optional<std::string_view> embedded_source(const std::string& path) override {
    if (!files_.debug || !may_embed_sources(*files_.debug)) return std::nullopt;
    if (!sources_) sources_.emplace(direct().dwarf);
    return sources_->find(path);
  }

  std::string take_complaint() override {
    if (complaint_.empty() && direct_ && direct_->parts.missing().size() > told_missing_) {
      told_missing_ = direct_->parts.missing().size();
      complaint_ = missing_parts_text(files_.debug->name(), direct_->parts.missing(),
                                      "functions there are from the symbol table");
    }
    return std::exchange(complaint_, {});
  }

 private:
  // False: there is none, or it was found broken just now and is no longer used.
  bool index_is_good() {
    if (!index_) return false;
    if (!index_file_->broken()) return true;
    index_.reset();
    index_file_.reset();
    complaint_ = store_.discard(files_);
    return false;
  }
  Direct& direct() {
    if (!direct_) direct_ = std::make_unique<Direct>(files_, rules_);
    return *direct_;
  }

  IndexedFiles files_;
  const PathRules rules_;
  IndexStore store_;
  std::string complaint_;
  std::unique_ptr<IndexFile> index_file_;
  std::unique_ptr<IndexLookup> index_;
  std::unique_ptr<Direct> direct_;
  std::optional<EmbeddedSources> sources_;  // made when first asked for
  std::vector<LookedUpFrame> frames_;
  std::optional<Symbol> symbol_;
  std::unique_ptr<SymbolTable> symbols_;  // with by_name_; null: no name was asked for
  std::unordered_map<std::string_view, std::vector<const Symbol*>> by_name_;
  size_t told_missing_ = 0;  // .dwo files
};

}  // namespace

Result<std::unique_ptr<FileSymbols>> FileSymbols::open(const std::filesystem::path& path,
                                                       const SymbolOptions& options) {
  return std::make_unique<OpenedFile>(TRY(IndexedFiles::find(path, options)), options);
}

Result<std::unique_ptr<FileSymbols>> FileSymbols::open_build_id(const std::vector<uint8_t>& id,
                                                                const SymbolOptions& options) {
  return std::make_unique<OpenedFile>(TRY(IndexedFiles::find(id, options)), options);
}

}  // namespace mortem::inspector::index
