// gdb's registers of one thread, by gdb's numbers (gdb/features/i386/64bit-*.xml), in a GeneralRegisters and an XSAVE
// area. The packets g, G, p and P and the target description all go through the one layout here.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "snapshot/format/registers.h"

namespace mortem::gdbstub {

enum class RegisterSource : uint8_t {
  None,
  General,   // of GeneralRegisters, at `offset`
  X87Stack,  // the rest: of the XSAVE area (Intel SDM vol. 1, 13.4)
  X87Control,
  X87AbridgedTag,
  Sse,
  SseControl,
  AvxUpperHalf,
};

struct RegisterLayout {
  RegisterSource source = RegisterSource::None;
  uint8_t size = 0;         // as gdb shows it
  uint8_t stored_size = 0;  // smaller for the 16-bit fields of x87, which gdb shows in 32
  uint16_t offset = 0;      // AvxUpperHalf: from the component's begin
  std::string_view name;    // with an index after it when there are several
  int8_t index = -1;        // -1: the name is whole
};

inline constexpr size_t kRegisterCount = 76;
inline constexpr size_t kFirstAvxRegister = 60;
inline constexpr size_t kLargestRegister = 16;
extern const std::array<RegisterLayout, kRegisterCount> kRegisterLayout;

inline constexpr size_t kFramePointerNumber = 6, kStackPointerNumber = 7, kProgramCounterNumber = 16;

struct RegisterFile {
  bool general_known = false;
  format::GeneralRegisters general;
  size_t extended_size = 0;  // 0: not known
  bool has_avx = false;
  uint32_t avx_offset = 0;
  std::array<uint8_t, 4096> extended;

  // False: not known.
  bool read(size_t number, std::span<uint8_t> value) const;
  bool write(size_t number, std::span<const uint8_t> value);

 private:
  bool component_in_use(unsigned component) const;
  void use_component(unsigned component);
  uint16_t full_tag_word() const;
  size_t place(const RegisterLayout&) const;
};

}  // namespace mortem::gdbstub
