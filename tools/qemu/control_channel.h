// Messages of the control port (snapshot/format/control.h) out of a stream of bytes.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "snapshot/format/control.h"
#include "snapshot/result.h"

namespace mortem::tools {

struct ControlMessage {
  format::ControlType type{};
  std::string payload;

  std::optional<format::ControlExitStatus> exit_status() const;
  std::optional<format::ControlCrash> crash() const;  // also of a Snapshot
  std::string crash_reason() const;                   // the line after ControlCrash
};

std::string encode(const ControlMessage& message);

class ControlDecoder {
 public:
  void add(std::string_view bytes) { pending_ += bytes; }
  // The next whole message, nothing if it is not whole yet. An error for a length that cannot be: the stream is lost.
  Result<std::optional<ControlMessage>> next();

 private:
  std::string pending_;
};

}  // namespace mortem::tools
