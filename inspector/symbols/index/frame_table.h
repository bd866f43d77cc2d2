// The call frame information that goes into an index: which row is at which address, equal rows once.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "inspector/symbols/index/address_spans.h"
#include "inspector/unwind/call_frame_information.h"

namespace mortem::inspector::index {

class FrameTable {
 public:
  // What was added before counts where both know an address.
  void add(CallFrameInformation& frames);
  void write(IndexWriter& writer);

 private:
  uint32_t row_number(const UnwindRow& row);
  IndexRule convert(const UnwindRule& rule, unsigned column);

  AddressSpans spans_;
  std::vector<IndexRow> rows_;
  std::vector<IndexRule> rules_;
  std::vector<uint8_t> bytes_;
  std::unordered_map<std::string, uint32_t> row_numbers_, expressions_;
};

}  // namespace mortem::inspector::index
