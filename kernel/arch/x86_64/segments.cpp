// GDT and TSS: fixed selectors, and stacks of their own for the traps that may come on a broken stack.

#include "kernel/arch/x86_64/segments.h"

#include "kernel/arch/x86_64/cpu.h"
#include "kernel/arch/x86_64/entry.h"

namespace kernel {

TaskSegment g_task_segment;
uint64_t g_descriptors[10];
PerCpu g_per_cpu;

namespace {

constexpr size_t kInterruptStackSize = 16384;
alignas(16) uint8_t g_interrupt_stacks[3][kInterruptStackSize];  // per CPU: NMI, #DF, #MC

}  // namespace

void set_kernel_stack(uint64_t top) {
  g_per_cpu.kernel_stack = top;
  g_task_segment.stack[0] = top;
}

void segments_initialize() {
  uint64_t base = reinterpret_cast<uint64_t>(&g_task_segment), limit = sizeof g_task_segment - 1;
  g_descriptors[2] = 0x00AF9B000000FFFF;  // 0x10 kernel code
  g_descriptors[3] = 0x00CF93000000FFFF;  // 0x18 kernel data
  g_descriptors[4] = 0x00CFFB000000FFFF;  // 0x20 32-bit user code: SYSRET's base selector, never entered
  g_descriptors[5] = 0x00CFF3000000FFFF;  // 0x28 user data
  g_descriptors[6] = 0x00AFFB000000FFFF;  // 0x30 user code
  g_descriptors[8] = limit | (base & 0xFFFFFF) << 16 | 0x89ull << 40 | (base >> 24 & 0xFF) << 56;
  g_descriptors[9] = base >> 32;
  for (int i = 0; i < 3; ++i)
    g_task_segment.interrupt_stack[i] = reinterpret_cast<uint64_t>(g_interrupt_stacks[i] + kInterruptStackSize);
  g_task_segment.io_map_base = sizeof g_task_segment;

  struct [[gnu::packed]] {
    uint16_t limit;
    uint64_t base;
  } pointer = {sizeof g_descriptors - 1, reinterpret_cast<uint64_t>(g_descriptors)};
  asm volatile(
      "lgdt %0\n"
      "pushq %1\n"
      "leaq 1f(%%rip), %%rax\n"
      "pushq %%rax\n"
      "lretq\n"
      "1:\n"
      "movl %2, %%ds\n"
      "movl %2, %%es\n"
      "movl %2, %%ss\n"
      "movl %3, %%fs\n"
      "movl %3, %%gs\n"
      "ltr %w4\n" ::"m"(pointer),
      "i"(kKernelCode), "r"(uint32_t{kKernelData}), "r"(0), "r"(uint32_t{kTaskSegment})
      : "rax", "memory");
  asm volatile("movl %0, %%ds; movl %0, %%es" ::"r"(0));
}

}  // namespace kernel
