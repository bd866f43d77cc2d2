#include "kernel/arch/x86_64/restart.h"

#include "kernel/arch/x86_64/boot_info.h"
#include "kernel/arch/x86_64/cpu.h"
#include "kernel/memory/physical.h"

namespace kernel {

extern "C" {
[[gnu::visibility("hidden")]] extern const char restart_code[], restart_code_end[], pvh_entry[];
}

namespace {

uint64_t physical_of(const char* symbol) {
  return reinterpret_cast<uint64_t>(symbol) - g_boot_info.load_bias + kKernelPhysicalBase;
}

// The first 4 GiB where they are, beside the kernel's own half, in which this code still runs.
uint64_t make_identity_map() {
  constexpr uint64_t kPresentWrite = 3, kLargePage = 0x80, kPageDirectories = 4;
  auto* root = direct_map<uint64_t>(kRestartTables);
  auto* upper = direct_map<uint64_t>(kRestartTables + kPageSize);
  const auto* running = direct_map<uint64_t>(read_cr3() & 0x000F'FFFF'FFFF'F000);
  for (size_t index = 0; index < 512; ++index) root[index] = index < 256 ? 0 : running[index], upper[index] = 0;
  root[0] = (kRestartTables + kPageSize) | kPresentWrite;
  for (uint64_t index = 0; index < kPageDirectories; ++index) {
    const uint64_t table = kRestartTables + (2 + index) * kPageSize;
    upper[index] = table | kPresentWrite;
    auto* entries = direct_map<uint64_t>(table);
    for (uint64_t page = 0; page < 512; ++page) entries[page] = (index << 30 | page << 21) | kPresentWrite | kLargePage;
  }
  return kRestartTables;
}

bool kept_is_whole(const RestartInfo& info) {
  const uint64_t size = static_cast<uint64_t>(data_end - relro_end + 7) & ~uint64_t{7};
  return info.data_size == size && (info.data & (kPageSize - 1)) == 0 &&
         info.data / kPageSize + size / kPageSize < memory_page_count() &&
         restart_sum(direct_map<uint64_t>(info.data), size / 8) == info.data_sum &&
         restart_sum(direct_map<uint64_t>(kRestartParameters), kRestartParametersSize / 8) == info.parameters_sum;
}

}  // namespace

void restart_kernel() {
  const RestartInfo info = g_boot_info.restart;
  if (!kept_is_whole(info)) return;
  __builtin_memcpy(direct_map<char>(kRestartCode), restart_code, static_cast<size_t>(restart_code_end - restart_code));
  const uint64_t root = make_identity_map();
  const uint64_t variables = physical_of(relro_end);
  const uint64_t zeros = (physical_of(image_end) - variables - info.data_size) / 8;
  register uint64_t entry asm("rax") = physical_of(pvh_entry);
  register uint64_t tables asm("r8") = root;
  register uint64_t code asm("r9") = kRestartCode;
  asm volatile(
      "movq %%r8, %%cr3\n\t"
      "movq %%rax, %%rbp\n\t"
      "jmp *%%r9"
      :
      : "r"(entry), "r"(tables), "r"(code), "S"(info.data), "D"(variables), "c"(info.data_size / 8), "d"(zeros),
        "b"(kRestartParameters)
      : "memory");
  __builtin_unreachable();
}

}  // namespace kernel
