// A guest that exists only as bytes: physical memory, page tables, areas, threads and modules behind the names that the
// crash path asks the kernel for, so that its code runs in a test as it runs in the kernel.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernel/crash/crash_state.h"
#include "kernel/memory/physical.h"
#include "kernel/task/process.h"

namespace mortem::test {

class FakeGuest {
 public:
  explicit FakeGuest(size_t pages = 4096);  // 16 MiB
  ~FakeGuest();
  static FakeGuest* current;

  kernel::PhysicalAddress allocate(kernel::PageOwner owner, size_t count = 1);
  uint8_t* bytes(kernel::PhysicalAddress physical) { return memory_ + physical; }
  bool holds(const void* at, size_t size) const;

  // One page, with page-table entries like the kernel's; the page is filled with `fill`.
  kernel::PhysicalAddress map(uint64_t address, kernel::PageOwner owner, uint8_t fill, bool write = true,
                              bool execute = false, bool user = true);
  uint64_t* entry(uint64_t address);  // of the lowest level, made when missing
  void area(uint64_t start, uint64_t end, uint8_t protection, kernel::AreaKind kind, const char* path = nullptr,
            uint64_t file_offset = 0);
  void module(format::ModuleKind kind, const std::string& path, uint64_t start, uint64_t end,
              const std::vector<uint8_t>& id);
  void log(const std::string& text);
  void poke(uint64_t address, const void* from, size_t size);

  // A null write of the program /bin/fake, on two pages of code and a stack; every register has a value of its own.
  void crash_of_the_app();
  kernel::CrashState state{};

  size_t page_count;
  std::vector<kernel::PageOwner> owners;
  std::vector<kernel::MemoryArea> areas;
  std::vector<uint8_t> modules;
  std::vector<uint64_t> auxv;
  std::vector<kernel::KernelRange> ranges;
  std::string arguments = "/bin/fake --quick";
  kernel::PhysicalAddress root = 0;
  uint64_t clock = 0, clock_step = 0;  // read_tsc(): grows by the step with each call

 private:
  uint8_t* memory_;
  size_t next_page_ = 0x200;  // behind the guest description
  std::vector<char> log_bytes_;
  kernel::Thread thread_{};
  kernel::TrapFrame frame_{};
};

inline constexpr uint64_t kFakeText = 0x401000, kFakeData = 0x403000, kFakeStackTop = 0x7ffffff00000;
// Register n of the table has this value (those that a core debugger may set freely).
constexpr uint64_t planted(unsigned n) {
  return 0x1111'0000'0000'0000 + n * 0x0001'0101'0101'0101;
}

}  // namespace mortem::test
