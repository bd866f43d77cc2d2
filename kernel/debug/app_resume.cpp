// Stops and resumptions as the server asks for them.
#include "kernel/arch/x86_64/interrupt_guard.h"
#include "kernel/debug/app_stop.h"
#include "kernel/debug/app_target.h"
#include "kernel/debug/breakpoints.h"
#include "kernel/debug/signal_filter.h"
#include "kernel/debug/syscall_filter.h"
#include "kernel/net/network.h"

namespace kernel::debug {

using linux::AppThread;
using mortem::gdbstub::StopKind;

namespace {

// One of several stops of the same moment that were not reported: a breakpoint is met again when the thread goes on
// (its program counter is at it), so only what would be lost is kept.
bool must_be_kept(const gdbstub::Stop& stop) {
  return stop.kind == StopKind::Signal || stop.kind == StopKind::WriteWatchpoint ||
         stop.kind == StopKind::AccessWatchpoint;
}

}  // namespace

bool AppTarget::take_stop(gdbstub::Stop& stop) {
  InterruptGuard guard;
  if (!stop_is_wanted() || !everyone_is_parked() || linux::first_thread() == nullptr) return false;
  AppThread* reported = nullptr;
  for (AppThread* thread = linux::first_thread(); thread != nullptr; thread = linux::next_thread(*thread)) {
    if (!thread->debug.has_event) continue;
    if (reported == nullptr)
      reported = thread;
    else if (!must_be_kept(thread->debug.event))
      thread->debug.has_event = false;
  }
  if (reported != nullptr) {
    stop = reported->debug.event;
    reported->debug.has_event = false;
  } else {
    stop = {.kind = StopKind::Signal, .thread = linux::first_thread()->id, .signal = interrupted_ ? linux::kSigInt : 0};
  }
  interrupted_ = false;
  set_attached(true);
  stop_was_reported();
  return true;
}

bool AppTarget::has_kept_event() const {
  for (AppThread* thread = linux::first_thread(); thread != nullptr; thread = linux::next_thread(*thread))
    if (thread->debug.has_event) return true;
  return false;
}

void AppTarget::prepare_resume(gdbstub::ThreadId id, const gdbstub::ResumeAction& action) {
  if (AppThread* thread = linux::find_thread(id)) {
    thread->debug.resume_prepared = true;
    thread->debug.action = action;
  }
}

void AppTarget::resume_thread(AppThread& thread, const gdbstub::ResumeAction& action) {
  ThreadDebug& debug = thread.debug;
  if (debug.in_signal_stop) {
    debug.signal_to_deliver = action.signal;
  } else if (action.signal != 0) {
    linux::SignalInformation information;
    information.signal = action.signal;
    information.sender = {static_cast<int32_t>(kProcessId), 0, 0};
    debug.injected_signal = action.signal;
    (void)linux::raise_signal(information, &thread).is_error();
  }
  debug.has_information = debug.in_signal_stop;
  debug.stepping = action.kind == gdbstub::ResumeKind::Step;
  debug.before_first_step = debug.stepping;
  debug.range_start = action.range_start;
  debug.range_end = action.range_end;
  if (debug.stepping) thread.frame->rflags |= kTrapFlag;
  if (net::stands_still()) net::go_on_alone();
  release_thread(thread);
}

bool AppTarget::resume() {
  InterruptGuard guard;
  // What happened at the same time as the last stop comes first; nobody goes on before it was told.
  const bool told_first = has_kept_event();
  if (told_first) request_stop();
  for (AppThread* thread = linux::first_thread(); thread != nullptr; thread = linux::next_thread(*thread)) {
    if (!thread->debug.resume_prepared) continue;
    thread->debug.resume_prepared = false;
    if (!told_first) resume_thread(*thread, thread->debug.action);
  }
  return true;
}

void AppTarget::interrupt() {
  interrupted_ = true;
  set_attached(true);
  request_stop();
}

// A look at a program that stands where its dump was made does not send it on its way, which would be its end: the next
// client finds it as it is. True: it stands on.
bool AppTarget::stays_at_dump() {
  AppThread* standing = nullptr;
  for (AppThread* thread = linux::first_thread(); thread != nullptr; thread = linux::next_thread(*thread)) {
    ThreadDebug& debug = thread->debug;
    if (debug.parked && debug.in_signal_stop && debug.stands_at_dump) standing = thread;
    debug.resume_prepared = debug.in_caught_call = false;
  }
  if (standing == nullptr) return false;
  standing->debug.has_event = true;
  request_stop();
  return true;
}

void AppTarget::forget_client() {
  remove_all_breakpoints();
  files_.close_all();
  set_passed_signals({});
  set_caught_syscalls(false, {});
  set_attached(false);
  stop_was_reported();
  interrupted_ = false;
}

// A copy that nobody has let go yet stands on, however many look at it.
void AppTarget::lose_client() {
  if (!net::stands_still()) return detach();
  InterruptGuard guard;
  forget_client();
  if (!stays_at_dump()) request_stop();
}

// Signals that stopped the app and were not answered are delivered: nobody is there to hold them back.
void AppTarget::detach() {
  InterruptGuard guard;
  forget_client();
  if (stays_at_dump()) return;
  for (AppThread* thread = linux::first_thread(); thread != nullptr; thread = linux::next_thread(*thread)) {
    ThreadDebug& debug = thread->debug;
    debug.has_event = debug.resume_prepared = debug.stop_requested = debug.in_caught_call = false;
    if (debug.parked) resume_thread(*thread, {.signal = debug.in_signal_stop ? debug.information.signal : 0});
    debug.stepping = false;
  }
}

// By the host: also a program that stands where its dump was made.
void AppTarget::let_go() {
  InterruptGuard guard;
  for (AppThread* thread = linux::first_thread(); thread != nullptr; thread = linux::next_thread(*thread))
    thread->debug.stands_at_dump = false;
  detach();
}

void AppTarget::kill() {
  kill_wanted_ = true;
}

bool AppTarget::monitor(std::string_view command, gdbstub::TextSink& to) {
  if (command == "help") {
    to.write(
        "dump   write a crash dump of this moment; the guest ends, or boots again, as after a crash\n"
        "exit   end the guest at once, without a dump\n");
    return true;
  }
  if (command == "exit") {
    kill_wanted_ = true;
    return true;
  }
  if (command != "dump") return false;
  if (!everyone_is_parked()) {
    to.write("the program runs; interrupt it first\n");
    return true;
  }
  dump_wanted_ = true;
  to.write("the dump is being written; the connection ends\n");
  return true;
}

void AppTarget::write_wanted_dump() {
  dump_wanted_ = false;
  AppThread* chosen = nullptr;
  for (AppThread* thread = linux::first_thread(); thread != nullptr; thread = linux::next_thread(*thread))
    if (thread->debug.in_signal_stop && chosen == nullptr) chosen = thread;
  InterruptGuard guard;
  if (chosen != nullptr && linux::ends_with_dump(chosen->debug.information.signal)) {
    // The crash goes its way: the dump tells about it.
    chosen->debug.signal_to_deliver = chosen->debug.information.signal;
  } else {
    chosen = linux::first_thread();
    chosen->debug.crash_on_resume = true;
  }
  remove_all_breakpoints();
  set_attached(false);
  release_thread(*chosen);
}

}  // namespace kernel::debug
