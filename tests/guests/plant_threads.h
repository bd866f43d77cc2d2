// Known values in every register of several threads at one moment. As plant.h, but each thread has its own: general
// register number i of thread t holds kPlantFactor * (16 * (t + 1) + i + 1), 64-bit lane l of vector register v
// kVectorFactor * (64 * (t + 1) + 4 * v + l + 1), and its x87 top of stack t + 1.
#pragma once

#include <stdint.h>

enum PlantRegister {
  kPlantRax,
  kPlantRbx,
  kPlantRcx,
  kPlantRdx,
  kPlantRsi,
  kPlantRdi,
  kPlantRbp,
  kPlantR8,
  kPlantR9,
  kPlantR10,
  kPlantR11,
  kPlantR12,
  kPlantR13,
  kPlantR14,
  kPlantR15,
  kPlantCount
};

struct RegisterPlant {
  uint64_t vectors[64];           // offset 0
  uint64_t general[kPlantCount];  // offset 512
  uint64_t x87;                   // offset 632, an integer
  uint32_t mxcsr;                 // offset 640
  uint32_t has_avx;               // offset 644
  uint64_t stack_pointer;         // offset 648: noted here when the thread stops
  uint64_t instruction;           // offset 656: where it stops
};

extern "C" {
__attribute__((used)) inline RegisterPlant register_plants[32];
}

#define PLANTED_LOCAL(thread) (0xC0FFEE0000000000ull + (thread))

inline void plant_prepare_threads(int count) {
  for (int t = 0; t < count; ++t) {
    RegisterPlant& plant = register_plants[t];
    for (uint64_t i = 0; i < 64; ++i) plant.vectors[i] = 0x9E3779B97F4A7C15ull * (64 * (t + 1ull) + i + 1);
    for (uint64_t i = 0; i < kPlantCount; ++i) plant.general[i] = 0x0123456789ABCDEFull * (16 * (t + 1ull) + i + 1);
    plant.x87 = t + 1ull;
    plant.mxcsr = 0x1F80 | (static_cast<uint32_t>(t) & 3) << 13;  // everything masked, rounding differs
    plant.has_avx = __builtin_cpu_supports("avx") != 0;
  }
}

inline void plant_call(RegisterPlant& plant, long number, uint64_t a, uint64_t b, uint64_t c, uint64_t d) {
  plant.general[kPlantRax] = static_cast<uint64_t>(number);
  plant.general[kPlantRdi] = a;
  plant.general[kPlantRsi] = b;
  plant.general[kPlantRdx] = c;
  plant.general[kPlantR10] = d;
}

#define LOAD_VECTOR(move, width, number) move " 32*" #number "(%%rax), %%" width #number "\n\t"
#define LOAD_VECTORS(move, width)                                                                                     \
  LOAD_VECTOR(move, width, 0)                                                                                         \
  LOAD_VECTOR(move, width, 1) LOAD_VECTOR(move, width, 2) LOAD_VECTOR(move, width, 3) LOAD_VECTOR(move, width, 4)     \
      LOAD_VECTOR(move, width, 5) LOAD_VECTOR(move, width, 6) LOAD_VECTOR(move, width, 7) LOAD_VECTOR(move, width, 8) \
          LOAD_VECTOR(move, width, 9) LOAD_VECTOR(move, width, 10) LOAD_VECTOR(move, width, 11)                       \
              LOAD_VECTOR(move, width, 12) LOAD_VECTOR(move, width, 13) LOAD_VECTOR(move, width, 14)                  \
                  LOAD_VECTOR(move, width, 15)
#define LOAD_GENERAL(name, number) "mov 512+8*" #number "(%%rax), %%" name "\n\t"

// The pointer to the plant is in rax, whose own value comes last.
#define LOAD_PLANT \
  "cmpl $0, 644(%%rax)\n\t"                                                                                     \
  "je 7f\n\t" LOAD_VECTORS("vmovdqu", "ymm") "jmp 8f\n"                                                         \
  "7:\n\t" LOAD_VECTORS("movdqu", "xmm") "8:\n\t"                                                               \
  "fninit\n\t"                                                                                                  \
  "fildq 632(%%rax)\n\t"                                                                                        \
  "ldmxcsr 640(%%rax)\n\t"                                                                                      \
  "mov %%rsp, 648(%%rax)\n\t"                                                                                   \
  "lea 9f(%%rip), %%rbx\n\t"                                                                                    \
  "mov %%rbx, 656(%%rax)\n\t" LOAD_GENERAL("rbx", 1) LOAD_GENERAL("rcx", 2) LOAD_GENERAL("rdx", 3)              \
  LOAD_GENERAL("rsi", 4) LOAD_GENERAL("rdi", 5) LOAD_GENERAL("rbp", 6) LOAD_GENERAL("r8", 7)                    \
  LOAD_GENERAL("r9", 8) LOAD_GENERAL("r10", 9) LOAD_GENERAL("r11", 10) LOAD_GENERAL("r12", 11)                  \
  LOAD_GENERAL("r13", 12) LOAD_GENERAL("r14", 13) LOAD_GENERAL("r15", 14) LOAD_GENERAL("rax", 0)

#define STOP_WITH(plant, instruction)                                                                                  \
  do {                                                                                                                 \
    RegisterPlant* plant_pointer = &(plant);                                                                           \
    __asm__ volatile(LOAD_PLANT "9:\n\t" instruction "\n\t"                                                            \
                     : "+a"(plant_pointer)                                                                             \
                     :                                                                                                 \
                     : "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", \
                       "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10",        \
                       "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "st", "cc", "memory");                             \
  } while (0)

// What follows a call belongs to its line: that is where the thread stands.
#define STOP_IN_CALL(plant) STOP_WITH(plant, "syscall\n\tnop")
#define STOP_SPINNING(plant) STOP_WITH(plant, "jmp 9b")
#define STOP_AT_NULL(plant) STOP_WITH(plant, "mov (%%rdi), %%rax")
