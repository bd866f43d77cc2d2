// The content of files: from the disk, through the page cache, and into it.
#include "kernel/fs/ext2.h"
#include "kernel/library/log.h"
#include "kernel/task/file_mappings.h"
#include "kernel/task/wait.h"

namespace kernel::ext2 {
namespace {

// st_blocks counts sectors of 512 bytes in 32 bits: so many blocks of 4096, less those of pointers.
constexpr uint64_t kLargestFile = ((uint64_t{1} << 32) / 8 - 1 - 525'826) * kPageSize;
constexpr uint64_t kLargestSmallFile = 0x7FFF'FFFF;  // above it the superblock says that there are large files
constexpr uint64_t kMostPagesOfARun = 512;
constexpr uint64_t kPagesAround = 16;  // are read with a page that is wanted

// Caching is not worth the program's last pages.
bool has_memory_to_cache() {
  return free_page_count() > ram_page_count() / 16;
}

}  // namespace

Result<size_t> Ext2Inode::read_data(uint64_t offset, std::span<uint8_t> to) {
  if (offset >= size()) return size_t{0};
  if (to.size() > size() - offset) to = to.first(size() - offset);
  const uint32_t block_size = volume_.block_size();
  size_t done = 0;
  // One read of the disk for as many blocks as stand side by side, also across tables of pointers.
  uint64_t start = 0, length = 0;
  const auto read_collected = [&]() -> Result<void> {
    if (length > 0) TRY(volume_.cache().read(start, to.subspan(done, length)));
    done += length;
    length = 0;
    return {};
  };
  while (done + length < to.size()) {
    const uint64_t at = offset + done + length;
    const size_t left = to.size() - done - length;
    const uint32_t in_block = at % block_size;
    const uint64_t blocks = (in_block + uint64_t{left} + block_size - 1) / block_size;
    const Run run = TRY(map(at / block_size, blocks < ~0u ? static_cast<uint32_t>(blocks) : ~0u));
    const uint64_t bytes = uint64_t{run.count} * block_size - in_block;
    const size_t part = bytes < left ? bytes : left;
    if (run.block == 0) {
      TRY(read_collected());
      __builtin_memset(to.data() + done, 0, part);
      done += part;
      continue;
    }
    const uint64_t place = uint64_t{run.block} * block_size + in_block;
    if (length == 0 || start + length != place) {
      TRY(read_collected());
      start = place;
    }
    length += part;
  }
  TRY(read_collected());
  return done;
}

Result<size_t> Ext2Inode::read(uint64_t offset, std::span<uint8_t> to) {
  if (is_directory()) return Error::IsDirectory;
  if (!is_regular()) return Error::Invalid;
  return read_cached(offset, to);
}

Result<size_t> Ext2Inode::read_cached(uint64_t offset, std::span<uint8_t> to) {
  if (volume_.block_size() != kPageSize) return read_data(offset, to);
  if (offset >= size()) return size_t{0};
  if (to.size() > size() - offset) to = to.first(size() - offset);
  PageCache& pages = volume_.pages();
  size_t done = 0;
  while (done < to.size()) {
    const uint64_t at = offset + done, index = at / kPageSize;
    const size_t in_page = at % kPageSize, left = to.size() - done;
    size_t part = kPageSize - in_page < left ? kPageSize - in_page : left;
    CachedPage* page = pages.find(*this, index);
    const bool is_whole = in_page == 0 && (part == kPageSize || at + part == size());
    if (page == nullptr && left < kPagesAround * kPageSize) {
      load_around(index);
      page = pages.find(*this, index);
    }
    if (page == nullptr && !is_whole && has_memory_to_cache()) {
      auto loaded = load_page(index);
      if (loaded)
        page = loaded.value();
      else if (loaded.error() != Error::NoMemory)
        return done > 0 ? Result<size_t>(done) : loaded.error();
    }
    if (page != nullptr) {
      __builtin_memcpy(to.data() + done, page->bytes() + in_page, part);
      done += part;
      continue;
    }
    // Up to the next page that is in memory, in one go.
    for (uint64_t count = 1; part < left && count < kMostPagesOfARun && pages.find(*this, index + count) == nullptr;
         ++count)
      part = left - part < kPageSize ? left : part + kPageSize;
    const size_t count = TRY(read_data(at, to.subspan(done, part)));
    if (count != part) return damaged("content cut short");
    for (size_t behind = in_page == 0 ? 0 : kPageSize - in_page; behind < part; behind += kPageSize) {
      const size_t length = part - behind < kPageSize ? part - behind : kPageSize;
      if ((length < kPageSize && at + part < size()) || !has_memory_to_cache()) break;
      auto added = pages.add(*this, (at + behind) / kPageSize);
      if (added.is_error()) break;
      __builtin_memcpy(added.value()->bytes(), to.data() + done + behind, length);
    }
    done += part;
  }
  return done;
}

// The content of a page, zeros in holes and behind the end.
Result<void> Ext2Inode::read_page(uint64_t index, uint8_t* to) {
  const Run run = TRY(map(index, 1));
  if (run.block == 0) return {};
  TRY(volume_.cache().read(uint64_t{run.block} * kPageSize, {to, kPageSize}));
  const uint64_t start = index * kPageSize;
  if (start < size() && size() - start < kPageSize)
    __builtin_memset(to + (size() - start), 0, start + kPageSize - size());
  return {};
}

Result<CachedPage*> Ext2Inode::load_page(uint64_t index) {
  if (CachedPage* page = volume_.pages().find(*this, index)) return page;
  CachedPage* page = TRY(volume_.pages().add(*this, index));
  const auto loaded = [&] {
    const PageHold hold(*page);
    return read_page(index, page->bytes());
  }();
  if (loaded.is_error()) {
    volume_.pages().drop(*page);
    return loaded.error();
  }
  return page;
}

void Ext2Inode::wait_while_resizing() {
  while (resizing_) (void)wait_on(resized_, [this] { return !resizing_; });
}

// What stands behind the old end in the last page (a mapping may have written there) must not become content.
void Ext2Inode::zero_behind_end() {
  const size_t in_page = size() % kPageSize;
  if (in_page == 0) return;
  if (CachedPage* page = volume_.pages().find(*this, size() / kPageSize))
    __builtin_memset(page->bytes() + in_page, 0, kPageSize - in_page);
}

Result<void> Ext2Inode::grow_to(uint64_t new_size) {
  zero_behind_end();
  set_size(new_size);
  if (new_size <= kLargestSmallFile || volume_.has_large_files_) return {};
  TRY(volume_.modify_superblock())->feature_read_only |= kLargeFile;
  volume_.has_large_files_ = true;
  return {};
}

// The page's block, given out if there is none. The page is dirty then, and stays in memory meanwhile.
Result<void> Ext2Inode::allocate_for(CachedPage& page) {
  const PageHold hold(page);
  const Run run = TRY(map(page.index, 1));
  volume_.pages().mark_dirty(page);
  volume_.note_dirty(*this);
  if (run.block != 0) return {};
  auto block = map_or_allocate(page.index);
  ordered_ = true;
  TRY(store_sized());
  TRY(block);
  return {};
}

// One page's part of a write.
Result<void> Ext2Inode::write_page_part(uint64_t offset, std::span<const uint8_t> from) {
  do {
    wait_while_resizing();
    TRY(volume_.begin(kAppendBlocks));
  } while (resizing_);
  const uint64_t index = offset / kPageSize, end = offset + from.size();
  const size_t in_page = offset % kPageSize;
  const bool was_cached = volume_.pages().find(*this, index) != nullptr;
  const bool is_whole = in_page == 0 && (from.size() == kPageSize || end >= size());
  CachedPage* page = is_whole && !was_cached ? TRY(volume_.pages().add(*this, index)) : TRY(load_page(index));
  if (auto allocated = allocate_for(*page); allocated.is_error()) {
    if (!was_cached) volume_.pages().drop(*page);
    return allocated.error();
  }
  const bool grows = end > size();
  if (grows) TRY(grow_to(end));
  __builtin_memcpy(page->bytes() + in_page, from.data(), from.size());
  touch(Change::Both);
  return grows ? store_sized() : store();
}

Result<size_t> Ext2Inode::write(uint64_t offset, std::span<const uint8_t> from) {
  if (is_directory()) return Error::IsDirectory;
  if (!is_regular()) return Error::Invalid;
  if (!volume_.is_writable()) return Error::ReadOnly;
  if (from.empty()) return size_t{0};
  if (offset >= kLargestFile) return Error::FileTooLarge;
  if (from.size() > kLargestFile - offset) from = from.first(kLargestFile - offset);
  // Who writes faster than the disk waits here.
  if (volume_.is_slow_to_write()) TRY(volume_.sync(nullptr, SyncKind::Content));
  size_t done = 0;
  while (done < from.size()) {
    const size_t room = kPageSize - (offset + done) % kPageSize, left = from.size() - done;
    const size_t part = room < left ? room : left;
    auto written = write_page_part(offset + done, from.subspan(done, part));
    if (written.is_error() && written.error() == Error::NoSpace && volume_.wait_for_freed_blocks())
      written = write_page_part(offset + done, from.subspan(done, part));
    if (written.is_error()) return done > 0 ? Result<size_t>(done) : written.error();
    done += part;
  }
  return done;
}

Result<void> Ext2Inode::resize(uint64_t new_size) {
  if (is_directory()) return Error::IsDirectory;
  if (!is_regular()) return Error::Invalid;
  if (new_size > kLargestFile) return Error::FileTooLarge;
  do {
    wait_while_resizing();
    TRY(volume_.begin(kAppendBlocks + kFreeStepBlocks));
  } while (resizing_);
  if (new_size > size()) {
    TRY(grow_to(new_size));
    touch(Change::Both);
    return store_sized();
  }
  const uint64_t keep = page_up(new_size) / kPageSize;
  if (new_size % kPageSize != 0 && TRY(map(new_size / kPageSize, 1)).block != 0) {
    CachedPage* page = TRY(load_page(new_size / kPageSize));
    __builtin_memset(page->bytes() + new_size % kPageSize, 0, kPageSize - new_size % kPageSize);
    volume_.pages().mark_dirty(*page);
    volume_.note_dirty(*this);
  }
  const bool was_orphan = is_orphan_ && links() == 0;
  set_size(new_size);
  touch(Change::Both);
  TRY(volume_.add_orphan(*this));
  TRY(store_sized());
  unmap_file_pages(*this, keep, ~uint64_t{0}, PrivateCopies::Go);
  volume_.pages().drop_from(*this, keep);
  resizing_ = true;
  auto freed = free_blocks_from(keep, Room::Wait);
  resizing_ = false;
  resized_.notify_all();
  TRY(freed);
  if (was_orphan) return {};
  TRY(volume_.begin(kFreeStepBlocks));
  // (It may have lost its last name meanwhile: then it stays in the list.)
  return links() == 0 ? Result<void>() : volume_.remove_orphan(*this);
}

Result<PhysicalAddress> Ext2Inode::shared_page(uint64_t index, PageUse use) {
  if (volume_.block_size() != kPageSize || !is_regular()) return Error::NotSupported;
  if (index >= page_up(size()) / kPageSize) return Error::Invalid;
  if (use == PageUse::Write) {
    do {
      wait_while_resizing();
      TRY(volume_.begin(kAppendBlocks));
    } while (resizing_);
    if (index >= page_up(size()) / kPageSize) return Error::Invalid;
  } else if (volume_.pages().find(*this, index) == nullptr) {
    load_around(index);
  }
  CachedPage* page = TRY(load_page(index));
  if (use == PageUse::Write) {
    TRY(allocate_for(*page));
    touch(Change::Both);
    TRY(store());
  }
  TRY(retain_page(page->physical));
  return page->physical;
}

// The neighbours of a page are wanted next, mostly. What cannot be read is left to who wants it.
void Ext2Inode::load_around(uint64_t index) {
  const uint64_t first = index / kPagesAround * kPagesAround, pages = page_up(size()) / kPageSize;
  const uint64_t end = first + kPagesAround < pages ? first + kPagesAround : pages;
  for (uint64_t at = first; at < end && has_memory_to_cache();) {
    if (volume_.pages().find(*this, at) != nullptr) {
      ++at;
      continue;
    }
    auto run = map(at, static_cast<uint32_t>(end - at));
    if (run.is_error()) return;
    if (run.value().block == 0) {
      at += run.value().count;
      continue;
    }
    const size_t loaded = load_run(at, run.value());
    if (loaded == 0) return;
    at += loaded;
  }
}

// Reads the run's pages from `index` on straight into the page cache, up to one that is there; returns how many.
size_t Ext2Inode::load_run(uint64_t index, Run run) {
  CachedPage* loaded[kPagesAround];
  uint8_t* bytes[kPagesAround];
  size_t count = 0;
  while (count < run.count && count < kPagesAround && volume_.pages().find(*this, index + count) == nullptr) {
    auto added = volume_.pages().add(*this, index + count);
    if (added.is_error()) break;
    ++added.value()->holds;  // the next allocation may look for memory
    loaded[count] = added.value();
    bytes[count++] = added.value()->bytes();
  }
  const auto read = volume_.cache().read_pages(uint64_t{run.block} * kPageSize, {bytes, count});
  for (size_t at = 0; at < count; ++at) {
    --loaded[at]->holds;
    if (read.is_error()) volume_.pages().drop(*loaded[at]);
  }
  if (read.is_error()) return 0;
  if (count > 0 && (index + count) * kPageSize > size()) zero_behind_end();
  return count;
}

PhysicalAddress Ext2Inode::cached_page(uint64_t index) {
  if (index >= page_up(size()) / kPageSize) return 0;
  CachedPage* page = volume_.pages().find(*this, index);
  if (page == nullptr || retain_page(page->physical).is_error()) return 0;
  return page->physical;
}

uint64_t Ext2Inode::next_data(uint64_t offset, uint64_t end) {
  return next_of(offset, end, true);
}

uint64_t Ext2Inode::next_hole(uint64_t offset, uint64_t end) {
  return next_of(offset, end, false);
}

uint64_t Ext2Inode::next_of(uint64_t offset, uint64_t end, bool data) {
  const uint32_t block_size = volume_.block_size();
  while (offset < end) {
    auto run = map(offset / block_size, ~0u);
    if (run.is_error()) return data ? offset : end;
    if ((run.value().block != 0) == data) return offset;
    offset = (offset / block_size + run.value().count) * block_size;
  }
  return end;
}

}  // namespace kernel::ext2
