#include "kernel/arch/x86_64/user_access.h"

#include "kernel/arch/x86_64/fixup.h"

namespace kernel {

extern "C" {
[[gnu::visibility("hidden")]] bool g_smap_enabled;
[[gnu::visibility("hidden")]] int raw_user_copy(void* to, const void* from, size_t size);
[[gnu::visibility("hidden")]] int raw_kernel_copy(void* to, const void* from, size_t size);
[[gnu::visibility("hidden")]] int raw_user_clear(uint64_t to, size_t size);
[[gnu::visibility("hidden")]] int64_t raw_user_string(char* to, uint64_t from, size_t size);
struct FixupEntry {
  int32_t fault, target;  // relative to their own addresses
};
[[gnu::visibility("hidden")]] extern const FixupEntry fixup_table_start[], fixup_table_end[];
}

namespace {

const FixupEntry* find_fixup(uint64_t rip) {
  for (const FixupEntry* entry = fixup_table_start; entry < fixup_table_end; ++entry)
    if (reinterpret_cast<uint64_t>(&entry->fault) + int64_t{entry->fault} == rip) return entry;
  return nullptr;
}

bool in_user_half(uint64_t address, size_t size) { return size <= kUserEnd && address <= kUserEnd - size; }

}  // namespace

bool has_fixup(const TrapFrame& frame) { return find_fixup(frame.rip) != nullptr; }

bool apply_fixup(TrapFrame& frame) {
  const FixupEntry* entry = find_fixup(frame.rip);
  if (entry == nullptr) return false;
  frame.rip = reinterpret_cast<uint64_t>(&entry->target) + int64_t{entry->target};
  return true;
}

Result<void> copy_from_user(void* to, uint64_t from, size_t size) {
  if (!in_user_half(from, size) || raw_user_copy(to, reinterpret_cast<const void*>(from), size) != 0)
    return Error::Fault;
  return {};
}

Result<void> copy_to_user(uint64_t to, const void* from, size_t size) {
  if (!in_user_half(to, size) || raw_user_copy(reinterpret_cast<void*>(to), from, size) != 0) return Error::Fault;
  return {};
}

Result<void> clear_user(uint64_t to, size_t size) {
  if (!in_user_half(to, size) || raw_user_clear(to, size) != 0) return Error::Fault;
  return {};
}

Result<size_t> copy_string_from_user(char* to, uint64_t from, size_t size) {
  if (from >= kUserEnd) return Error::Fault;
  size_t limit = size < kUserEnd - from ? size : kUserEnd - from;
  int64_t length = raw_user_string(to, from, limit);
  if (length == -1) return Error::Fault;
  if (length == -2) return limit < size ? Error::Fault : Error::NameTooLong;
  return static_cast<size_t>(length);
}

Result<void> copy_from_kernel_checked(void* to, uint64_t from, size_t size) {
  constexpr uint64_t kKernelHalf = 0xFFFF'8000'0000'0000;
  if (from < kKernelHalf || from + size < from) return Error::Fault;
  if (raw_kernel_copy(to, reinterpret_cast<const void*>(from), size) != 0) return Error::Fault;
  return {};
}

}  // namespace kernel
