// How the crash path reads memory: it trusts no pointer. Every read says whether it could be done.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernel/memory/physical.h"

namespace kernel {

// Kernel memory at an address that may be bad.
bool read_kernel(void* to, const void* from, size_t size);
template <typename T>
bool read_kernel(T& to, const T* from) {
  return read_kernel(static_cast<void*>(&to), static_cast<const void*>(from), sizeof(T));
}
// A NUL-terminated string of kernel memory; what does not fit is cut. False (and an empty string): not readable.
bool read_kernel_string(char* to, size_t capacity, const char* from);

bool is_ram(PhysicalAddress address);
// Within one page.
bool read_physical(void* to, PhysicalAddress from, size_t size);

// Virtual memory of app or kernel through the page tables that were active at the crash; reads what is there from
// `address` on and returns how many bytes that was.
size_t read_virtual(void* to, uint64_t address, size_t size);
template <typename T>
bool read_virtual(T& to, uint64_t address) {
  return read_virtual(&to, address, sizeof(T)) == sizeof(T);
}

}  // namespace kernel
