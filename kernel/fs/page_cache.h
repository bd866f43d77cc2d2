// Pages of files in memory: what is read again and again, what was written and is not on the disk yet, what is mapped.
// Finding and marking only; who reads and writes the disk is the file system.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernel/library/result.h"
#include "kernel/memory/physical.h"
#include "kernel/memory/pressure.h"

namespace kernel {

class CachedFile;

struct CachedPage {
  CachedFile* file;
  uint64_t index;  // of the page in the file
  PhysicalAddress physical;
  bool dirty;      // the disk has something older
  bool in_flight;  // is being written to the disk
  bool detached;   // cut off while in flight: belongs to no file any more
  uint8_t holds;   // of those who work with it and may allocate meanwhile (PageHold)
  CachedPage* next_in_bucket;
  CachedPage *older, *newer;    // of all pages
  CachedPage *next, *previous;  // of the file: the dirty ones first
  uint8_t* bytes() const { return direct_map<uint8_t>(physical); }
};

// The page is not given back meanwhile. (It may be dropped only when the hold has ended.)
class PageHold {
 public:
  explicit PageHold(CachedPage& page) : page_(page) { ++page_.holds; }
  ~PageHold() { --page_.holds; }
  PageHold(const PageHold&) = delete;
  PageHold& operator=(const PageHold&) = delete;

 private:
  CachedPage& page_;
};

// What the cache knows of a file; part of its inode.
class CachedFile {
 public:
  bool has_pages() const { return first_ != nullptr; }
  bool has_pages_to_write() const { return first_ != nullptr && first_->dirty; }

 private:
  friend class PageCache;
  CachedPage *first_ = nullptr, *last_ = nullptr;
};

class PageCache {
 public:
  explicit PageCache(size_t page_limit);
  ~PageCache();
  PageCache(const PageCache&) = delete;
  PageCache& operator=(const PageCache&) = delete;

  CachedPage* find(const CachedFile& file, uint64_t index);
  // A page of zeros, clean; the file has none there. NoMemory: none free, and none to be had back.
  Result<CachedPage*> add(CachedFile& file, uint64_t index);
  void mark_dirty(CachedPage& page);
  void drop(CachedPage& page);
  void drop_from(CachedFile& file, uint64_t index);  // this page and all behind it

  // Up to `to.size()` pages that have to be written, in the order of their indices: they are clean and in flight then.
  size_t take_for_writing(CachedFile& file, std::span<CachedPage*> to);
  void written(CachedPage& page);  // no longer in flight

  // Pages whose owner is Lost (snapshot/format/guest_description.h): the next reader has them from the disk.
  size_t forget_lost();
  size_t reclaim(size_t wanted);  // see kernel/memory/reclaim.h
  // The same of pages that are mapped. `unmap` takes a page out of all mappings, unless the program used it through one
  // since it was asked last (false). Any: of those, too, the oldest go when there are too few others; else only so many
  // are looked at as may be worth it.
  using Unmap = bool (*)(const CachedFile& file, uint64_t index);
  size_t reclaim_mapped(size_t wanted, MemoryRelief::Take take, Unmap unmap);
  size_t page_count() const { return page_count_; }
  size_t dirty_count() const { return dirty_count_; }
  bool has_too_many_dirty() const { return dirty_count_ > page_limit_ / 2; }

 private:
  size_t bucket_of(const CachedFile& file, uint64_t index) const;
  void link(CachedPage& page);    // into its file's list
  void unlink(CachedPage& page);  // out of it
  void relink(CachedPage& page);
  void touch(CachedPage& page);
  void forget(CachedPage& page);  // out of bucket, age list and file
  void free(CachedPage& page);
  static bool is_spare(const CachedPage& page) { return !page.dirty && !page.in_flight && page.holds == 0; }

  size_t page_limit_, page_count_ = 0, dirty_count_ = 0;
  CachedPage** buckets_ = nullptr;
  size_t bucket_count_ = 0;
  CachedPage *oldest_ = nullptr, *newest_ = nullptr;
  bool changing_ = false;  // the lists are not whole: an allocation in an interrupt must not take pages
};

}  // namespace kernel
