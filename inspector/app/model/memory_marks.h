// Ranges of memory whose bytes are kept as they were, to be compared with what stands there later, or elsewhere.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "snapshot/result.h"

namespace mortem::inspector::app {

class Session;

struct RangeBytes {
  uint64_t address = 0;
  std::vector<uint8_t> bytes;
  std::vector<bool> known;  // by byte
  bool pending = false;     // not all of it is there yet, or it is of the stop before
};
RangeBytes read_range(Session& session, uint64_t address, uint64_t size);

struct MemoryMark {
  uint32_t id = 0;
  RangeBytes then;
  std::optional<uint64_t> against;  // it is compared with the bytes there; nothing: with those of its own address
};

struct Difference {
  uint64_t offset = 0, length = 0;
};
struct Comparison {
  std::vector<Difference> differences;  // of bytes that are known on both sides
  uint64_t unknown = 0;                 // bytes that are not
  uint64_t different = 0;
};
Comparison compare(const RangeBytes& then, const RangeBytes& now);

class MemoryMarks {
 public:
  static constexpr uint64_t kLargest = 64 * 1024;
  // Its bytes are those of the moment in which all of them are there; the mark is listed from then on.
  Result<uint32_t> add(uint64_t address, uint64_t size, std::optional<uint64_t> against);
  void remove(uint32_t id);
  void read(Session& session);  // once a frame: what is wanted and there by now
  const std::vector<MemoryMark>& all() const { return marks_; }
  const MemoryMark* at(uint64_t address) const;  // the newest that holds the byte and is compared with itself
  bool has_wanted() const { return !wanted_.empty(); }

 private:
  std::vector<MemoryMark> marks_, wanted_;
  uint32_t last_id_ = 0;
};

}  // namespace mortem::inspector::app
