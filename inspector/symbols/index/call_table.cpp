#include "inspector/symbols/index/call_table.h"

#include <algorithm>

#include "inspector/symbols/index/address_spans.h"
#include "inspector/symbols/index/sorted_addresses.h"

namespace mortem::inspector::index {

void CallTable::add_unit(const DwarfFile::Body& body, const std::vector<RootFunction>& roots,
                         std::span<const UnitRanges::Range> ranges) {
  std::vector<RootFunction> spans;
  auto next = ranges.begin();
  for (const RootFunction& one : function_spans(roots)) {
    while (next != ranges.end() && next->high <= one.low) ++next;
    for (auto range = next; range != ranges.end() && range->low < one.high; ++range)
      spans.push_back({std::max(one.low, range->low), std::min(one.high, range->high), one.entry});
  }
  const auto entry_at = [&](uint64_t address) {
    const auto after = std::upper_bound(spans.begin(), spans.end(), address,
                                        [](uint64_t value, const RootFunction& span) { return value < span.high; });
    return after != spans.end() && after->low <= address ? after->entry : 0;
  };
  std::unordered_map<uint64_t, uint32_t> numbers;  // of callers, by entry
  CallingFunction function;
  for (const RootFunction& span : spans) {
    auto [number, is_new] = numbers.try_emplace(span.entry, static_cast<uint32_t>(callers_.size()));
    spans_.push_back({span.low, span.high, number->second});
    if (!is_new) continue;
    function = {};
    readers_.of(*body.file).read(body.file->units()[body.unit], span.entry, function);
    callers_.push_back(
        {function.start, static_cast<uint32_t>(tail_calls_.size()), static_cast<uint32_t>(function.tail_calls.size())});
    for (const CallSite& one : function.tail_calls)
      tail_calls_.push_back({one.return_address, callee_number(one.targets, one.external), 0});
    for (const CallSite& one : function.calls)
      if (entry_at(one.return_address - 1) == span.entry)
        calls_.push_back({one.return_address, callee_number(one.targets, one.external)});
  }
}

uint32_t CallTable::callee_number(const std::vector<uint64_t>& targets, const std::string& external) {
  if (targets.empty() && external.empty()) return kNothing;
  std::string key(reinterpret_cast<const char*>(targets.data()), targets.size() * sizeof(uint64_t));
  key += external;
  key += targets.empty() ? 'n' : 't';
  auto [place, is_new] = callee_numbers_.try_emplace(std::move(key), static_cast<uint32_t>(callees_.size()));
  if (is_new) callees_.push_back({targets, external});
  return place->second;
}

void CallTable::append(const CallTable& other) {
  std::vector<uint32_t> callees;
  for (const Callee& one : other.callees_) callees.push_back(callee_number(one.targets, one.external));
  const auto moved = [&](uint32_t number) { return number == kNothing ? kNothing : callees[number]; };
  const auto first_caller = static_cast<uint32_t>(callers_.size());
  const auto first_tail_call = static_cast<uint32_t>(tail_calls_.size());
  for (const Span& one : other.spans_) spans_.push_back({one.low, one.high, one.caller + first_caller});
  for (IndexCaller one : other.callers_) {
    one.first_tail_call += first_tail_call;
    callers_.push_back(one);
  }
  for (IndexTailCall one : other.tail_calls_) {
    one.callee = moved(one.callee);
    tail_calls_.push_back(one);
  }
  for (const Call& one : other.calls_) calls_.push_back({one.return_address, moved(one.callee)});
}

void CallTable::write(IndexWriter& writer) {
  AddressSpans spans;
  for (const Span& one : spans_) spans.add(one.low, one.high, one.caller);
  spans.next_layer();
  // As SymbolTable::function_start.
  const auto& functions = symbols_.functions_by_address();
  for (size_t index = 0; index < functions.size(); ++index) {
    const Symbol& one = *functions[index];
    uint64_t high = index + 1 < functions.size() ? functions[index + 1]->address : ~uint64_t{0};
    if (one.size != 0 && one.size < high - one.address) high = one.address + one.size;
    if (spans.add(one.address, high, static_cast<uint32_t>(callers_.size())))
      callers_.push_back({one.address, kNothing, 0});
  }
  spans.write(writer, IndexSection::CallerRegions, IndexSection::CallerStarts, IndexSection::CallerNumbers);
  writer.section(IndexSection::Callers, callers_);
  writer.section(IndexSection::TailCalls, tail_calls_);

  std::stable_sort(calls_.begin(), calls_.end(),
                   [](const Call& a, const Call& b) { return a.return_address < b.return_address; });
  SortedAddresses returns;
  std::vector<uint32_t> call_callees;
  for (size_t index = 0; index < calls_.size(); ++index) {
    if (index > 0 && calls_[index].return_address == calls_[index - 1].return_address) continue;
    returns.add(calls_[index].return_address);
    call_callees.push_back(calls_[index].callee);
  }
  returns.write(writer, IndexSection::CallRegions, IndexSection::CallReturns);
  writer.section(IndexSection::CallCallees, call_callees);

  std::vector<IndexCallee> callees;
  std::vector<uint64_t> targets;
  for (const Callee& one : callees_) {
    callees.push_back({static_cast<uint32_t>(targets.size()), static_cast<uint32_t>(one.targets.size()),
                       one.external.empty() ? kNothing : writer.text(one.external)});
    targets.insert(targets.end(), one.targets.begin(), one.targets.end());
  }
  writer.section(IndexSection::Callees, callees);
  writer.section(IndexSection::Targets, targets);
}

}  // namespace mortem::inspector::index
