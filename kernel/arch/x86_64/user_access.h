// The only ways from the kernel to the app's memory: checked, with SMAP opened around them, faults answered by
// Error::Fault through the fixup table.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "kernel/library/result.h"

namespace kernel {

inline constexpr uint64_t kUserLow = 0x10000;             // Linux's mmap_min_addr
inline constexpr uint64_t kUserEnd = 0x7fff'ffff'f000;    // TASK_SIZE of x86-64 with four-level paging

Result<void> copy_from_user(void* to, uint64_t from, size_t size);
Result<void> copy_to_user(uint64_t to, const void* from, size_t size);
Result<void> clear_user(uint64_t to, size_t size);
// Copies a NUL-terminated string; returns its length without the NUL, NameTooLong if none stands in `size` bytes.
Result<size_t> copy_string_from_user(char* to, uint64_t from, size_t size);
// The same for kernel memory that may be bad (the crash path reads everything through this).
Result<void> copy_from_kernel_checked(void* to, uint64_t from, size_t size);

template <typename T>
Result<T> read_user(uint64_t from) {
  static_assert(std::is_trivially_copyable_v<T>);
  T value;
  TRY(copy_from_user(&value, from, sizeof value));
  return value;
}
template <typename T>
Result<void> write_user(uint64_t to, const T& value) {
  static_assert(std::is_trivially_copyable_v<T>);
  return copy_to_user(to, &value, sizeof value);
}

}  // namespace kernel
