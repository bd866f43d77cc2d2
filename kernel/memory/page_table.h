// Four-level page tables. The upper half (kernel) is the same in every table.
#pragma once

#include <cstdint>
#include <optional>

#include "kernel/memory/physical.h"

namespace kernel {

struct PageAccess {
  bool write = false;
  bool execute = false;  // never together with write for the kernel
  bool user = false;
  bool uncached = false;  // device memory
};

struct PageMapping {
  PhysicalAddress physical;  // of the byte at the address asked for
  PageAccess access;
  uint64_t page_size;  // bytes: 4096, 2 MiB or 1 GiB
};

class PageTable {
 public:
  explicit constexpr PageTable(PhysicalAddress root) : root_(root) {}

  Result<void> map(uint64_t address, PhysicalAddress physical, PageAccess access);  // one 4 KiB page; replaces
  void unmap(uint64_t address);                       // one 4 KiB page; nothing there is no error; flushes the TLB
  void protect(uint64_t address, PageAccess access);  // one 4 KiB page that is mapped, else nothing
  static void flush(uint64_t address);                // out of the TLB
  std::optional<PageMapping> lookup(uint64_t address) const;
  // The same for the crash path: trusts no pointer, checks that every table is a RAM page.
  std::optional<PageMapping> lookup_checked(uint64_t address) const;
  PhysicalAddress root() const { return root_; }

 private:
  PhysicalAddress root_;
};

PageTable& kernel_page_table();  // the boot table; the app's lower half lives in it too (one program, one VM)

// Maps device memory, uncached, not executable, at an address of its own. Returns its virtual address.
Result<uint64_t> map_device_memory(PhysicalAddress physical, size_t size);

// A stack with an unmapped guard page below it, at a random place of the kernel's stack region. `top` is exclusive.
struct KernelStack {
  uint64_t bottom, top;
};
Result<KernelStack> allocate_kernel_stack(size_t size);
void free_kernel_stack(const KernelStack& stack);  // its pages; the addresses are not used again

// The ranges of kernel address space that are in use, for the dump: image, stacks, then the direct map.
struct KernelRange {
  uint64_t start, end;
  const char* name;
};
size_t kernel_ranges(KernelRange* ranges, size_t capacity);  // allocates nothing; image and stacks only

}  // namespace kernel
