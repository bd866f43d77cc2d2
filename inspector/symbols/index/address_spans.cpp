#include "inspector/symbols/index/address_spans.h"

#include <algorithm>

#include "inspector/symbols/index/sorted_addresses.h"

namespace mortem::inspector::index {

bool AddressSpans::add(uint64_t low, uint64_t high, uint32_t number) {
  const size_t before = spans_.size();
  while (next_ < below_.size() && below_[next_].high <= low) ++next_;
  for (size_t known = next_; low < high; ++known) {
    const bool is_last = known == below_.size();
    const uint64_t end = is_last ? high : std::min(high, below_[known].low);
    if (low < end) spans_.push_back({low, end, number});
    if (is_last) break;
    low = std::max(low, below_[known].high);
  }
  return spans_.size() > before;
}

void AddressSpans::next_layer() {
  below_.insert(below_.end(), spans_.begin(), spans_.end());
  spans_.clear();
  std::sort(below_.begin(), below_.end(), [](const Span& a, const Span& b) { return a.low < b.low; });
  next_ = 0;
}

void AddressSpans::write(IndexWriter& writer, IndexSection regions, IndexSection starts, IndexSection numbers) {
  next_layer();
  SortedAddresses addresses;
  std::vector<uint32_t> beside;
  const auto put = [&](uint64_t address, uint32_t number) {
    if (!beside.empty() && beside.back() == number) return;
    addresses.add(address);
    beside.push_back(number);
  };
  for (size_t index = 0; index < below_.size(); ++index) {
    put(below_[index].low, below_[index].number);
    if (index + 1 == below_.size() || below_[index + 1].low != below_[index].high) put(below_[index].high, kNothing);
  }
  addresses.write(writer, regions, starts);
  writer.section(numbers, beside);
}

}  // namespace mortem::inspector::index
