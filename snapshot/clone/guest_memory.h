// The memory of a guest by physical and by virtual address. Nothing in it is trusted: page tables may lead anywhere.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "snapshot/byte_source.h"
#include "snapshot/result.h"

namespace mortem::snapshot {

enum class GuestPageKind : uint8_t { Absent, Present, Device, Damaged };

struct GuestPageRun {
  uint64_t start = 0, end = 0;
  GuestPageKind kind = GuestPageKind::Absent;
  uint64_t physical = 0;  // of start, when Present or Device
  uint32_t flags = 0;     // PageMapFlags
};

class GuestMemory {
 public:
  // `below_4g`: where its first part ends; the rest stands from 4 GiB on.
  GuestMemory(const ByteSource& bytes, uint64_t below_4g) : bytes_(bytes), below_4g_(below_4g) {}

  void set_page_table(uint64_t root);

  // Where `length` bytes from a physical address on stand in the source; nothing: not RAM, or not in one piece.
  std::optional<uint64_t> offset_of(uint64_t physical, uint64_t length = 1) const;
  Result<void> read_physical(uint64_t physical, std::span<uint8_t> to) const;
  // All of it, or an error that names the address.
  Result<void> read(uint64_t address, std::span<uint8_t> to) const;
  template <typename T>
  Result<T> get(uint64_t address) const {
    T value{};
    TRY_VOID(read(address, {reinterpret_cast<uint8_t*>(&value), sizeof value}));
    return value;
  }
  Result<std::string> text(uint64_t address, size_t longest) const;  // up to a NUL

  // The longest run of one kind, with the same flags and neighbouring physical pages, from `address` on.
  GuestPageRun run_at(uint64_t address, uint64_t end) const;

 private:
  struct Table {
    uint64_t address = ~uint64_t{0};
    uint64_t entries[512] = {};
  };
  GuestPageRun step(uint64_t address) const;

  const ByteSource& bytes_;
  const uint64_t below_4g_;
  uint64_t root_ = 0;
  mutable Table tables_[4];
};

}  // namespace mortem::snapshot
