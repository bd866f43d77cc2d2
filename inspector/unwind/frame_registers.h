// The registers an unwinder follows: DWARF numbers 0–16 (AMD64 psABI 1.0, figure 3.36; 16 is the return address), each
// known or not.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "snapshot/format/registers.h"

namespace mortem::inspector {

class FrameRegisters {
 public:
  static constexpr unsigned kCount = 17, kRbp = 6, kRsp = 7, kRip = 16;

  FrameRegisters() = default;
  explicit FrameRegisters(const format::GeneralRegisters& general) {
    for (const format::RegisterDescription& one : format::kGeneralRegisters)
      if (one.dwarf_number >= 0 && one.dwarf_number < static_cast<int>(kCount))
        set(one.dwarf_number, *reinterpret_cast<const uint64_t*>(reinterpret_cast<const char*>(&general) + one.offset));
  }

  bool known(unsigned number) const { return number < kCount && (known_ >> number & 1) != 0; }
  std::optional<uint64_t> get(unsigned number) const {
    return known(number) ? std::optional(values_[number]) : std::nullopt;
  }
  void set(unsigned number, uint64_t value) {
    values_[number] = value;
    known_ |= 1u << number;
  }
  void forget(unsigned number) { known_ &= ~(1u << number); }
  // A called function may change these without saving them (psABI 3.2.1).
  void forget_call_clobbered() { known_ &= kCalleeSaved; }

  uint64_t pc() const { return values_[kRip]; }
  uint64_t sp() const { return values_[kRsp]; }

 private:
  static constexpr uint32_t kCalleeSaved =
      1u << 3 | 1u << kRbp | 1u << kRsp | 1u << 12 | 1u << 13 | 1u << 14 | 1u << 15 | 1u << kRip;
  std::array<uint64_t, kCount> values_{};
  uint32_t known_ = 0;
};

}  // namespace mortem::inspector
