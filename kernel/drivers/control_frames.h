// Cuts the byte stream of the control port into messages (snapshot/format/control.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "snapshot/format/control.h"

namespace kernel {

class ControlFrames {
 public:
  using Receiver = void (*)(mortem::format::ControlType type, std::span<const uint8_t> payload);

  // Takes bytes as they arrive, cut anywhere; calls `receive` for each whole message. A message longer than
  // kMaximumControlPayload, or of a version that we do not know, is dropped whole with a log line.
  void feed(std::span<const uint8_t> bytes, Receiver receive);

 private:
  uint8_t header_[sizeof(mortem::format::ControlHeader)];
  size_t header_filled_ = 0;
  uint8_t payload_[mortem::format::kMaximumControlPayload];
  size_t payload_filled_ = 0;
  uint64_t to_drop_ = 0;  // bytes of a message that is being dropped
};

}  // namespace kernel
