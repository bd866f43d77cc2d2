#include "inspector/symbols/tail_calls.h"

#include <algorithm>
#include <optional>

namespace mortem::inspector {
namespace {

// Functions that call each other in circles have more ways than anybody can go.
constexpr size_t kMostTailCalls = 5000;

class Search {
 public:
  Search(CallSites& calls, uint64_t callee) : calls_(calls), callee_(callee) {}

  std::vector<uint64_t> run(const CallSite& first) {
    if (!follow(first) || !chain_) return {};
    std::vector<uint64_t> inferred(chain_->rbegin(), chain_->rbegin() + static_cast<ptrdiff_t>(tail_));
    if (tail_ < chain_->size())
      for (size_t index = head_; index-- > 0;) inferred.push_back((*chain_)[index]);
    return inferred;
  }

 private:
  // Every way from where `call` leads to. False: a call on a way may lead anywhere, or the ways have nothing in common.
  bool follow(const CallSite& call) {
    if (call.targets.empty() || ++steps_ > kMostTailCalls) return false;
    if (std::find(call.targets.begin(), call.targets.end(), callee_) != call.targets.end()) return arrived();
    const std::vector<CallSite>* next = calls_.tail_calls_of(call.targets.front());
    if (!next) return false;
    for (const CallSite& one : *next) {
      if (std::find(way_.begin(), way_.end(), one.return_address) != way_.end()) continue;
      way_.push_back(one.return_address);
      if (!follow(one)) return false;
      way_.pop_back();
    }
    return true;
  }

  bool arrived() {
    if (!chain_) {
      chain_ = way_;
      head_ = tail_ = way_.size();
      return true;
    }
    const size_t length = std::min(way_.size(), chain_->size());
    auto common = [length](auto a, auto b) {
      size_t count = 0;
      while (count < length && *a++ == *b++) ++count;
      return count;
    };
    head_ = std::min(head_, common(chain_->begin(), way_.begin()));
    tail_ = std::min(tail_, common(chain_->rbegin(), way_.rbegin()));
    return head_ + tail_ > 0;
  }

  CallSites& calls_;
  const uint64_t callee_;
  std::vector<uint64_t> way_;                   // tail calls from the first function to where the search is
  std::optional<std::vector<uint64_t>> chain_;  // the first way that arrived
  size_t head_ = 0, tail_ = 0;                  // how much of `chain_` all ways share, from either end
  size_t steps_ = 0;
};

}  // namespace

std::vector<uint64_t> infer_tail_calls(CallSites& calls, uint64_t return_address, uint64_t callee) {
  const auto start = calls.function_start(callee);
  const CallSite* first = calls.returning_to(return_address);
  if (!start || !first) return {};
  return Search(calls, *start).run(*first);
}

bool entered_by_call(CallSites& calls, uint64_t return_address, uint64_t callee) {
  const auto start = calls.function_start(callee);
  const CallSite* call = calls.returning_to(return_address);
  auto leads_to_start = [&](const CallSite& one) {
    return std::find(one.targets.begin(), one.targets.end(), *start) != one.targets.end();
  };
  if (!start || !call || !leads_to_start(*call)) return false;
  // Everything that can be reached by tail calls alone: the function itself must not be among it.
  std::vector<uint64_t> open = {*start}, seen = {*start};
  while (!open.empty()) {
    const std::vector<CallSite>* jumps = calls.tail_calls_of(open.back());
    open.pop_back();
    if (!jumps || seen.size() > kMostTailCalls) return false;
    for (const CallSite& one : *jumps) {
      if (one.targets.empty() || leads_to_start(one)) return false;
      const uint64_t target = one.targets.front();
      if (std::find(seen.begin(), seen.end(), target) != seen.end()) continue;
      seen.push_back(target);
      open.push_back(target);
    }
  }
  return true;
}

}  // namespace mortem::inspector
