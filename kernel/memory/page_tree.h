// The pages of a file that lives in memory, by their index: a radix tree of 512-fold nodes, so that a hole of any size
// costs nothing. A file of one page has no node at all. Pages are not owned: who takes one out gives it back.
#pragma once

#include "kernel/memory/physical.h"

namespace kernel {

class PageTree {
 public:
  static constexpr int kMaximumHeight = 6;  // 2^54 pages: more than an offset can reach
  static constexpr uint64_t kNone = ~uint64_t{0};

  PageTree() = default;
  PageTree(const PageTree&) = delete;
  PageTree& operator=(const PageTree&) = delete;

  PhysicalAddress find(uint64_t index) const;              // 0: a hole
  Result<void> set(uint64_t index, PhysicalAddress page);  // into a hole
  uint64_t next_page(uint64_t from) const;                 // the first index from `from` on that has a page, or kNone
  // Takes every page of [first, last) out, nodes that become empty too; release(page) for each.
  template <typename Release>
  void take_out(uint64_t first, uint64_t last, Release release) {
    for (uint64_t at = next_page(first); at < last; at = next_page(at + 1)) {
      const PhysicalAddress page = take_one(at);
      release(page);
    }
  }

  // For readers that trust nothing (the crash path).
  struct Shape {
    PhysicalAddress root;  // height 0: page 0 itself
    int height;            // levels of nodes
  };
  Shape shape() const { return shape_; }

 private:
  PhysicalAddress take_one(uint64_t index);
  void remove_empty_nodes(uint64_t index);
  static uint64_t next_below(PhysicalAddress node, int height, uint64_t from);

  Shape shape_{0, 0};
};

}  // namespace kernel
