#include "kernel/fs/page_cache.h"

#include <algorithm>

#include "kernel/memory/heap.h"

namespace kernel {
namespace {

class Changing {
 public:
  explicit Changing(bool& flag) : flag_(flag), before_(flag) { flag_ = true; }
  ~Changing() { flag_ = before_; }

 private:
  bool& flag_;
  bool before_;
};

}  // namespace

PageCache::PageCache(size_t page_limit) : page_limit_(page_limit) {
  bucket_count_ = 64;
  while (bucket_count_ < page_limit / 2) bucket_count_ *= 2;
}

PageCache::~PageCache() {
  while (oldest_ != nullptr) {
    CachedPage& page = *oldest_;
    forget(page);
    free(page);
  }
  heap_free(buckets_);
}

size_t PageCache::bucket_of(const CachedFile& file, uint64_t index) const {
  const uint64_t mixed = (reinterpret_cast<uint64_t>(&file) >> 4) * 0x9E37'79B9'7F4A'7C15 + index;
  return (mixed ^ mixed >> 29) & (bucket_count_ - 1);
}

CachedPage* PageCache::find(const CachedFile& file, uint64_t index) {
  if (!file.has_pages()) return nullptr;
  for (CachedPage* page = buckets_[bucket_of(file, index)]; page != nullptr; page = page->next_in_bucket)
    if (page->file == &file && page->index == index) {
      const Changing changing(changing_);
      touch(*page);
      return page;
    }
  return nullptr;
}

void PageCache::touch(CachedPage& page) {
  if (newest_ == &page) return;
  if (page.older != nullptr || oldest_ == &page) {  // it is in the list
    (page.older != nullptr ? page.older->newer : oldest_) = page.newer;
    page.newer->older = page.older;
  }
  page.older = newest_;
  page.newer = nullptr;
  (newest_ != nullptr ? newest_->newer : oldest_) = &page;
  newest_ = &page;
}

void PageCache::link(CachedPage& page) {
  CachedFile& file = *page.file;
  if (page.dirty) {
    page.previous = nullptr;
    page.next = file.first_;
    (file.first_ != nullptr ? file.first_->previous : file.last_) = &page;
    file.first_ = &page;
  } else {
    page.next = nullptr;
    page.previous = file.last_;
    (file.last_ != nullptr ? file.last_->next : file.first_) = &page;
    file.last_ = &page;
  }
}

void PageCache::unlink(CachedPage& page) {
  (page.previous != nullptr ? page.previous->next : page.file->first_) = page.next;
  (page.next != nullptr ? page.next->previous : page.file->last_) = page.previous;
}

void PageCache::relink(CachedPage& page) {
  unlink(page);
  link(page);
}

Result<CachedPage*> PageCache::add(CachedFile& file, uint64_t index) {
  if (buckets_ == nullptr) {
    buckets_ = static_cast<CachedPage**>(heap_allocate(bucket_count_ * sizeof(CachedPage*)));
    if (buckets_ == nullptr) return Error::NoMemory;
  }
  if (page_count_ >= page_limit_) reclaim(page_limit_ / 64 + 1);
  CachedPage* page = TRY(make<CachedPage>());
  auto physical = allocate_page(PageOwner::PageCache);
  if (physical.is_error()) {
    destroy(page);
    return physical.error();
  }
  const Changing changing(changing_);
  *page = {};
  page->file = &file;
  page->index = index;
  page->physical = physical.value();
  CachedPage*& bucket = buckets_[bucket_of(file, index)];
  page->next_in_bucket = bucket;
  bucket = page;
  touch(*page);
  link(*page);
  ++page_count_;
  return page;
}

void PageCache::mark_dirty(CachedPage& page) {
  if (page.dirty) return;
  const Changing changing(changing_);
  page.dirty = true;
  set_page_owner(page.physical, PageOwner::DiskState);
  ++dirty_count_;
  relink(page);
}

void PageCache::forget(CachedPage& page) {
  CachedPage** link = &buckets_[bucket_of(*page.file, page.index)];
  while (*link != &page) link = &(*link)->next_in_bucket;
  *link = page.next_in_bucket;
  (page.older != nullptr ? page.older->newer : oldest_) = page.newer;
  (page.newer != nullptr ? page.newer->older : newest_) = page.older;
  unlink(page);
  if (page.dirty) --dirty_count_;
  --page_count_;
}

void PageCache::free(CachedPage& page) {
  free_pages(page.physical, 1);
  destroy(&page);
}

void PageCache::drop(CachedPage& page) {
  const Changing changing(changing_);
  forget(page);
  if (page.in_flight) {
    page.detached = true;
    return;
  }
  free(page);
}

void PageCache::drop_from(CachedFile& file, uint64_t index) {
  for (CachedPage *page = file.first_, *next; page != nullptr; page = next) {
    next = page->next;
    if (page->index >= index) drop(*page);
  }
}

size_t PageCache::take_for_writing(CachedFile& file, std::span<CachedPage*> to) {
  const Changing changing(changing_);
  size_t count = 0;
  for (CachedPage *page = file.first_, *next; page != nullptr && count < to.size(); page = next) {
    next = page->next;
    if (!page->dirty) break;
    if (page->in_flight) continue;
    --dirty_count_;
    page->dirty = false;
    relink(*page);
    page->in_flight = true;
    to[count++] = page;
  }
  std::sort(to.begin(), to.begin() + count,
            [](const CachedPage* a, const CachedPage* b) { return a->index < b->index; });
  return count;
}

void PageCache::written(CachedPage& page) {
  page.in_flight = false;
  if (!page.dirty) set_page_owner(page.physical, PageOwner::PageCache);
  if (page.detached) free(page);
}

size_t PageCache::forget_lost() {
  const Changing changing(changing_);
  size_t forgotten = 0;
  for (CachedPage *page = oldest_, *newer; page != nullptr; page = newer) {
    newer = page->newer;
    if (page_owner(page->physical) != PageOwner::Lost) continue;
    set_page_owner(page->physical, PageOwner::PageCache);
    // Who works with it finds zeros; nobody does but a call that was in the middle of copying.
    if (page->holds != 0 || page->in_flight) continue;
    forget(*page);
    free(*page);
    ++forgotten;
  }
  return forgotten;
}

size_t PageCache::reclaim(size_t wanted) {
  if (changing_) return 0;
  const Changing changing(changing_);
  size_t freed = 0;
  for (CachedPage *page = oldest_, *newer; page != nullptr && freed < wanted; page = newer) {
    newer = page->newer;
    if (!is_spare(*page) || page_users(page->physical) > 1) continue;
    forget(*page);
    free(*page);
    ++freed;
  }
  return freed;
}

size_t PageCache::reclaim_mapped(size_t wanted, MemoryRelief::Take take, Unmap unmap) {
  constexpr size_t kWorthToLookAt = 16;
  if (changing_) return 0;
  const Changing changing(changing_);
  const bool any = take == MemoryRelief::Take::Any;
  size_t freed = 0, looks = any ? ~size_t{0} : wanted * kWorthToLookAt;
  for (int round = 0; round < (any ? 2 : 1) && freed < wanted; ++round) {
    CachedPage *const last = newest_, *newer;
    for (CachedPage* page = oldest_; page != nullptr && freed < wanted && looks > 0; page = newer) {
      newer = page != last ? page->newer : nullptr;
      if (!is_spare(*page)) continue;
      --looks;
      if (!unmap(*page->file, page->index)) {
        touch(*page);
      } else if (page_users(page->physical) == 1) {  // else a call has it
        forget(*page);
        free(*page);
        ++freed;
      }
    }
  }
  return freed;
}

}  // namespace kernel
