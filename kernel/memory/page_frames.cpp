#include "kernel/memory/page_frames.h"

namespace kernel {

using mortem::format::PageOwner;

namespace {
constexpr uint8_t kFree = static_cast<uint8_t>(PageOwner::Free);
constexpr uint64_t kOnes = 0x0101010101010101ull;

bool any_free(uint64_t eight) {  // is one of eight bytes kFree? (the classic test for a zero byte)
  uint64_t difference = eight ^ kFree * kOnes;
  return ((difference - kOnes) & ~difference & 0x8080808080808080ull) != 0;
}
}  // namespace

void PageFrames::initialize(uint8_t* owners, uint64_t count) {
  owners_ = owners;
  count_ = count;
  free_ = ram_ = 0;
  uint64_t page = 0;
  for (; page < count; ++page) {
    if (page % 8 == 0 && page + 8 <= count) {  // whole words of Free or Absent: nearly all of a large memory
      uint64_t eight;
      __builtin_memcpy(&eight, owners + page, 8);
      if (eight == 0 || eight == kFree * kOnes) {
        if (eight != 0) free_ += 8, ram_ += 8;
        page += 7;
        continue;
      }
    }
    free_ += owners[page] == kFree;
    ram_ += owners[page] != static_cast<uint8_t>(PageOwner::Absent);
  }
  hint_ = next_free(0);
}

uint64_t PageFrames::next_free(uint64_t from) const {
  uint64_t page = from;
  while (page < count_) {
    if (page % 8 == 0 && page + 8 <= count_) {
      uint64_t eight;
      __builtin_memcpy(&eight, owners_ + page, 8);
      if (!any_free(eight)) {
        page += 8;
        continue;
      }
    }
    if (owners_[page] == kFree) return page;
    ++page;
  }
  return count_;
}

void PageFrames::take(uint64_t first, uint64_t count, PageOwner owner) {
  for (uint64_t page = first; page < first + count; ++page) owners_[page] = static_cast<uint8_t>(owner);
  free_ -= count;
}

Result<uint64_t> PageFrames::allocate(uint64_t count, PageOwner owner) {
  if (count == 0) return Error::Invalid;
  if (count > free_) return Error::NoMemory;
  hint_ = next_free(hint_);
  for (uint64_t first = hint_; first < count_; first = next_free(first)) {
    uint64_t last = first + 1;
    while (last < count_ && last - first < count && owners_[last] == kFree) ++last;
    if (last - first == count) {
      take(first, count, owner);
      if (first == hint_) hint_ = last;
      return first;
    }
    first = last;
  }
  return Error::NoMemory;
}

Result<uint64_t> PageFrames::allocate_last(uint64_t count, PageOwner owner) {
  if (count == 0) return Error::Invalid;
  for (uint64_t page = count_, run = 0; page > 0;) {
    run = owners_[--page] == kFree ? run + 1 : 0;
    if (run < count) continue;
    take(page, count, owner);
    return page;
  }
  return Error::NoMemory;
}

Result<void> PageFrames::retain(uint64_t page) {
  if (page >= count_ || owners_[page] <= static_cast<uint8_t>(PageOwner::Reserved)) return Error::Invalid;
  if (extra_users_ == nullptr || extra_users_[page] == UINT16_MAX) return Error::NoMemory;
  ++extra_users_[page];
  return {};
}

uint32_t PageFrames::users(uint64_t page) const {
  if (page >= count_ || owners_[page] <= static_cast<uint8_t>(PageOwner::Reserved)) return 0;
  return 1 + (extra_users_ != nullptr ? extra_users_[page] : 0);
}

void PageFrames::set_owner(uint64_t page, PageOwner owner) {
  if (page < count_ && owners_[page] > static_cast<uint8_t>(PageOwner::Reserved))
    owners_[page] = static_cast<uint8_t>(owner);
}

void PageFrames::free(uint64_t first, uint64_t count) {
  for (uint64_t page = first; page < first + count && page < count_; ++page) {
    // Absent, free, firmware's and reserved pages are nobody's to give back.
    if (owners_[page] <= static_cast<uint8_t>(PageOwner::Reserved)) continue;
    if (extra_users_ != nullptr && extra_users_[page] > 0) {
      --extra_users_[page];
      continue;
    }
    owners_[page] = kFree;
    ++free_;
  }
  if (first < hint_) hint_ = first;
}

uint64_t PageFrames::next_used(uint64_t from) const {
  constexpr uint64_t kHigherBits = 0xFC * kOnes;
  static_assert(static_cast<uint8_t>(PageOwner::Firmware) == 2 && kFree == 1);
  for (uint64_t page = from; page < count_;) {
    if (page % 8 == 0 && page + 8 <= count_) {
      uint64_t eight;
      __builtin_memcpy(&eight, owners_ + page, 8);
      if ((eight & kHigherBits) == 0 && (eight & eight >> 1 & kOnes) == 0) {  // no byte above 3, and none that is 3
        page += 8;
        continue;
      }
    }
    if (owners_[page] > static_cast<uint8_t>(PageOwner::Firmware)) return page;
    ++page;
  }
  return count_;
}

PageOwner PageFrames::owner(uint64_t page) const {
  return page < count_ ? static_cast<PageOwner>(owners_[page]) : PageOwner::Absent;
}

}  // namespace kernel
