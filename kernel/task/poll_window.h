// How long the CPU looks for work before it halts: to wake a halted processor takes the host longer than many a client
// to send its next request. The time follows what the last waits took, so that an idle guest costs the host nothing
// (as Linux' haltpoll governor does, with its numbers: Documentation/virt/guest-halt-polling.rst).
#pragma once

#include <cstdint>

namespace kernel {

class PollWindow {
 public:
  static constexpr uint64_t kFirst = 50'000, kLongest = 200'000;  // ns

  uint64_t length() const { return length_; }  // ns; 0: the CPU halts at once
  // The last wait took so long, the look and the halt together.
  void note_wait(uint64_t waited_ns) {
    if (waited_ns > kLongest)
      length_ = length_ / 2 < kFirst ? 0 : length_ / 2;
    else if (waited_ns > length_)
      length_ = length_ == 0 ? kFirst : length_ * 2;
  }

 private:
  uint64_t length_ = 0;
};

}  // namespace kernel
