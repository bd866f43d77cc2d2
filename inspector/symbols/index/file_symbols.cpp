#include "inspector/symbols/index/file_symbols.h"

#include <unordered_map>

#include "inspector/symbols/index/dwarf_lookup.h"

namespace mortem::inspector::index {
namespace {

class OpenedFile final : public FileSymbols {
 public:
  OpenedFile(std::shared_ptr<const ElfImage> executable, std::shared_ptr<const ElfImage> debug)
      : symbols_(executable), dwarf_(debug ? debug : executable), lookup_(dwarf_) {}

  const std::vector<LookedUpFrame>& locate(uint64_t address) override {
    lookup_.locate(address, frames_);
    return frames_;
  }
  const Symbol* symbol_at(uint64_t address) override { return symbols_.find(address); }
  const std::vector<const Symbol*>& symbols_named(std::string_view name) override {
    if (by_name_.empty())
      for (const Symbol& one : symbols_.all()) by_name_[one.name].push_back(&one);
    return by_name_[name];
  }

 private:
  SymbolList symbols_;
  DwarfFile dwarf_;
  DwarfLookup lookup_;
  std::vector<LookedUpFrame> frames_;
  std::unordered_map<std::string_view, std::vector<const Symbol*>> by_name_;
};

}  // namespace

Result<std::unique_ptr<FileSymbols>> FileSymbols::open(const std::filesystem::path& path,
                                                       const SymbolOptions& options) {
  auto executable = TRY(ElfImage::map_file(path));
  std::shared_ptr<const ElfImage> debug = executable;
  if (!executable->has_debug_information()) {
    snapshot::CoreModule module;
    std::error_code ignored;
    module.path = std::filesystem::absolute(path, ignored).string();
    module.id = executable->build_id();
    module.id_kind = module.id.empty() ? format::ModuleIdKind::None : format::ModuleIdKind::GnuBuildId;
    if (auto found = SymbolFileFinder(options).find(module); found.debug) debug = found.debug;
  }
  return std::make_unique<OpenedFile>(std::move(executable), std::move(debug));
}

}  // namespace mortem::inspector::index
