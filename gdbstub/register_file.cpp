#include "gdbstub/register_file.h"

namespace mortem::gdbstub {

namespace {

// Offsets in the legacy region (Intel SDM vol. 1, table 10-2) and the XSAVE header (13.4.2).
constexpr size_t kAbridgedTag = 4, kMxcsr = 24, kX87Stack = 32, kXmm = 160, kLegacySize = 512, kXstateBv = 512;
constexpr unsigned kX87Component = 0, kSseComponent = 1, kAvxComponent = 2;
constexpr uint16_t kInitialControlWord = 0x37F;
constexpr uint32_t kInitialMxcsr = 0x1F80;

struct X87Control {
  std::string_view name;
  uint8_t offset, stored_size;
  RegisterSource source = RegisterSource::X87Control;
};
// In gdb's order. The instruction pointer and the operand pointer are 64 bits as REX-prefixed FXSAVE and XSAVE store
// them: gdb shows their low 32 as offset and the 16 above as segment.
constexpr X87Control kX87Control[] = {
    {"fctrl", 0, 2},  {"fstat", 2, 2}, {"ftag", kAbridgedTag, 1, RegisterSource::X87AbridgedTag},
    {"fiseg", 12, 2}, {"fioff", 8, 4}, {"foseg", 20, 2},
    {"fooff", 16, 4}, {"fop", 6, 2},
};

constexpr std::array<RegisterLayout, kRegisterCount> make_layout() {
  std::array<RegisterLayout, kRegisterCount> layout{};
  for (const format::RegisterDescription& description : format::kGeneralRegisters) {
    if (description.gdb_number < 0) continue;
    layout[static_cast<size_t>(description.gdb_number)] = {RegisterSource::General, description.size, description.size,
                                                           description.offset,      description.name, -1};
  }
  for (uint8_t index = 0; index < 8; ++index)
    layout[24u + index] = {RegisterSource::X87Stack,  10, 10, static_cast<uint16_t>(kX87Stack + 16 * index), "st",
                           static_cast<int8_t>(index)};
  size_t number = 32;
  for (const X87Control& control : kX87Control)
    layout[number++] = {control.source, 4, control.stored_size, control.offset, control.name, -1};
  for (uint8_t index = 0; index < 16; ++index)
    layout[40u + index] = {RegisterSource::Sse,       16, 16, static_cast<uint16_t>(kXmm + 16 * index), "xmm",
                           static_cast<int8_t>(index)};
  layout[56] = {RegisterSource::SseControl, 4, 4, kMxcsr, "mxcsr", -1};
  for (uint8_t index = 0; index < 16; ++index)
    layout[kFirstAvxRegister + index] = {RegisterSource::AvxUpperHalf,      16,    16,
                                         static_cast<uint16_t>(16 * index), "ymm", static_cast<int8_t>(index)};
  return layout;
}

constexpr bool is_complete(const std::array<RegisterLayout, kRegisterCount>& layout) {
  for (const RegisterLayout& entry : layout)
    if (entry.source == RegisterSource::None) return false;
  return true;
}
static_assert(is_complete(make_layout()), "each of gdb's numbers is one register");

constexpr unsigned component_of(RegisterSource source) {
  if (source == RegisterSource::Sse || source == RegisterSource::SseControl) return kSseComponent;
  return source == RegisterSource::AvxUpperHalf ? kAvxComponent : kX87Component;
}

}  // namespace

constexpr std::array<RegisterLayout, kRegisterCount> kRegisterLayout = make_layout();

// A component whose bit in XSTATE_BV is clear is in its initial state, and its bytes mean nothing (13.7). FXSAVE has
// no such header.
bool RegisterFile::component_in_use(unsigned component) const {
  return extended_size <= kLegacySize || (extended[kXstateBv] >> component & 1) != 0;
}

void RegisterFile::use_component(unsigned component) {
  if (component_in_use(component)) return;
  if (component == kX87Component) {
    __builtin_memset(extended.data(), 0, kMxcsr);
    __builtin_memset(extended.data() + kX87Stack, 0, kXmm - kX87Stack);
    __builtin_memcpy(extended.data(), &kInitialControlWord, sizeof kInitialControlWord);
  } else if (component == kSseComponent) {
    __builtin_memset(extended.data() + kXmm, 0, 256);
    // MXCSR belongs to SSE and AVX both; it is as good as AVX left it.
    if (!component_in_use(kAvxComponent))
      __builtin_memcpy(extended.data() + kMxcsr, &kInitialMxcsr, sizeof kInitialMxcsr);
  } else {
    __builtin_memset(extended.data() + avx_offset, 0, 256);
  }
  extended[kXstateBv] = static_cast<uint8_t>(extended[kXstateBv] | 1u << component);
}

// FXSAVE keeps one bit a physical register, "not empty"; the tag word that gdb shows has two: 0 valid, 1 zero,
// 2 special, 3 empty (Intel SDM vol. 1, 8.1.7 and 10.5.1.1).
uint16_t RegisterFile::full_tag_word() const {
  uint16_t status, result = 0;
  __builtin_memcpy(&status, extended.data() + 2, sizeof status);
  const unsigned top = status >> 11 & 7;
  for (unsigned physical = 0; physical < 8; ++physical) {
    unsigned tag = 3;
    if ((extended[kAbridgedTag] >> physical & 1) != 0) {
      const uint8_t* value = extended.data() + kX87Stack + 16 * ((physical - top) & 7);
      uint64_t significand;
      uint16_t exponent;
      __builtin_memcpy(&significand, value, 8);
      __builtin_memcpy(&exponent, value + 8, 2);
      exponent &= 0x7FFF;
      if (exponent == 0x7FFF)
        tag = 2;
      else if (exponent == 0)
        tag = significand == 0 ? 1 : 2;
      else
        tag = significand >> 63 != 0 ? 0 : 2;
    }
    result = static_cast<uint16_t>(result | tag << (2 * physical));
  }
  return result;
}

// Where its bytes are in `extended`; past the end if the area does not hold them.
size_t RegisterFile::place(const RegisterLayout& layout) const {
  if (layout.source != RegisterSource::AvxUpperHalf) return layout.offset;
  return has_avx ? size_t{avx_offset} + layout.offset : extended.size();
}

bool RegisterFile::read(size_t number, std::span<uint8_t> value) const {
  if (number >= kRegisterCount) return false;
  const RegisterLayout& layout = kRegisterLayout[number];
  if (value.size() != layout.size) return false;
  if (layout.source == RegisterSource::General) {
    if (!general_known) return false;
    __builtin_memcpy(value.data(), reinterpret_cast<const uint8_t*>(&general) + layout.offset, layout.size);
    return true;
  }
  const size_t at = place(layout);
  if (at + layout.stored_size > extended_size || at + layout.stored_size > extended.size()) return false;
  __builtin_memset(value.data(), 0, value.size());
  if (layout.source == RegisterSource::SseControl) {
    const bool initial = !component_in_use(kSseComponent) && !component_in_use(kAvxComponent);
    __builtin_memcpy(value.data(), initial ? reinterpret_cast<const uint8_t*>(&kInitialMxcsr) : extended.data() + at,
                     4);
  } else if (!component_in_use(component_of(layout.source))) {
    if (layout.source == RegisterSource::X87Control && layout.offset == 0)
      __builtin_memcpy(value.data(), &kInitialControlWord, 2);
    if (layout.source == RegisterSource::X87AbridgedTag) value[0] = value[1] = 0xFF;
  } else if (layout.source == RegisterSource::X87AbridgedTag) {
    const uint16_t tag = full_tag_word();
    __builtin_memcpy(value.data(), &tag, sizeof tag);
  } else {
    __builtin_memcpy(value.data(), extended.data() + at, layout.stored_size);
  }
  return true;
}

bool RegisterFile::write(size_t number, std::span<const uint8_t> value) {
  if (number >= kRegisterCount) return false;
  const RegisterLayout& layout = kRegisterLayout[number];
  if (value.size() != layout.size) return false;
  if (layout.source == RegisterSource::General) {
    if (!general_known) return false;
    uint64_t wide = 0;
    __builtin_memcpy(&wide, value.data(), layout.size);
    __builtin_memcpy(reinterpret_cast<uint8_t*>(&general) + layout.offset, &wide, sizeof wide);
    return true;
  }
  const size_t at = place(layout);
  if (at + layout.stored_size > extended_size || at + layout.stored_size > extended.size()) return false;
  use_component(component_of(layout.source));
  if (layout.source == RegisterSource::X87AbridgedTag) {
    const unsigned tag = value[0] | value[1] << 8;
    extended[kAbridgedTag] = 0;
    for (unsigned physical = 0; physical < 8; ++physical)
      if ((tag >> (2 * physical) & 3) != 3)
        extended[kAbridgedTag] = static_cast<uint8_t>(extended[kAbridgedTag] | 1u << physical);
  } else {
    __builtin_memcpy(extended.data() + at, value.data(), layout.stored_size);
  }
  return true;
}

}  // namespace mortem::gdbstub
