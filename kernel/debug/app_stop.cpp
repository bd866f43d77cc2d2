#include "kernel/debug/app_stop.h"

#include "kernel/arch/x86_64/interrupt_guard.h"
#include "kernel/crash/crash.h"
#include "kernel/debug/breakpoints.h"
#include "kernel/debug/debugger.h"
#include "kernel/resume/resume.h"
#include "kernel/task/scheduler.h"

namespace kernel::debug {

using linux::AppThread;

constinit bool g_is_attached = false;

namespace {

bool g_stop_wanted = false;
void (*g_everyone_parked)() = nullptr;

}  // namespace

bool is_attached() {
  return g_is_attached;
}

void set_attached(bool attached) {
  g_is_attached = attached;
}

void set_parked_handler(void (*everyone_parked)()) {
  g_everyone_parked = everyone_parked;
}

bool stop_is_wanted() {
  return g_stop_wanted;
}

void stop_was_reported() {
  g_stop_wanted = false;
}

void request_stop() {
  InterruptGuard guard;
  g_stop_wanted = true;
  for (AppThread* thread = linux::first_thread(); thread != nullptr; thread = linux::next_thread(*thread)) {
    if (thread->debug.parked) continue;
    thread->debug.stop_requested = true;
    wake(*thread);
  }
  check_parked();
}

bool everyone_is_parked() {
  for (AppThread* thread = linux::first_thread(); thread != nullptr; thread = linux::next_thread(*thread))
    if (!thread->debug.parked) return false;
  return true;
}

void check_parked() {
  if (g_stop_wanted && g_everyone_parked != nullptr && everyone_is_parked()) g_everyone_parked();
}

void park(AppThread& thread, TrapFrame& frame) {
  ThreadDebug& debug = thread.debug;
  thread.frame = &frame;
  if (debug.stepping) frame.rflags &= ~kTrapFlag;
  debug.stepping = false;
  debug.stop_requested = false;
  debug.parked = true;
  check_parked();
  while (debug.parked) {
    thread.run_state = RunState::Blocked;
    block_current_thread();
  }
  if (!debug.crash_on_resume) return;
  debug.crash_on_resume = false;
  set_attached(false);
  remove_all_breakpoints();
  crash_until_resumed({.kind = mortem::format::ReasonKind::OnDemand, .message = "dump asked for by the debugger"},
                      frame);
}

void release_thread(AppThread& thread) {
  InterruptGuard guard;
  thread.debug.parked = false;
  thread.debug.stop_requested = false;
  wake(thread);
}

void stop_with(AppThread& thread, TrapFrame& frame, const mortem::gdbstub::Stop& stop) {
  thread.debug.event = stop;
  thread.debug.event.thread = thread.id;
  thread.debug.has_event = true;
  request_stop();
  park(thread, frame);
}

}  // namespace kernel::debug
