// The index of a module, with the answers of Symbolizer::locate.
#pragma once

#include "inspector/symbols/index/index_call_sites.h"
#include "inspector/symbols/index/index_lookup.h"
#include "inspector/symbols/index/index_store.h"
#include "inspector/symbols/symbolizer.h"

namespace mortem::inspector::index {

class ModuleIndex {
 public:
  // Null: there is none, or it is broken, which `complaint` says then.
  static std::unique_ptr<ModuleIndex> open(const IndexedFiles& files, const IndexStore& store, std::string* complaint);
  // As Symbolizer::locate. Nothing: the index was found broken, and is gone.
  std::optional<std::vector<SourceLocation>> locate(uint64_t address);
  const std::shared_ptr<IndexFile>& file() const { return file_; }
  CallSites& calls() { return calls_; }
  std::string take_complaint() { return std::exchange(complaint_, {}); }

 private:
  ModuleIndex(std::shared_ptr<IndexFile> file, const IndexedFiles& files, const IndexStore& store)
      : file_(std::move(file)), lookup_(*file_), calls_(*file_), files_(files), store_(store) {}

  std::shared_ptr<IndexFile> file_;
  IndexLookup lookup_;
  IndexCallSites calls_;
  const IndexedFiles files_;
  const IndexStore store_;
  std::string complaint_;
  std::vector<LookedUpFrame> frames_;
};

}  // namespace mortem::inspector::index
