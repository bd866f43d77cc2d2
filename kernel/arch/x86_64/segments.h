// The 64-bit TSS (Intel SDM vol. 3, figure 8-11).
#pragma once

#include <cstdint>

namespace kernel {

struct [[gnu::packed]] TaskSegment {
  uint32_t reserved0;
  uint64_t stack[3];            // rsp0..2
  uint64_t reserved1;
  uint64_t interrupt_stack[7];  // IST 1..7
  uint64_t reserved2;
  uint16_t reserved3, io_map_base;
};
static_assert(sizeof(TaskSegment) == 104);
extern TaskSegment g_task_segment;
extern uint64_t g_descriptors[10];

inline constexpr uint8_t kStackForNmi = 1, kStackForDoubleFault = 2, kStackForMachineCheck = 3;

}  // namespace kernel
