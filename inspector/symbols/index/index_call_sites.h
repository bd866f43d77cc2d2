// The calls of a file as its index keeps them.
#pragma once

#include <unordered_map>

#include "inspector/symbols/call_sites.h"
#include "inspector/symbols/index/index_file.h"

namespace mortem::inspector::index {

// Answers are worth nothing once the file is found to be broken.
class IndexCallSites final : public CallSites {
 public:
  // `file` must outlive this.
  explicit IndexCallSites(IndexFile& file) : file_(file) {}
  const CallSite* returning_to(uint64_t return_address) override;
  std::optional<uint64_t> function_start(uint64_t address) override;
  const std::vector<CallSite>* tail_calls_of(uint64_t start) override;

 private:
  const IndexCaller* caller_at(uint64_t address);  // null: none
  CallSite call_site(uint64_t return_address, uint32_t callee);

  IndexFile& file_;
  std::unordered_map<uint64_t, CallSite> calls_;                    // by return address: nodes do not move
  std::unordered_map<uint64_t, std::vector<CallSite>> tail_calls_;  // by the function's start
};

}  // namespace mortem::inspector::index
