// Arguments for random system calls: what syscall_fuzz.c and fatal_call_fuzz.c have in common. Never run them on a
// machine that matters.
#pragma once

#include <stdint.h>
#include <stdio.h>

enum { FIRST_FILE = 3, FILES = 48 };
// What calls may do as they like with, page by page: also unmap it and take its rights away.
static char* const g_arena = (char*)0x100000000ul;
enum { ARENA = 4 << 20, PAGE = 4096 };
static char* g_none;   // PROT_NONE
static char* g_fixed;  // a read-only page

struct random {
  uint64_t state;
};
static uint64_t next(struct random* random) {  // splitmix64
  uint64_t value = random->state += 0x9e3779b97f4a7c15ul;
  value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9ul;
  value = (value ^ value >> 27) * 0x94d049bb133111ebul;
  return value ^ value >> 31;
}
static uint64_t below(struct random* random, uint64_t limit) {
  return next(random) % limit;
}
static int one_in(struct random* random, uint64_t times) {
  return below(random, times) == 0;
}

static const uint64_t kKernel[] = {0xffffffff80000000ul, 0xffff888000000000ul, 0xffffffffffffff00ul,
                                   0xffff800000000000ul, 0x0000800000000000ul, 0x00007fffffffeff8ul};
static uint64_t kernel_address(struct random* random) {
  const uint64_t base = kKernel[below(random, sizeof kKernel / sizeof kKernel[0])];
  return one_in(random, 2) ? base : base + below(random, 1ul << 30);
}
static int is_kernel_address(uint64_t address) {
  return address >= 0x0000800000000000ul;
}

static uint64_t arena_address(struct random* random) {
  return (uint64_t)g_arena + below(random, ARENA);
}
static uint64_t arena_page(struct random* random) {
  return (uint64_t)g_arena + below(random, ARENA / PAGE) * PAGE;
}

static uint64_t pointer(struct random* random) {
  switch (below(random, 12)) {
    case 0:
      return 0;
    case 1:
      return kernel_address(random);
    case 2:
      return (uint64_t)g_none + below(random, PAGE);
    case 3:
      return (uint64_t)g_fixed + below(random, PAGE);
    case 4:
      return below(random, 0x10000);
    case 5:
      return (uint64_t)g_arena + ARENA - below(random, 64);  // runs over its end
    default:
      return arena_address(random) & ~7ul;
  }
}

static uint64_t path(struct random* random);  // of the program that includes this

static uint64_t descriptor(struct random* random) {
  switch (below(random, 10)) {
    case 0:
      return (uint64_t)-1;
    case 1:
      return below(random, 2000) + FIRST_FILE;
    case 2:
      return (uint64_t)-100;  // AT_FDCWD
    default:
      return FIRST_FILE + below(random, FILES);
  }
}

static uint64_t length(struct random* random) {
  switch (below(random, 8)) {
    case 0:
      return 0;
    case 1:
      return next(random);
    case 2:
      return 1ul << below(random, 64);
    case 3:
      return (uint64_t)-below(random, 4096);
    default:
      return below(random, 70000);
  }
}

static uint64_t anything(struct random* random) {
  switch (below(random, 10)) {
    case 0:
      return next(random);
    case 1:
      return below(random, 64);
    case 2:
      return 1ul << below(random, 64);
    case 3:
      return (uint64_t)-1;
    case 4:
      return descriptor(random);
    case 5:
      return length(random);
    case 6:
      return path(random);
    default:
      return pointer(random);
  }
}

static long call(long number, const uint64_t* argument) {
  register uint64_t r10 __asm__("r10") = argument[3], r8 __asm__("r8") = argument[4], r9 __asm__("r9") = argument[5];
  long result;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(argument[0]), "S"(argument[1]), "d"(argument[2]), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return result;
}
