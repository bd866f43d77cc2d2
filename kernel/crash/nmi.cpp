#include "kernel/crash/nmi.h"

#include "kernel/arch/x86_64/interrupts.h"
#include "kernel/arch/x86_64/local_apic.h"
#include "kernel/crash/crash.h"
#include "kernel/crash/trap_message.h"
#include "kernel/resume/resume.h"
#include "kernel/task/scheduler.h"

namespace kernel {

bool g_nmi_is_put_off = false;

namespace {

constexpr uint64_t kNmi = 2, kInterruptFlag = 0x200;
constexpr uint64_t kPatience = 100'000'000, kInterval = 1'000'000;  // nanoseconds

uint8_t g_vector = 0;  // 0: none
uint64_t g_give_up = 0;

}  // namespace

void nmi_initialize() {
  auto interrupt = allocate_message_interrupt(nullptr, nullptr);
  if (interrupt) g_vector = static_cast<uint8_t>(interrupt.value().data);
}

bool put_nmi_off(const TrapFrame& frame) {
  if (g_vector == 0 || g_nmi_is_put_off || (frame.rflags & kInterruptFlag) == 0) return false;
  g_nmi_is_put_off = true;
  g_give_up = monotonic_ns() + kPatience;
  local_apic_interrupt_self(g_vector);
  return true;
}

void answer_nmi(const TrapFrame& frame) {
  TrapFrame moment = frame;
  moment.vector = kNmi;
  moment.error_code = 0;
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
