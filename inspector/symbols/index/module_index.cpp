#include "inspector/symbols/index/module_index.h"

#include "inspector/symbols/demangle.h"

namespace mortem::inspector::index {

std::unique_ptr<ModuleIndex> ModuleIndex::open(const IndexedFiles& files, const IndexStore& store,
                                               std::string* complaint) {
  auto file = store.open(files, complaint);
  if (!file) return nullptr;
  return std::unique_ptr<ModuleIndex>(new ModuleIndex(std::move(file), files, store));
}

std::optional<std::vector<SourceLocation>> ModuleIndex::locate(uint64_t address) {
  lookup_.locate(address, false, frames_);
  if (frames_.empty()) frames_.emplace_back();
  // The debug file's symbols where the executable was stripped of its own.
  const bool in_debug = file_->count<IndexSymbol>(IndexSection::DebugSymbols) > 0;
  const auto symbol = lookup_.symbol_at(address, in_debug ? IndexSection::DebugSymbols : IndexSection::Symbols);
  // The name in the debug information first; an anonymous namespace's members have their scope in the table only.
  std::string_view& outermost = frames_.back().function;
  if (symbol) {
    if (!outermost.data())
      outermost = symbol->name;
    else if (symbol->name.starts_with("_Z") && !outermost.starts_with("_Z"))
      outermost = without_clone_suffix(symbol->name);
  }
  std::vector<SourceLocation> locations;
  for (const LookedUpFrame& frame : frames_) {
    SourceLocation& location = locations.emplace_back();
    if (frame.function.data()) location.function = demangle(frame.function);
    if (frame.file) location.file = frame.file->path;
    location.line = frame.line;
    location.column = frame.column;
    location.inlined = &frame != &frames_.back();
  }
  if (!file_->broken()) return locations;
  complaint_ = store_.discard(files_);
  return std::nullopt;
}

}  // namespace mortem::inspector::index
