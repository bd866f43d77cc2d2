// The guest's memory at several moments, in a file: pages that are the same at two moments that follow each other are
// kept once.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <vector>

#include "snapshot/result.h"
#include "tools/files.h"
#include "tools/replay/guest_ram.h"

namespace mortem::tools {

// Those pages that are not all zeros, by their numbers.
struct KeptPage {
  uint32_t number = 0, slot = 0;  // of the page in the guest's memory, and of its place in the file
  uint64_t hash = 0;              // XXH64
};
using KeptPages = std::vector<KeptPage>;

class PageStore {
 public:
  static Result<PageStore> create(const std::filesystem::path& path);

  // What `before` has and is still the same is not written again.
  Result<KeptPages> keep(GuestRam& ram, const KeptPages& before);
  // An error: the file is not what was written there; the memory is neither the one nor the other then.
  Result<void> restore(GuestRam& ram, const KeptPages& pages) const;
  void drop(const KeptPages& pages);
  uint64_t bytes() const { return (users_.size() - free_.size()) * GuestRam::kPage; }

 private:
  PageStore(Descriptor file, std::filesystem::path path) : file_(std::move(file)), path_(std::move(path)) {}
  Result<uint32_t> write(std::span<const uint8_t> page);

  Descriptor file_;
  std::filesystem::path path_;
  std::vector<uint32_t> users_;  // of each slot: how many moments
  std::vector<uint32_t> free_;
};

}  // namespace mortem::tools
