// Any count of instructions of a recording, in both directions. While it runs forward, moments are kept; what lies
// before is reached from the nearest of them.
#pragma once

#include <cstdint>
#include <map>
#include <optional>

#include "snapshot/result.h"
#include "tools/replay/page_store.h"
#include "tools/replay/replay_machine.h"

namespace mortem::tools {

class TimeMachine {
 public:
  explicit TimeMachine(ReplayMachine& machine);

  // On to that count, or to the first point.
  Result<RunEnd> forward(uint64_t instructions);
  // To that count from wherever it stands; no point may be set. Interrupted is the only other end.
  Result<RunEnd> seek(uint64_t instructions);
  // The same after QEMU has failed: from the beginning, and without moments from now on.
  Result<RunEnd> start_again(uint64_t instructions);
  uint64_t position() const { return machine_.position(); }
  size_t moments() const { return moments_.size(); }

 private:
  struct Moment {
    std::string name;        // of QEMU's state of processor, devices and disk
    uint64_t registers = 0;  // XXH64
    KeptPages pages;
    uint64_t passing = 0;  // not 0: kept only near a place that was gone back to, as the how-manieth
  };
  using Moments = std::map<uint64_t, Moment>;  // by counts of instructions

  bool is_due() const;
  Result<void> keep(bool is_passing);
  void thin_out();
  void drop(Moments::iterator moment);
  void drop_all();
  Result<bool> go_back_to(const Moments::value_type& moment);
  Result<void> go_back_before(uint64_t instructions);

  ReplayMachine& machine_;
  std::optional<PageStore> pages_;
  Moments moments_;
  uint64_t distance_, next_ = 0, count_ = 0;
  bool cannot_keep_ = false;  // this QEMU does not keep moments, or there is no space
};

}  // namespace mortem::tools
