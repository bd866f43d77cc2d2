#include "snapshot/clone/stream_input.h"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "snapshot/clone/migration_format.h"

namespace mortem::snapshot {

namespace {
constexpr size_t kLargestTake = 1 << 20, kBuffer = 4 << 20;
constexpr int kWaitMilliseconds = 100;
}  // namespace

StreamInput::StreamInput(int descriptor, int wakes, std::function<Result<void>()> before_reuse,
                         std::function<Result<void>()> while_waiting)
    : descriptor_(descriptor),
      wakes_(wakes),
      before_reuse_(std::move(before_reuse)),
      while_waiting_(std::move(while_waiting)),
      buffer_(kBuffer) {}

Result<bool> StreamInput::fill() {
  if (begin_ == end_ || buffer_.size() - end_ < kLargestTake) {
    TRY_VOID(before_reuse_());
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  while (true) {
    const ssize_t got = read(descriptor_, buffer_.data() + end_, std::min(buffer_.size() - end_, kLargestTake));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) {
      TRY_VOID(while_waiting_());
      pollfd wait[] = {{descriptor_, POLLIN, 0}, {wakes_, POLLIN, 0}};
      poll(wait, 2, kWaitMilliseconds);
      continue;
    }
    if (got < 0) return failure(ErrorKind::System, fmt::format("reading what QEMU sends: {}", std::strerror(errno)));
    end_ += static_cast<size_t>(got);
    read_ += static_cast<uint64_t>(got);
    return got > 0;
  }
}

Result<std::span<const uint8_t>> StreamInput::take(size_t count) {
  while (end_ - begin_ < count)
    if (!TRY(fill())) return failure(ErrorKind::System, fmt::format("QEMU's state ends early, after {} bytes", read_));
  const std::span<const uint8_t> bytes(buffer_.data() + begin_, count);
  begin_ += count;
  return bytes;
}

Result<uint64_t> StreamInput::number(size_t size) {
  return migration::big_endian(TRY(take(size)));
}

Result<std::string> StreamInput::name() {
  const auto bytes = TRY(take(TRY(number(1))));
  return std::string(bytes.begin(), bytes.end());
}

Result<std::span<const uint8_t>> StreamInput::take_some() {
  if (begin_ == end_ && !TRY(fill())) return std::span<const uint8_t>();
  const std::span<const uint8_t> bytes(buffer_.data() + begin_, end_ - begin_);
  begin_ = end_;
  return bytes;
}

}  // namespace mortem::snapshot
