#include "kernel/resume/resume.h"

#include <cstddef>

#include "kernel/arch/x86_64/cpu.h"
#include "kernel/arch/x86_64/cpu_initialize.h"
#include "kernel/arch/x86_64/entry.h"
#include "kernel/arch/x86_64/interrupts.h"
#include "kernel/arch/x86_64/random.h"
#include "kernel/crash/crash_again.h"
#include "kernel/crash/crash_state.h"
#include "kernel/debug/stub.h"
#include "kernel/drivers/console.h"
#include "kernel/drivers/drivers.h"
#include "kernel/drivers/virtio_reset.h"
#include "kernel/fs/inode.h"
#include "kernel/library/log.h"
#include "kernel/linux/vdso.h"
#include "kernel/memory/physical.h"
#include "kernel/net/network.h"
#include "kernel/task/scheduler.h"
#include "snapshot/format/resume.h"

namespace kernel {

uint32_t g_resumed_count = 0;

namespace {

using mortem::format::ResumeRequest;
// What entry.S counts on.
static_assert(mortem::format::kResumeTrampolineAddress == 0x100000 && mortem::format::kResumeTables == 0x101000 &&
              mortem::format::kResumeRequestAddress == 0x104000);
static_assert(offsetof(ResumeRequest, entry) == 0 && offsetof(ResumeRequest, page_table_root) == 8 &&
              offsetof(ResumeRequest, efer) == 16);

// What a C++ call preserves (entry.S).
struct ResumePoint {
  uint64_t rbx, rbp, r12, r13, r14, r15, rsp, rip;
};
ResumePoint g_resume_point{};
Thread* g_resume_thread = nullptr;  // whose stack it stands on; null: nobody can go on from here

bool has_app_state(const Thread& thread) {
  return thread.kind == ThreadKind::App && thread.run_state != RunState::Ended;
}

}  // namespace

extern "C" {
[[gnu::visibility("hidden")]] extern const char resume_code[], resume_code_end[];
[[gnu::visibility("hidden")]] void resume_entry();
[[gnu::visibility("hidden"), gnu::returns_twice]] int set_resume_point(ResumePoint* point);
[[noreturn, gnu::visibility("hidden")]] void go_on_from(const ResumePoint* point, AfterDump what);
}

ResumeCode resume_code_place() {
  return {resume_code, static_cast<uint64_t>(resume_code_end - resume_code),
          reinterpret_cast<const void*>(&resume_entry)};
}

AfterDump crash_until_resumed(const CrashReason& given, const TrapFrame& frame) {
  CrashReason reason = given;
  reason.can_be_resumed = true;
  const bool had_interrupts = interrupts_enabled();
  interrupts_disable();
  // The dump's memory is to hold what the processor does.
  if (has_app_state(*g_current_thread)) save_app_state(*g_current_thread);
  g_resume_thread = g_current_thread;
  const int came_back = set_resume_point(&g_resume_point);
  if (came_back == 0) crash(reason, &frame);
  g_resume_thread = nullptr;
  forget_loaded_app_state();
  if (has_app_state(*g_current_thread)) load_app_state(*g_current_thread);
  if (had_interrupts) interrupts_enable();
  return static_cast<AfterDump>(came_back);
}

void go_on_after_dump() {
  virtio_reset_all();
  crash_forget();
  drivers_resume();
  drivers_hear_host();
  crash_prepare_again();
  if (!net::resume()) log(LogLevel::Warning, "the network card does not start again after the dump");
  go_on_from(&g_resume_point, AfterDump::WentOn);
}

namespace {

// Nothing of this machine can be used: the host shows the console's last line.
[[noreturn]] void refuse(const char* why) {
  log(LogLevel::Warning, "resume: %s", why);
  power_off();
}

}  // namespace

// Called by entry.S: on a stack of its own, interrupts off, with the kernel's page tables.
extern "C" [[noreturn, gnu::visibility("hidden")]] void resume_kernel(uint64_t request_physical) {
  console_initialize();
  ResumeRequest request;
  __builtin_memcpy(&request, direct_map<ResumeRequest>(request_physical), sizeof request);
  if (__builtin_memcmp(request.magic, mortem::format::kResumeMagic, sizeof request.magic) != 0 ||
      request.size < sizeof request)
    refuse("the host's request is of another version");
  if (const char* missing = cpu_resume(); missing != nullptr) refuse(missing);
  segments_initialize();
  traps_initialize();
  if (g_resume_thread == nullptr || g_resume_thread != g_current_thread)
    refuse("the dump has no thread that could go on");
  set_kernel_stack(g_current_thread->kernel_stack.top);
  interrupts_resume(g_crash.uptime_ns);
  ++g_resumed_count;
  log(LogLevel::Info, "resumed from the dump of this moment");
  random_mix(request.entropy, sizeof request.entropy);
  crash_forget();
  drivers_resume();
  debug::resume_stub();  // before the host's word that the program is let go
  drivers_hear_host();
  poll_before_halt(is_emulated() && !control_port_is_serial());
  crash_prepare_again();
  crash_set_after(AfterCrash::PowerOff);
  resume_root();
  if (!net::resume()) refuse("the dump has a network card, this machine has none that starts");
  linux::vdso_clock_changed();
  go_on_from(&g_resume_point, AfterDump::Resumed);
}

}  // namespace kernel
