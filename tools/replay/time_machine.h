// Any count of instructions of a recording, in both directions: moments are kept on the way, and what lies between them
// is run again.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "snapshot/result.h"
#include "tools/replay/replay_machine.h"

namespace mortem::tools {

// Pages of memory, each kept once however many moments have it.
class PageStore {
 public:
  static constexpr uint32_t kZeros = 0;
  using Page = std::span<const uint8_t, GuestRam::kPage>;

  PageStore() : references_(1, 1), pages_(1) {}
  uint32_t add(Page page);
  void keep(uint32_t number) { ++references_[number]; }
  void release(uint32_t number);
  Page operator[](uint32_t number) const { return Page(pages_[number].get(), GuestRam::kPage); }
  uint64_t bytes() const { return (pages_.size() - free_.size()) * GuestRam::kPage; }

 private:
  std::vector<uint32_t> references_;
  std::vector<std::unique_ptr<uint8_t[]>> pages_;  // the first: zeros, without memory
  std::vector<uint32_t> free_;
};

class TimeMachine {
 public:
  explicit TimeMachine(ReplayMachine& machine) : machine_(machine) {}

  Result<void> begin();  // at the recording's beginning
  // On to that count, or to the first point; moments are kept on the way.
  Result<RunEnd> forward(uint64_t instructions);
  // To that count from wherever it stands; no point may be set. Interrupted is the only other end.
  Result<RunEnd> seek(uint64_t instructions);
  // Moments near a place that is gone back to often.
  Result<void> keep_near(uint64_t instructions);
  uint64_t position() const { return machine_.position(); }
  size_t moments() const { return moments_.size(); }

 private:
  struct Moment {
    std::string name;
    std::vector<uint32_t> pages;  // in the store
  };
  Result<bool> keep();  // false: QEMU cannot do it here
  Result<void> go_back_to(uint64_t instructions, Moment& moment);
  void set_last(const std::vector<uint32_t>& pages);
  void thin_out();

  ReplayMachine& machine_;
  PageStore store_;
  std::map<uint64_t, Moment> moments_;  // by count of instructions
  std::vector<uint32_t> last_;          // what the memory was made of at the last moment that was kept or gone back to
  uint64_t names_ = 0;
};

}  // namespace mortem::tools
