// A pipe or socket read in order, through one buffer, so that what was read can be written on without a copy.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "snapshot/result.h"

namespace mortem::snapshot {

class StreamInput {
 public:
  // `before_reuse` is called before bytes that were handed out go, `while_waiting` when all is read that a non-blocking
  // descriptor has and several times a second until more comes, and when the other descriptor, `wakes`, can be read
  // (-1: none). An error from either is that of the reading.
  StreamInput(int descriptor, int wakes, std::function<Result<void>()> before_reuse,
              std::function<Result<void>()> while_waiting);

  // The next `count` bytes (at most 1 MiB); an error at an earlier end. They stay until before_reuse is called.
  Result<std::span<const uint8_t>> take(size_t count);
  Result<uint64_t> number(size_t size);  // big-endian
  Result<std::string> name();            // a length byte and the text
  // What is there, at least one byte; empty: the end.
  Result<std::span<const uint8_t>> take_some();
  uint64_t total() const { return read_; }                     // bytes that were read
  uint64_t offset() const { return read_ - (end_ - begin_); }  // of the next byte in the stream

 private:
  Result<bool> fill();  // false: the end

  const int descriptor_, wakes_;
  const std::function<Result<void>()> before_reuse_, while_waiting_;
  std::vector<uint8_t> buffer_;
  size_t begin_ = 0, end_ = 0;
  uint64_t read_ = 0;
};

}  // namespace mortem::snapshot
