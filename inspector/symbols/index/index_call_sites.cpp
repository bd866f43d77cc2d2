#include "inspector/symbols/index/index_call_sites.h"

#include "inspector/symbols/index/sorted_addresses.h"

namespace mortem::inspector::index {

const CallSite* IndexCallSites::returning_to(uint64_t return_address) {
  if (const auto known = calls_.find(return_address); known != calls_.end()) return &known->second;
  const uint32_t number = find_equal(file_, IndexSection::CallRegions, IndexSection::CallReturns, return_address);
  const auto* callee = file_.at<uint32_t>(IndexSection::CallCallees, number);
  return callee ? &calls_.emplace(return_address, call_site(return_address, *callee)).first->second : nullptr;
}

std::optional<uint64_t> IndexCallSites::function_start(uint64_t address) {
  const IndexCaller* caller = caller_at(address);
  return caller ? std::optional(caller->start) : std::nullopt;
}

const std::vector<CallSite>* IndexCallSites::tail_calls_of(uint64_t start) {
  if (const auto known = tail_calls_.find(start); known != tail_calls_.end()) return &known->second;
  const IndexCaller* caller = caller_at(start);
  if (!caller || caller->start != start || caller->first_tail_call == kNothing) return nullptr;
  std::vector<CallSite>& calls = tail_calls_[start];
  for (uint64_t index = 0; index < caller->tail_call_count; ++index) {
    const auto* one = file_.at<IndexTailCall>(IndexSection::TailCalls, caller->first_tail_call + index);
    if (!one) break;
    calls.push_back(call_site(one->return_address, one->callee));
  }
  return &calls;
}

const IndexCaller* IndexCallSites::caller_at(uint64_t address) {
  const uint32_t place = find_sorted(file_, IndexSection::CallerRegions, IndexSection::CallerStarts, address);
  const auto* number = file_.at<uint32_t>(IndexSection::CallerNumbers, place);
  return number ? file_.at<IndexCaller>(IndexSection::Callers, *number) : nullptr;
}

CallSite IndexCallSites::call_site(uint64_t return_address, uint32_t callee) {
  CallSite site;
  site.return_address = return_address;
  const auto* stored = file_.at<IndexCallee>(IndexSection::Callees, callee);
  if (!stored) return site;
  if (stored->name != kNothing) site.external = file_.text(stored->name);
  for (uint64_t index = 0; index < stored->target_count; ++index) {
    const auto* target = file_.at<uint64_t>(IndexSection::Targets, stored->first_target + index);
    if (!target) break;
    site.targets.push_back(*target);
  }
  return site;
}

}  // namespace mortem::inspector::index
