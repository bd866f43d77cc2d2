// An index file, mapped. Its blocks are checked against their checksums when they are first touched: a broken one makes
// the whole index say so, and whoever asked takes the debug information itself.
#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "inspector/symbols/index/index_format.h"
#include "snapshot/result.h"

namespace mortem::inspector::index {

class IndexFile {
 public:
  static Result<std::unique_ptr<IndexFile>> open(const std::filesystem::path& path);
  ~IndexFile();
  IndexFile(const IndexFile&) = delete;
  IndexFile& operator=(const IndexFile&) = delete;

  const IndexHeader& header() const { return *header_; }
  bool broken() const { return broken_; }

  template <typename T>
  uint64_t count(IndexSection section) const {
    return header_->sections[static_cast<uint32_t>(section)].size / sizeof(T);
  }
  // An element; null: there is none, or its block is broken.
  template <typename T>
  const T* at(IndexSection section, uint64_t index) {
    const auto& place = header_->sections[static_cast<uint32_t>(section)];
    if (index >= place.size / sizeof(T)) return nullptr;
    const uint64_t offset = place.offset + index * sizeof(T);
    return touch(offset, sizeof(T)) ? reinterpret_cast<const T*>(bytes_ + offset) : nullptr;
  }
  // Bytes of a section; empty: they are not there, or broken.
  std::span<const uint8_t> bytes(IndexSection section, uint64_t offset, uint64_t size) {
    const auto& place = header_->sections[static_cast<uint32_t>(section)];
    if (size == 0 || offset > place.size || size > place.size - offset || !touch(place.offset + offset, size))
      return {};
    return {bytes_ + place.offset + offset, static_cast<size_t>(size)};
  }
  std::string_view text(uint32_t offset);  // data() is null: none

 private:
  IndexFile() = default;
  bool touch(uint64_t offset, uint64_t size) {
    const uint64_t first = (offset - first_block_) / kBlock, last = (offset - first_block_ + size - 1) / kBlock;
    for (uint64_t block = first; block <= last; ++block)
      if (!good_[block] && !check(block)) return false;
    return true;
  }
  bool check(uint64_t block);

  const uint8_t* bytes_ = nullptr;
  uint64_t size_ = 0, first_block_ = 0;
  const IndexHeader* header_ = nullptr;
  const uint64_t* checksums_ = nullptr;
  std::vector<uint8_t> good_;  // a block: 1 after it was checked
  bool broken_ = false;
};

uint64_t index_checksum(const uint8_t* bytes, uint64_t size);

}  // namespace mortem::inspector::index
