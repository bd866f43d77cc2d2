// The page allocator's logic, over a table of one owner byte a page. Knows no hardware (unit-tested on the host).
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernel/library/result.h"
#include "snapshot/format/guest_description.h"

namespace kernel {

class PageFrames {
 public:
  // `owners`: PageOwner bytes; what is Free there may be given out.
  void initialize(uint8_t* owners, uint64_t count);

  // `extra_users`: one count a page, zeroed, of those who use an allocated page beside the first. Without it no page
  // can be shared.
  void count_users(uint16_t* extra_users) { extra_users_ = extra_users; }

  Result<uint64_t> allocate(uint64_t count, mortem::format::PageOwner owner);       // first page frame number
  Result<uint64_t> allocate_last(uint64_t count, mortem::format::PageOwner owner);  // the highest ones
  // One more user of an allocated page. NoMemory: it has 65,536, or users are not counted; Invalid: nobody has it.
  Result<void> retain(uint64_t page);
  void set_owner(uint64_t page, mortem::format::PageOwner owner);  // of an allocated page
  void free(uint64_t first, uint64_t count);  // one user fewer of each; without users the page is free
  uint32_t users(uint64_t page) const;
  mortem::format::PageOwner owner(uint64_t page) const;
  // The first one from there on that is anybody's: not absent, free or the firmware's. count(): none.
  uint64_t next_used(uint64_t from) const;
  uint64_t count() const { return count_; }
  uint64_t free_count() const { return free_; }
  uint64_t ram_count() const { return ram_; }

 private:
  uint64_t next_free(uint64_t from) const;  // count_: none
  void take(uint64_t first, uint64_t count, mortem::format::PageOwner owner);

  uint8_t* owners_ = nullptr;
  uint16_t* extra_users_ = nullptr;
  uint64_t count_ = 0, free_ = 0, ram_ = 0;
  uint64_t hint_ = 0;  // no page below it is free
};

}  // namespace kernel
