// Where indexes are kept: one a build id, in the user's cache folder, bounded in total.
#pragma once

#include "inspector/symbols/index/index_file.h"
#include "inspector/symbols/index/indexed_files.h"

namespace mortem::inspector::index {

class IndexStore {
 public:
  explicit IndexStore(const SymbolOptions& options) : folder_(options.store), make_anew_(options.make_index_anew) {}

  // index/XX/REST of the executable's build id; empty: it has none, or there is no store.
  std::filesystem::path path_of(const ElfImage& executable) const;
  // The index of just these files; null: there is none. One that is broken goes; `complaint` says so then.
  std::unique_ptr<IndexFile> open(const IndexedFiles& files, std::string* complaint) const;
  // Removes an index that was found broken while it was read; what to tell the user.
  std::string discard(const IndexedFiles& files) const;
  // Removes those used longest ago until the rest fits; `spare` stays.
  void shrink(const std::filesystem::path& spare) const;

 private:
  std::string removed(const IndexedFiles& files, const std::filesystem::path& path, std::string_view what) const;

  std::filesystem::path folder_;  // the local store; empty: there is none
  decltype(SymbolOptions::make_index_anew) make_anew_;
};

}  // namespace mortem::inspector::index
