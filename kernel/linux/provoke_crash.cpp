#include "kernel/linux/provoke_crash.h"

#include <string_view>

#include "kernel/arch/x86_64/cpu.h"
#include "kernel/crash/crash.h"

namespace kernel::linux {
namespace {

// A push where no stack is: the page fault cannot be delivered either, which is a double fault.
void double_fault() {
  // Canonical, never mapped, and below every stack, as an overflow leaves it: unwinders rightly refuse a caller whose
  // stack pointer is not above its callee's.
  constexpr uint64_t kNoStack = 0xFFFF'8000'0000'1000;
  asm volatile("mov %0, %%rsp; push %%rax" ::"r"(kNoStack) : "memory");
}

void exception() {
  volatile int* nowhere = nullptr;
  asm volatile("" : "+r"(nowhere));
  *nowhere = 0;
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Winfinite-recursion"
[[gnu::noinline]] uint64_t exhaust_stack(uint64_t depth) {
  volatile uint8_t frame[512];
  frame[depth % sizeof frame] = static_cast<uint8_t>(depth);
  return exhaust_stack(depth + 1) + frame[depth % sizeof frame];
}
#pragma GCC diagnostic pop

[[noreturn]] void hang() {
  while (true) asm volatile("" ::: "memory");
}

[[noreturn]] void hang_without_interrupts() {
  interrupts_disable();
  hang();
}

Result<size_t> provoke(uint64_t, std::span<const uint8_t> from, void*) {
  std::string_view word(reinterpret_cast<const char*>(from.data()), from.size());
  if (word.ends_with('\n')) word.remove_suffix(1);
  if (word == "PANIC") panic("provoked: PANIC");
  if (word == "DOUBLE_FAULT")
    double_fault();
  else if (word == "EXCEPTION")
    exception();
  else if (word == "EXHAUST_STACK")
    exhaust_stack(0);
  else if (word == "HANG")
    hang();
  else if (word == "HANG_WITHOUT_INTERRUPTS")
    hang_without_interrupts();
  else
    return Error::Invalid;
  return from.size();
}

}  // namespace

Result<void> add_provoke_crash(TreeDirectory& debug) {
  TreeDirectory* folder = TRY(debug.add_directory("provoke-crash"));
  TRY(folder->add_file("DIRECT", 0200, {.write = provoke}));
  return {};
}

}  // namespace kernel::linux
