// Stretches of addresses with a number each, on their way into an index.
#pragma once

#include <vector>

#include "inspector/symbols/index/index_writer.h"

namespace mortem::inspector::index {

class AddressSpans {
 public:
  // None of a layer may lie on another of it; from the second layer on they come in the order of their addresses.
  // False: everything there was known already.
  bool add(uint64_t low, uint64_t high, uint32_t number);
  // What comes now counts only where nothing is known yet.
  void next_layer();
  // The starts, and the numbers beside them: kNothing where there is none.
  void write(IndexWriter& writer, IndexSection regions, IndexSection starts, IndexSection numbers);

 private:
  struct Span {
    uint64_t low = 0, high = 0;
    uint32_t number = kNothing;
  };
  std::vector<Span> spans_, below_;  // below_: of the layers before, rising
  size_t next_ = 0;                  // in below_
};

}  // namespace mortem::inspector::index
