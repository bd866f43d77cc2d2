// What is different from the stop before: registers and bytes of memory of a live guest. What was not read at that stop
// is not known to have changed, and is not marked.
#pragma once

#include <memory>
#include <mutex>
#include <unordered_map>

#include "inspector/app/model/open_state.h"

namespace mortem::inspector::app {

// May be used by threads of all lanes.
class Changes {
 public:
  // The guest is let run; `left` is what it was until now.
  void leave_stop(std::shared_ptr<const OpenState> left);
  // Registers of the thread's innermost frame.
  void mark(std::vector<RegisterSet>& sets, uint32_t thread) const;
  // Of the present stop. Also keeps it for the next one.
  void mark(MemoryPage& page);

 private:
  struct Bytes {
    uint64_t stop = 0;
    size_t known = 0;
    std::array<uint8_t, kMemoryPage> bytes{};
  };
  struct Seen {
    std::unique_ptr<Bytes> now, before;  // before: of the stop before; null: it was not read then
  };

  mutable std::mutex mutex_;
  std::shared_ptr<const OpenState> before_;  // null: this is the first stop
  uint64_t stop_ = 0;
  std::unordered_map<uint64_t, Seen> pages_;  // by address
};

}  // namespace mortem::inspector::app
