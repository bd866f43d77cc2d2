#include "tools/qemu/control_channel.h"

#include <fmt/format.h>

#include <cstring>

namespace mortem::tools {

using format::ControlHeader;

namespace {

template <typename T>
std::optional<T> payload_as(const ControlMessage& message, format::ControlType type) {
  if (message.type != type || message.payload.size() < sizeof(T)) return std::nullopt;
  T value;
  std::memcpy(&value, message.payload.data(), sizeof value);
  return value;
}

}  // namespace

std::optional<format::ControlExitStatus> ControlMessage::exit_status() const {
  return payload_as<format::ControlExitStatus>(*this, format::ControlType::ExitStatus);
}

std::optional<format::ControlCrash> ControlMessage::crash() const {
  return payload_as<format::ControlCrash>(
      *this, type == format::ControlType::Snapshot ? format::ControlType::Snapshot : format::ControlType::Crash);
}

std::string ControlMessage::crash_reason() const {
  return payload.size() > sizeof(format::ControlCrash) ? payload.substr(sizeof(format::ControlCrash)) : std::string();
}

std::string encode(const ControlMessage& message) {
  const ControlHeader header{uint32_t(message.payload.size()), 1, message.type};
  return std::string(reinterpret_cast<const char*>(&header), sizeof header) + message.payload;
}

Result<std::optional<ControlMessage>> ControlDecoder::next() {
  ControlHeader header;
  if (pending_.size() < sizeof header) return std::optional<ControlMessage>();
  std::memcpy(&header, pending_.data(), sizeof header);
  if (header.length > format::kMaximumControlPayload)
    return failure(ErrorKind::BadInput,
                   fmt::format("the control port carries a message of {} bytes; at most {} are allowed", header.length,
                               format::kMaximumControlPayload));
  if (pending_.size() - sizeof header < header.length) return std::optional<ControlMessage>();
  ControlMessage message{header.type, pending_.substr(sizeof header, header.length)};
  pending_.erase(0, sizeof header + header.length);
  return std::optional<ControlMessage>(std::move(message));
}

}  // namespace mortem::tools
