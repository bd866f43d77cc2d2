// Known values in every register at the moment of death.
//
// DIE_WITH("instruction") loads all vector registers, notes the stack pointer and the address of the instruction in
// plant_stack_pointer and plant_instruction, loads the general registers, and executes the instruction. A test finds
// the same values in the dump: general register number i (in the order below) holds kPlantFactor * (i + 1), 64-bit
// lane l of vector register v holds kVectorFactor * (4 * v + l + 1). A text in `last` may change registers that the
// instruction needs; the test's expectations say which.
#pragma once

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define VECTOR_FACTOR 0x9E3779B97F4A7C15ull
#define VECTOR_LANE(v, l) (VECTOR_FACTOR * (4ull * (v) + (l) + 1))
#define VECTOR(v) VECTOR_LANE(v, 0), VECTOR_LANE(v, 1), VECTOR_LANE(v, 2), VECTOR_LANE(v, 3)

// One guest is one translation unit, so these stand in the header. `used`: only the assembly below reads them.
__attribute__((used)) uint64_t plant_vectors[64] = {VECTOR(0),  VECTOR(1),  VECTOR(2),  VECTOR(3),
                                                    VECTOR(4),  VECTOR(5),  VECTOR(6),  VECTOR(7),
                                                    VECTOR(8),  VECTOR(9),  VECTOR(10), VECTOR(11),
                                                    VECTOR(12), VECTOR(13), VECTOR(14), VECTOR(15)};
__attribute__((used)) uint32_t plant_mxcsr = 0x7F80;  // round toward zero, everything masked
__attribute__((used)) uint32_t plant_has_avx = 0;     // set by plant_prepare: the upper halves are planted too
__attribute__((used)) uint64_t plant_stack_pointer = 0;
__attribute__((used)) uint64_t plant_instruction = 0;
__attribute__((used)) uint64_t plant_address = 0;     // of what the instruction touches; the guest sets it

static inline void plant_prepare(void) { plant_has_avx = __builtin_cpu_supports("avx") != 0; }

#ifdef __cplusplus
}
#endif

#define PLANT_ONE_VECTOR(move, width, number) \
  move " plant_vectors+32*" #number "(%%rip), %%" width #number "\n\t"
#define PLANT_ALL_VECTORS(move, width)                                                                              \
  PLANT_ONE_VECTOR(move, width, 0) PLANT_ONE_VECTOR(move, width, 1) PLANT_ONE_VECTOR(move, width, 2)               \
  PLANT_ONE_VECTOR(move, width, 3) PLANT_ONE_VECTOR(move, width, 4) PLANT_ONE_VECTOR(move, width, 5)               \
  PLANT_ONE_VECTOR(move, width, 6) PLANT_ONE_VECTOR(move, width, 7) PLANT_ONE_VECTOR(move, width, 8)               \
  PLANT_ONE_VECTOR(move, width, 9) PLANT_ONE_VECTOR(move, width, 10) PLANT_ONE_VECTOR(move, width, 11)             \
  PLANT_ONE_VECTOR(move, width, 12) PLANT_ONE_VECTOR(move, width, 13) PLANT_ONE_VECTOR(move, width, 14)            \
  PLANT_ONE_VECTOR(move, width, 15)

#define PLANT_VECTORS                                                 \
  "cmpl $0, plant_has_avx(%%rip)\n\t"                                 \
  "je 7f\n\t" PLANT_ALL_VECTORS("vmovdqu", "ymm") "jmp 8f\n"          \
  "7:\n\t" PLANT_ALL_VECTORS("movdqu", "xmm") "8:\n\t"                \
  "fninit\n\t"                                                        \
  "fldpi\n\t"                                                         \
  "ldmxcsr plant_mxcsr(%%rip)\n\t"

#define PLANT_PLACE                          \
  "mov %%rsp, plant_stack_pointer(%%rip)\n\t" \
  "lea 9f(%%rip), %%rax\n\t"                 \
  "mov %%rax, plant_instruction(%%rip)\n\t"

// kPlantFactor of the tests. The order is that of the tests' list.
#define PLANT_REGISTER(name, number) "movabs $(0x0123456789ABCDEF * " #number "), %%" name "\n\t"
#define PLANT_GENERAL                                                                                     \
  PLANT_REGISTER("rax", 1) PLANT_REGISTER("rbx", 2) PLANT_REGISTER("rcx", 3) PLANT_REGISTER("rdx", 4)     \
  PLANT_REGISTER("rsi", 5) PLANT_REGISTER("rdi", 6) PLANT_REGISTER("rbp", 7) PLANT_REGISTER("r8", 8)      \
  PLANT_REGISTER("r9", 9) PLANT_REGISTER("r10", 10) PLANT_REGISTER("r11", 11) PLANT_REGISTER("r12", 12)   \
  PLANT_REGISTER("r13", 13) PLANT_REGISTER("r14", 14) PLANT_REGISTER("r15", 15)

#define PLANT_CLOBBERS                                                                                             \
  "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "xmm0",   \
      "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13",  \
      "xmm14", "xmm15", "st", "cc", "memory"

// `last`: what changes registers after planting ("" for nothing); `instruction`: the one that dies.
#define DIE_WITH(last, instruction)                                                                        \
  __asm__ volatile(PLANT_VECTORS PLANT_PLACE PLANT_GENERAL last "\n9:\t" instruction "\n\t" : : : PLANT_CLOBBERS)
