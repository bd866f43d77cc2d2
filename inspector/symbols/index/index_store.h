// Where indexes are kept: one a build id, in the user's cache folder, bounded in total.
#pragma once

#include "inspector/symbols/index/index_file.h"
#include "inspector/symbols/index/indexed_files.h"

namespace mortem::inspector::index {

// Removes an index that was found broken while it was read; what to tell the user.
std::string discard_broken(const std::filesystem::path& path);

class IndexStore {
 public:
  explicit IndexStore(std::filesystem::path folder) : folder_(std::move(folder)) {}  // of the local store; empty: none

  // index/XX/REST of the executable's build id; empty: it has none, or there is no store.
  std::filesystem::path path_of(const ElfImage& executable) const;
  // The index of just these files; null: there is none. One that is broken goes; `complaint` says so then.
  std::unique_ptr<IndexFile> open(const IndexedFiles& files, std::string* complaint) const;
  // Removes those used longest ago until the rest fits; `spare` stays.
  void shrink(const std::filesystem::path& spare) const;

 private:
  std::filesystem::path folder_;
};

}  // namespace mortem::inspector::index
