#include "kernel/crash/nmi.h"

#include "kernel/arch/x86_64/entry.h"
#include "kernel/arch/x86_64/interrupts.h"
#include "kernel/arch/x86_64/local_apic.h"
#include "kernel/arch/x86_64/user_access.h"
#include "kernel/crash/crash.h"
#include "kernel/crash/trap_message.h"
#include "kernel/debug/breakpoints.h"
#include "kernel/resume/resume.h"
#include "kernel/task/scheduler.h"

namespace kernel {

bool g_nmi_is_put_off = false;

namespace {

constexpr uint64_t kNmi = 2, kTrapFlag = 0x100, kInterruptFlag = 0x200;
constexpr uint64_t kPatience = 100'000'000, kInterval = 1'000'000;  // nanoseconds

uint8_t g_vector = 0;  // 0: none
uint64_t g_give_up = 0;
bool g_is_stepping = false;

TrapFrame moment_of_nmi(const TrapFrame& frame) {
  TrapFrame moment = frame;
  moment.vector = kNmi;
  moment.error_code = 0;
  return moment;
}

// `frame` is where an interrupt came. What follows may still be stepped, in another one that the NMI met: by its next
// step that ends, too.
void end_steps(TrapFrame& frame) {
  g_is_stepping = false;
  if (!frame.from_user()) frame.rflags &= ~kTrapFlag;
}

}  // namespace

void nmi_initialize() {
  auto interrupt = allocate_message_interrupt(nullptr, nullptr);
  if (interrupt) g_vector = static_cast<uint8_t>(interrupt.value().data);
}

bool put_nmi_off(TrapFrame& frame) {
  if (g_vector == 0 || g_nmi_is_put_off) return false;
  g_nmi_is_put_off = true;
  g_give_up = monotonic_ns() + kPatience;
  nmi_meets_app();
  // A step is a trap on the stack that the kernel stands on: not while that is still the app's (syscall_entry), a few
  // instructions before interrupts come on anyway.
  if ((frame.rflags & kInterruptFlag) == 0 && frame.rsp >= kUserEnd) {
    g_is_stepping = true;
    frame.rflags |= kTrapFlag;
  }
  return true;
}

void nmi_meets_app() {
  local_apic_interrupt_self(g_vector);
}

bool take_nmi_step(TrapFrame& frame) {
  const bool in_kernel = !frame.from_user();  // or behind an IRETQ, on some processors
  if (in_kernel ? (frame.rflags & kTrapFlag) == 0 : !g_is_stepping) return false;
  (void)debug::take_debug_status();
  const bool goes_on = g_is_stepping && in_kernel && frame.rip != reinterpret_cast<uint64_t>(&syscall_leaves_stack);
  if (goes_on && monotonic_ns() < g_give_up) return true;
  end_steps(frame);
  if (goes_on) crash_on_kernel_trap(moment_of_nmi(frame), 0);
  return true;
}

void answer_nmi(TrapFrame& frame) {
  end_steps(frame);
  const TrapFrame moment = moment_of_nmi(frame);
  const uint64_t now = monotonic_ns();
  if (frame.from_user() || is_idle()) {
    g_nmi_is_put_off = false;
    char message[128];
    describe_kernel_trap(moment, 0, message);
    crash_until_resumed(reason_of_kernel_trap(moment, 0, message), moment);
  } else if (now < g_give_up) {
    arm_timer(now + kInterval);
  } else {
    crash_on_kernel_trap(moment, 0);
  }
}

}  // namespace kernel
