// The first C++: runs at the physical address, on the boot identity map of 4 GiB, before relocation. Nothing here may
// use a pointer that needs relocating (vtables, tables of strings).
// It chooses where the kernel will live (address space randomisation), builds the final page tables and relocates.

#include <elf.h>

#include "kernel/arch/x86_64/boot_info.h"
#include "kernel/arch/x86_64/cpuid.h"
#include "snapshot/format/guest_description.h"

namespace kernel {

BootInfo g_boot_info;

namespace {

using mortem::format::PageOwner;

// xen/include/public/arch-x86/hvm/start_info.h, version 1.
struct StartInfo {
  uint32_t magic, version, flags, module_count;
  uint64_t module_list, command_line, rsdp, memory_map;
  uint32_t memory_map_entries, reserved;
};
constexpr uint32_t kStartInfoMagic = 0x336EC578;
struct MemoryMapEntry {
  uint64_t address, size;
  uint32_t type, reserved;  // type 1: RAM
};

constexpr uint64_t kPage = 4096, kLargePage = 2 << 20;
constexpr uint64_t kPresent = 1, kWrite = 2, kLarge = 0x80, kGlobal = 0x100, kNoExecute = 1ull << 63;

uint64_t up(uint64_t value, uint64_t size) { return (value + size - 1) & ~(size - 1); }

[[noreturn]] void stop(const char* why) {
  for (; *why != 0; ++why) asm volatile("outb %0, %1" ::"a"(*why), "Nd"(uint16_t{0x3F8}));
  for (;;) asm volatile("cli; hlt");
}

uint64_t tsc() {
  uint32_t low, high;
  asm volatile("rdtsc" : "=a"(low), "=d"(high));
  return uint64_t{high} << 32 | low;
}

// RDRAND where there is one; always mixed with the jitter of the time stamp counter (splitmix64 finaliser).
uint64_t early_random() {
  static uint64_t state;
  uint64_t value = 0;
  if (cpuid(1).ecx & (1u << 30)) {
    for (int tries = 0; tries < 16; ++tries) {
      uint8_t good;
      asm volatile("rdrand %0; setc %1" : "=r"(value), "=qm"(good));
      if (good) break;
    }
  }
  for (int round = 0; round < 32; ++round) state = (state << 7 | state >> 57) ^ (tsc() * 0x9E3779B97F4A7C15ull);
  value ^= state;
  value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9ull;
  value = (value ^ (value >> 27)) * 0x94D049BB133111EBull;
  return value ^ (value >> 31);
}

struct EarlyMemory {
  uint64_t next, end;     // physical, page-aligned
  uint8_t* owners;        // physical, null until it stands
};

uint64_t early_allocate(EarlyMemory& memory, uint64_t pages, PageOwner owner) {
  uint64_t start = memory.next;
  if (start + pages * kPage > memory.end) stop("mortem: too little memory to start in\n");
  memory.next += pages * kPage;
  uint64_t* words = reinterpret_cast<uint64_t*>(start);
  for (uint64_t i = 0; i < pages * kPage / 8; ++i) asm volatile("movq $0, %0" : "=m"(words[i]));
  if (memory.owners != nullptr)
    for (uint64_t page = 0; page < pages; ++page) memory.owners[start / kPage + page] = static_cast<uint8_t>(owner);
  return start;
}

uint64_t* table_below(EarlyMemory& memory, uint64_t* entry) {
  if ((*entry & kPresent) == 0) *entry = early_allocate(memory, 1, PageOwner::PageTable) | kPresent | kWrite;
  return reinterpret_cast<uint64_t*>(*entry & 0x000FFFFFFFFFF000);
}

void early_map(EarlyMemory& memory, uint64_t root, uint64_t address, uint64_t physical, uint64_t flags, bool large) {
  uint64_t* table = reinterpret_cast<uint64_t*>(root);
  table = table_below(memory, &table[(address >> 39) & 511]);
  table = table_below(memory, &table[(address >> 30) & 511]);
  if (large) {
    table[(address >> 21) & 511] = physical | flags | kLarge;
    return;
  }
  table = table_below(memory, &table[(address >> 21) & 511]);
  table[(address >> 12) & 511] = physical | flags;
}

void read_memory_map(const StartInfo& info) {
  BootInfo& boot = g_boot_info;
  const auto* entries = reinterpret_cast<const MemoryMapEntry*>(info.memory_map);
  for (uint32_t i = 0; i < info.memory_map_entries && boot.ram_count < 64; ++i) {
    if (entries[i].type != 1) continue;
    uint64_t start = up(entries[i].address, kPage), end = (entries[i].address + entries[i].size) & ~(kPage - 1);
    if (start >= end) continue;
    boot.ram[boot.ram_count++] = {start, end};
    if (end / kPage > boot.page_count) boot.page_count = end / kPage;
  }
}

void read_command_line(const StartInfo& info) {
  const char* from = reinterpret_cast<const char*>(info.command_line);
  if (from == nullptr) return;
  for (size_t i = 0; i + 1 < sizeof g_boot_info.command_line && from[i] != 0; ++i) g_boot_info.command_line[i] = from[i];
}

uint64_t physical_of(const char* symbol) { return reinterpret_cast<uint64_t>(symbol); }

void set_owner(uint8_t* owners, uint64_t start, uint64_t end, PageOwner owner) {
  uint64_t page = start / kPage, last = end / kPage;
  uint64_t eight = static_cast<uint8_t>(owner) * 0x0101010101010101ull;
  for (; page < last && (page & 7) != 0; ++page) owners[page] = static_cast<uint8_t>(owner);
  for (; page + 8 <= last; page += 8) *reinterpret_cast<uint64_t*>(owners + page) = eight;
  for (; page < last; ++page) owners[page] = static_cast<uint8_t>(owner);
}

void fill_owner_table(EarlyMemory& memory, uint64_t table_bytes) {
  BootInfo& boot = g_boot_info;
  uint64_t table = early_allocate(memory, up(table_bytes, kPage) / kPage, PageOwner::KernelHeap);
  memory.owners = reinterpret_cast<uint8_t*>(table);
  for (size_t i = 0; i < boot.ram_count; ++i)
    set_owner(memory.owners, boot.ram[i].start, boot.ram[i].end, PageOwner::Free);
  set_owner(memory.owners, 0, 0x100000, PageOwner::Firmware);
  set_owner(memory.owners, mortem::format::kResumeTrampolineAddress, mortem::format::kGuestDescriptionAddress + kPage,
            PageOwner::Reserved);
  set_owner(memory.owners, kKernelPhysicalBase, physical_of(image_end), PageOwner::KernelImage);
  set_owner(memory.owners, table, memory.next, PageOwner::KernelHeap);
}

void map_image(EarlyMemory& memory, uint64_t root, uint64_t bias, uint64_t no_execute) {
  for (uint64_t at = physical_of(text_start); at < physical_of(image_end); at += kPage) {
    uint64_t flags = kPresent | kGlobal;
    if (at >= physical_of(text_end)) flags |= no_execute;
    if (at >= physical_of(relro_end)) flags |= kWrite;
    early_map(memory, root, at - kKernelPhysicalBase + bias, at, flags, false);
  }
}

void map_ram(EarlyMemory& memory, uint64_t root, uint64_t base, uint64_t no_execute) {
  uint64_t constant_start = physical_of(text_start), constant_end = physical_of(relro_end);
  for (size_t i = 0; i < g_boot_info.ram_count; ++i) {
    uint64_t at = g_boot_info.ram[i].start, end = g_boot_info.ram[i].end;
    while (at < end) {
      bool large = at % kLargePage == 0 && at + kLargePage <= end &&
                   !(at < constant_end && constant_start < at + kLargePage);
      bool constant = at >= constant_start && at < constant_end;
      early_map(memory, root, base + at, at, kPresent | kGlobal | no_execute | (constant ? 0 : kWrite), large);
      at += large ? kLargePage : kPage;
    }
  }
}

// What a boot without the firmware needs (restart.h), before anything of it changes.
void keep_variables(EarlyMemory& memory) {
  RestartInfo& restart = g_boot_info.restart;
  restart.data_size = up(physical_of(data_end) - physical_of(relro_end), 8);
  restart.data = early_allocate(memory, up(restart.data_size, kPage) / kPage, PageOwner::KernelImage);
  const auto* from = reinterpret_cast<const uint64_t*>(physical_of(relro_end));
  auto* to = reinterpret_cast<uint64_t*>(restart.data);
  for (uint64_t i = 0; i < restart.data_size / 8; ++i) to[i] = from[i];
  restart.data_sum = restart_sum(to, restart.data_size / 8);
}

void keep_parameters(const StartInfo& info) {
  constexpr uint64_t kEntries = kRestartParameters + 64;
  constexpr uint32_t kMostEntries = (kRestartCommandLine - kEntries) / sizeof(MemoryMapEntry);
  // After a restart they stand there already, and are copied onto themselves.
  auto& kept = *reinterpret_cast<StartInfo*>(kRestartParameters);
  const auto* entries = reinterpret_cast<const MemoryMapEntry*>(info.memory_map);
  const uint32_t count = info.memory_map_entries < kMostEntries ? info.memory_map_entries : kMostEntries;
  for (uint32_t i = 0; i < count; ++i) reinterpret_cast<MemoryMapEntry*>(kEntries)[i] = entries[i];
  auto* line = reinterpret_cast<char*>(kRestartCommandLine);
  for (size_t i = 0; i < sizeof g_boot_info.command_line; ++i) line[i] = g_boot_info.command_line[i];
  kept = StartInfo{kStartInfoMagic, 1, 0, 0, 0, kRestartCommandLine, info.rsdp, kEntries, count, 0};
  g_boot_info.restart.parameters_sum =
      restart_sum(reinterpret_cast<const uint64_t*>(kRestartParameters), kRestartParametersSize / 8);
}

void relocate(uint64_t bias) {
  const auto* first = reinterpret_cast<const Elf64_Rela*>(relocations_start);
  const auto* last = reinterpret_cast<const Elf64_Rela*>(relocations_end);
  for (const Elf64_Rela* entry = first; entry < last; ++entry) {
    if (ELF64_R_TYPE(entry->r_info) != R_X86_64_RELATIVE) stop("mortem: unknown relocation in the kernel image\n");
    *reinterpret_cast<uint64_t*>(kKernelPhysicalBase + entry->r_offset) = bias + entry->r_addend;
  }
}

}  // namespace

uint64_t restart_sum(const uint64_t* words, size_t count) {
  uint64_t sum = count;
  for (size_t i = 0; i < count; ++i) sum = (sum << 1 | sum >> 63) ^ words[i] * 0x9E3779B97F4A7C15ull;
  return sum;
}

struct StageOneResult {
  uint64_t root, bias;
};

extern "C" [[gnu::visibility("hidden")]] StageOneResult boot_stage1(const StartInfo* info) {
  BootInfo& boot = g_boot_info;
  boot.early_tsc = tsc();
  if (info->magic != kStartInfoMagic || info->version < 1) stop("mortem: no PVH start info of version 1 or newer\n");
  read_memory_map(*info);
  read_command_line(*info);

  EarlyMemory memory{up(physical_of(image_end), kPage), 0, nullptr};
  for (size_t i = 0; i < boot.ram_count; ++i)
    if (boot.ram[i].start <= kKernelPhysicalBase && memory.next < boot.ram[i].end)
      memory.end = boot.ram[i].end < (4ull << 30) ? boot.ram[i].end : 4ull << 30;
  fill_owner_table(memory, boot.page_count);
  keep_variables(memory);
  keep_parameters(*info);

  boot.has_no_execute = (cpuid(0x80000001).edx >> 20) & 1;
  if (boot.has_no_execute) {
    uint32_t low, high;
    asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(0xC0000080));
    asm volatile("wrmsr" ::"a"(low | 0x800), "d"(high), "c"(0xC0000080));
  }
  uint64_t no_execute = boot.has_no_execute ? kNoExecute : 0;

  uint64_t image_size = physical_of(image_end) - kKernelPhysicalBase;
  uint64_t slots = ((1ull << 30) - up(image_size, kLargePage)) / kPage;
  boot.load_bias = 0xFFFFFFFF80000000 + early_random() % slots * kPage;
  boot.direct_map_base = 0xFFFF888000000000 + early_random() % 4096 * (1ull << 30);
  for (uint64_t& value : boot.random) value = early_random();

  boot.root = early_allocate(memory, 1, PageOwner::PageTable);
  map_image(memory, boot.root, boot.load_bias, no_execute);
  map_ram(memory, boot.root, boot.direct_map_base, no_execute);
  // The jump to the final addresses happens on this identity map; kernel_main drops it.
  reinterpret_cast<uint64_t*>(boot.root)[0] = *reinterpret_cast<uint64_t*>(0x180000);
  boot.page_owners = reinterpret_cast<uint8_t*>(boot.direct_map_base + reinterpret_cast<uint64_t>(memory.owners));
  relocate(boot.load_bias);
  return {boot.root, boot.load_bias};
}

}  // namespace kernel
