// Puts an index file together and writes it.
#pragma once

#include <array>
#include <cstring>
#include <filesystem>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "inspector/symbols/index/index_format.h"
#include "inspector/symbols/index/indexed_files.h"
#include "snapshot/result.h"

namespace mortem::inspector::index {

class IndexWriter {
 public:
  // Its place among the strings; `text` must live until write().
  uint32_t text(std::string_view text);
  template <typename T>
  void section(IndexSection which, const std::vector<T>& elements) {
    auto& to = sections_[static_cast<uint32_t>(which)];
    to.resize(elements.size() * sizeof(T));
    if (!elements.empty()) std::memcpy(to.data(), elements.data(), to.size());
  }
  Result<void> write(const std::filesystem::path& to, const IndexedFiles& files);

 private:
  std::array<std::vector<uint8_t>, static_cast<uint32_t>(IndexSection::Count)> sections_;
  std::unordered_map<std::string_view, uint32_t> texts_;
};

}  // namespace mortem::inspector::index
