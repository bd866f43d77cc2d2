// The CPUID instruction (Intel SDM vol. 2A). Usable before relocation.
#pragma once

#include <cstdint>

namespace kernel {

struct CpuidResult {
  uint32_t eax, ebx, ecx, edx;
};

// All zero for a leaf beyond the highest one of its group.
inline CpuidResult cpuid(uint32_t leaf, uint32_t subleaf = 0) {
  CpuidResult highest, result;
  uint32_t group = leaf & 0xF0000000;
  asm volatile("cpuid" : "=a"(highest.eax), "=b"(highest.ebx), "=c"(highest.ecx), "=d"(highest.edx) : "a"(group), "c"(0));
  if (highest.eax < leaf) return {0, 0, 0, 0};
  asm volatile("cpuid" : "=a"(result.eax), "=b"(result.ebx), "=c"(result.ecx), "=d"(result.edx) : "a"(leaf), "c"(subleaf));
  return result;
}

}  // namespace kernel
