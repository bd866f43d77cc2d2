// The content of a file that lives in memory: tmpfs, memfd_create, shared memory. Pages come with the first write or
// the first look through a mapping; what has none reads as zeros.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernel/fs/inode.h"
#include "kernel/memory/page_tree.h"

namespace kernel::linux {

// How many pages all files of one file system may have together (Linux: tmpfs has half of the memory).
struct MemoryLimit {
  uint64_t used = 0, most = ~uint64_t{0};  // pages
};

class MemoryContent {
 public:
  // `owner`: whose mappings lose the pages that are cut off.
  MemoryContent(const Inode& owner, MemoryLimit& limit) : owner_(owner), limit_(limit) {}
  ~MemoryContent();

  uint64_t size() const { return size_; }    // bytes
  uint64_t pages() const { return pages_; }  // in memory
  const PageTree& tree() const { return tree_; }
  const MemoryLimit& limit() const { return limit_; }

  size_t read(uint64_t offset, std::span<uint8_t> to) const;
  Result<size_t> write(uint64_t offset, std::span<const uint8_t> from);  // NoSpace
  Result<void> resize(uint64_t size);
  Result<void> allocate(uint64_t offset, uint64_t length);  // NoSpace: then nothing has changed
  void punch_hole(uint64_t offset, uint64_t length);        // reads as zeros; the size stays

  // As Inode's.
  Result<PhysicalAddress> shared_page(uint64_t index);
  PhysicalAddress cached_page(uint64_t index) const;

  // From `offset` (in the file) on: where the next data, or the next hole, begins; at the latest the end of the file.
  uint64_t next_data(uint64_t offset) const;
  uint64_t next_hole(uint64_t offset) const;

 private:
  Result<PhysicalAddress> page(uint64_t index);  // of index, made if it is not there
  void take_out(uint64_t first, uint64_t last);
  void clear(uint64_t offset, uint64_t length);  // within one page

  const Inode& owner_;
  MemoryLimit& limit_;
  PageTree tree_;
  uint64_t size_ = 0, pages_ = 0;
};

}  // namespace kernel::linux
