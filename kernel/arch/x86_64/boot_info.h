// What early.cpp found out before the kernel ran at its own addresses.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernel/arch/x86_64/restart.h"

namespace kernel {

struct RamRange {
  uint64_t start, end;  // physical, end exclusive
};

struct BootInfo {
  uint64_t root;              // physical: page table root
  uint64_t load_bias;         // virtual address of the image's address 0
  uint64_t direct_map_base;
  uint8_t* page_owners;       // virtual (direct map)
  uint64_t page_count;
  RamRange ram[64];
  size_t ram_count;
  uint64_t early_tsc;         // first look at the clock
  uint64_t random[4];         // entropy gathered early: stack and device regions
  char command_line[16384];
  bool has_no_execute;
  RestartInfo restart;
};
extern BootInfo g_boot_info;

inline constexpr uint64_t kKernelPhysicalBase = 0x200000;  // of the image's address 0 (kernel.lds)

// kernel.lds
extern "C" {
[[gnu::visibility("hidden")]] extern char text_start[], text_end[], rodata_start[], rodata_end[], relro_end[],
    data_end[], image_end[], relocations_start[], relocations_end[], build_id_note_start[], build_id_note_end[];
}

}  // namespace kernel
