#include "inspector/app/model/memory_marks.h"

#include <fmt/format.h>

#include <algorithm>

#include "inspector/app/model/session.h"

namespace mortem::inspector::app {

RangeBytes read_range(Session& session, uint64_t address, uint64_t size) {
  RangeBytes range;
  range.address = address;
  range.bytes.resize(size);
  range.known.resize(size);
  for (uint64_t done = 0; done < size;) {
    const uint64_t at = address + done, offset = at % kMemoryPage;
    const uint64_t count = std::min(size - done, kMemoryPage - offset);
    const auto page = session.memory(at);
    range.pending = range.pending || page.pending;
    for (uint64_t index = 0; page && index < count; ++index) {
      if (offset + index >= page->known) break;
      range.bytes[done + index] = page->bytes[offset + index];
      range.known[done + index] = true;
    }
    done += count;
  }
  return range;
}

Comparison compare(const RangeBytes& then, const RangeBytes& now) {
  Comparison result;
  const size_t size = std::min(then.bytes.size(), now.bytes.size());
  for (size_t index = 0; index < size; ++index) {
    if (!then.known[index] || !now.known[index]) {
      ++result.unknown;
      continue;
    }
    if (then.bytes[index] == now.bytes[index]) continue;
    ++result.different;
    if (!result.differences.empty() && result.differences.back().offset + result.differences.back().length == index)
      ++result.differences.back().length;
    else
      result.differences.push_back({index, 1});
  }
  return result;
}

Result<uint32_t> MemoryMarks::add(uint64_t address, uint64_t size, std::optional<uint64_t> against) {
  const auto passes_end = [size](uint64_t from) { return from + (size - 1) < from; };
  if (size == 0 || size > kLargest)
    return failure(ErrorKind::BadInput, fmt::format("a mark is of 1 to {} bytes, not {}", kLargest, size));
  if (passes_end(address) || (against && passes_end(*against)))
    return failure(ErrorKind::BadInput, "the range passes the end of memory");
  MemoryMark mark;
  mark.id = ++last_id_;
  mark.then.address = address;
  mark.then.bytes.resize(size);
  mark.against = against;
  wanted_.push_back(std::move(mark));
  return last_id_;
}

void MemoryMarks::remove(uint32_t id) {
  std::erase_if(marks_, [&](const MemoryMark& one) { return one.id == id; });
}

void MemoryMarks::read(Session& session) {
  std::erase_if(wanted_, [&](MemoryMark& mark) {
    RangeBytes bytes = read_range(session, mark.then.address, mark.then.bytes.size());
    if (bytes.pending) return false;
    mark.then = std::move(bytes);
    marks_.push_back(std::move(mark));
    return true;
  });
}

const MemoryMark* MemoryMarks::at(uint64_t address) const {
  for (size_t index = marks_.size(); index-- > 0;) {
    const MemoryMark& one = marks_[index];
    if (!one.against && address - one.then.address < one.then.bytes.size()) return &one;
  }
  return nullptr;
}

}  // namespace mortem::inspector::app
