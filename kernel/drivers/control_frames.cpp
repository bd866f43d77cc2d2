#include "kernel/drivers/control_frames.h"

#include "kernel/library/log.h"

namespace kernel {

using mortem::format::ControlHeader;

void ControlFrames::feed(std::span<const uint8_t> bytes, Receiver receive) {
  const auto take = [&](uint8_t* to, size_t wanted) {
    const size_t count = bytes.size() < wanted ? bytes.size() : wanted;
    if (count > 0) __builtin_memcpy(to, bytes.data(), count);
    bytes = bytes.subspan(count);
    return count;
  };
  // A message without payload is whole as soon as its header is: hence the look at `whole` before that at `bytes`.
  while (true) {
    if (to_drop_ > 0) {
      const size_t dropped = bytes.size() < to_drop_ ? bytes.size() : to_drop_;
      bytes = bytes.subspan(dropped);
      to_drop_ -= dropped;
      if (to_drop_ > 0) return;
    }
    if (header_filled_ < sizeof header_) {
      header_filled_ += take(header_ + header_filled_, sizeof header_ - header_filled_);
      if (header_filled_ < sizeof header_) return;
    }
    ControlHeader header;
    __builtin_memcpy(&header, header_, sizeof header);
    if (header.length > mortem::format::kMaximumControlPayload || header.version != 1) {
      log(LogLevel::Warning,
          "control port: message of type %u, version %u, %u bytes dropped (known: version 1, up to %u)",
          static_cast<unsigned>(header.type), header.version, header.length, mortem::format::kMaximumControlPayload);
      to_drop_ = header.length;
      header_filled_ = 0;
      continue;
    }
    payload_filled_ += take(payload_ + payload_filled_, header.length - payload_filled_);
    if (payload_filled_ < header.length) return;
    header_filled_ = payload_filled_ = 0;
    if (receive != nullptr) receive(header.type, {payload_, header.length});
  }
}

}  // namespace kernel
