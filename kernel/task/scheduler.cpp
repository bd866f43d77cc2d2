#include "kernel/task/scheduler.h"

#include "kernel/arch/x86_64/context_switch.h"
#include "kernel/arch/x86_64/cpu.h"
#include "kernel/arch/x86_64/interrupt_guard.h"
#include "kernel/arch/x86_64/interrupts.h"
#include "kernel/crash/crash.h"
#include "kernel/memory/heap.h"
#include "kernel/memory/pressure.h"
#include "kernel/task/poll_window.h"

namespace kernel {

constinit TimerQueue g_timers;

namespace {

constexpr uint64_t kSlice = 4'000'000;  // how long a thread runs while others are ready

class ReadyList {
 public:
  void push_back(Thread& thread) {
    thread.next_ready = nullptr;
    (last_ != nullptr ? last_->next_ready : first_) = &thread;
    last_ = &thread;
  }
  void push_front(Thread& thread) {
    thread.next_ready = first_;
    first_ = &thread;
    if (last_ == nullptr) last_ = &thread;
  }
  Thread* pop() {
    Thread* thread = first_;
    if (thread == nullptr) return nullptr;
    first_ = thread->next_ready;
    if (first_ == nullptr) last_ = nullptr;
    return thread;
  }
  bool is_empty() const { return first_ == nullptr; }

 private:
  Thread *first_ = nullptr, *last_ = nullptr;
};

// Per CPU.
constinit ReadyList g_ready_kernel, g_ready_app;
bool g_preempt = false;      // somebody ahead of the running thread is ready
uint64_t g_run_since = 0;    // of the running thread: its CPU time is counted up to here
bool g_nobody_runs = false;  // between two threads: no CPU time is counted
bool g_is_idle = false;      // and nothing is to be done: interrupts are on
uint64_t g_slice_end = 0;
uint64_t g_process_cpu = 0, g_idle = 0;
Thread* g_extended_state_owner = nullptr;  // whose x87, SSE and AVX registers the CPU holds
bool g_news_from_outside = false;          // timers or deferred work run
void (*g_deferred_work)() = nullptr;
volatile bool g_work_is_requested = false;
bool g_polls = false;
PollWindow g_poll_window;
PolledDevice g_polled_device{[] {}, [] { return false; }, [] { return false; }};
Thread* g_ended = nullptr;  // ran last and will not run again
void (*g_free_ended)(Thread& thread) = nullptr;

uint64_t count_cpu_time(Thread& thread) {
  const uint64_t now = monotonic_ns();
  thread.cpu_ns += now - g_run_since;
  if (thread.kind == ThreadKind::App) g_process_cpu += now - g_run_since;
  g_run_since = now;
  return now;
}

Thread* pop_ready() {
  Thread* next = g_ready_kernel.pop();
  return next != nullptr ? next : g_ready_app.pop();
}

bool is_anybody_ready() {
  return !g_ready_kernel.is_empty() || !g_ready_app.is_empty();
}

void run_timers(uint64_t now) {
  g_news_from_outside = true;
  g_timers.run(now);
  g_news_from_outside = false;
}

void run_deferred_work() {
  if (!g_work_is_requested) return;
  g_work_is_requested = false;
  g_news_from_outside = true;
  g_deferred_work();
  g_news_from_outside = false;
}

void interrupts_while_idle(void (*let_in)()) {
  g_is_idle = true;
  let_in();
  g_is_idle = false;
}

// Looks before the CPU halts; true: there is something to do. No `pause`: QEMU's TCG leaves the guest for it, under its
// lock.
bool finds_work(uint64_t now) {
  if (!g_polls || g_poll_window.length() == 0) return false;
  const uint64_t end = now + g_poll_window.length();
  g_polled_device.be_quiet();
  while (monotonic_ns() < end && !g_polled_device.has_news() && !g_work_is_requested && !is_anybody_ready() &&
         monotonic_ns() < g_timers.next_deadline())
    interrupts_while_idle(let_interrupts_in);
  if (g_polled_device.be_watched()) request_deferred_work();
  return g_work_is_requested || is_anybody_ready() || g_timers.next_deadline() <= monotonic_ns();
}

// The next thread to run, from `now` on; waits for one if there is none.
Thread& next_thread(uint64_t now) {
  g_nobody_runs = true;
  while (true) {
    run_timers(now);
    run_deferred_work();
    if (Thread* next = pop_ready()) {
      g_run_since = now;
      g_nobody_runs = false;
      g_slice_end = now + kSlice;
      return *next;
    }
    if (g_work_is_requested) {  // there is more of it: between its parts, interrupts and timers have their turn
      interrupts_while_idle(let_interrupts_in);
      now = monotonic_ns();
      continue;
    }
    const uint64_t idle_since = now;
    if (!finds_work(now)) {
      const uint64_t wake_at = g_timers.next_deadline();
      if (wake_at != kNoDeadline) arm_timer(wake_at);
      interrupts_while_idle(wait_for_interrupt);
    }
    now = monotonic_ns();
    g_poll_window.note_wait(now - idle_since);
    g_idle += now - idle_since;
  }
}

void free_ended_thread() {
  Thread* ended = g_ended;
  g_ended = nullptr;
  if (ended != nullptr) g_free_ended(*ended);
}

void switch_to(Thread& next) {
  Thread& self = *g_current_thread;
  next.run_state = RunState::Running;
  if (&next == &self) return;
  if (self.kind == ThreadKind::App && self.run_state != RunState::Ended) save_app_state(self);
  g_current_thread = &next;
  set_kernel_stack(next.kernel_stack.top);
  context_switch(&self.kernel_rsp, next.kernel_rsp);
  free_ended_thread();
  if (self.kind == ThreadKind::App) load_app_state(self);
}

void leave_cpu() {
  g_preempt = false;
  switch_to(next_thread(count_cpu_time(*g_current_thread)));
}

}  // namespace

void save_app_state(Thread& thread) {
  thread.fs_base = get_fs_base();
  thread.gs_base = get_user_gs_base();
  save_extended_state(thread.extended_state);
  g_extended_state_owner = &thread;
}

void load_app_state(Thread& thread) {
  set_fs_base(thread.fs_base);
  set_user_gs_base(thread.gs_base);
  // A thread that comes back with nobody in between still has its registers, unless a debugger wrote new ones.
  if (g_extended_state_owner != &thread || thread.extended_state_changed) restore_extended_state(thread.extended_state);
  thread.extended_state_changed = false;
  g_extended_state_owner = &thread;
}

void forget_loaded_app_state() {
  g_extended_state_owner = nullptr;
}

void begin_thread() {
  free_ended_thread();
}

void set_timer(Timer& timer, uint64_t deadline_ns) {
  InterruptGuard guard;
  g_timers.set(timer, deadline_ns);
}

void cancel_timer(Timer& timer) {
  InterruptGuard guard;
  g_timers.cancel(timer);
}

void block_current_thread() {
  leave_cpu();
}

void make_ready(Thread& thread) {
  InterruptGuard guard;
  thread.run_state = RunState::Ready;
  if (thread.kind == ThreadKind::Kernel) {
    g_ready_kernel.push_back(thread);
    g_preempt = true;
  } else {
    g_ready_app.push_back(thread);
  }
}

void wake(Thread& thread) {
  InterruptGuard guard;
  if (thread.run_state != RunState::Blocked) return;
  if (thread.kind == ThreadKind::Kernel || (!is_in_interrupt() && !g_news_from_outside)) {
    make_ready(thread);
    return;
  }
  thread.run_state = RunState::Ready;
  g_ready_app.push_front(thread);
  g_preempt = true;
}

void set_deferred_work(void (*work)()) {
  g_deferred_work = work;
}

void request_deferred_work() {
  if (g_deferred_work != nullptr) g_work_is_requested = true;
}

void set_polled_device(const PolledDevice& device) {
  g_polled_device = device;
}

void poll_before_halt(bool wanted) {
  g_polls = wanted;
}

bool is_app_ready() {
  InterruptGuard guard;
  return !g_ready_app.is_empty();
}

bool is_app_running() {
  return g_current_thread != nullptr && g_current_thread->kind == ThreadKind::App && !g_nobody_runs;
}

void yield_current_thread() {
  InterruptGuard guard;
  if (!is_anybody_ready()) return;
  make_ready(*g_current_thread);
  leave_cpu();
}

bool reschedule_if_needed() {
  const bool time_passed = timer_interrupt_came();
  if (time_passed) run_timers(monotonic_ns());
  run_deferred_work();
  Thread& self = *g_current_thread;
  if (g_preempt) {
    // Who was woken by news from outside goes first; the running thread then has the rest of its turn.
    g_preempt = false;
    if (!is_anybody_ready()) return false;
    Thread* next = pop_ready();
    self.run_state = RunState::Ready;
    g_ready_app.push_front(self);
    const uint64_t now = count_cpu_time(self);
    g_slice_end = now + kSlice;
    switch_to(*next);
    return true;
  }
  if (!time_passed || g_ready_app.is_empty() || monotonic_ns() < g_slice_end) return false;
  make_ready(self);
  leave_cpu();
  return true;
}

namespace {

// When the running thread has to be interrupted at the latest.
uint64_t next_interruption() {
  const uint64_t deadline = g_timers.next_deadline();
  return !g_ready_app.is_empty() && g_slice_end < deadline ? g_slice_end : deadline;
}

}  // namespace

bool nothing_to_schedule() {
  return !g_preempt && !g_work_is_requested && !g_one_shot_timer.came &&
         g_one_shot_timer.deadline_ns <= next_interruption();
}

void arm_for_return() {
  const uint64_t wanted = next_interruption();
  if (wanted != kNoDeadline) arm_timer(wanted);
}

void give_way() {
  relieve_memory_if_short();
  InterruptGuard guard;
  (void)reschedule_if_needed();
  arm_for_return();
}

void end_current_thread(void (*free_thread)(Thread& thread)) {
  Thread& self = *g_current_thread;
  self.run_state = RunState::Ended;
  g_free_ended = free_thread;
  g_preempt = false;
  // Only then: whoever runs next frees it. While the CPU waits for that one here, this stack is still in use.
  Thread& next = next_thread(count_cpu_time(self));
  g_ended = &self;
  if (g_extended_state_owner == &self) g_extended_state_owner = nullptr;
  switch_to(next);
  panic("a thread that had ended ran again");
}

namespace {

struct KernelThreadStart {
  void (*function)(void* argument);
  void* argument;
};

void run_kernel_thread(void* argument) {
  const auto start = *static_cast<KernelThreadStart*>(argument);
  heap_free(argument);
  begin_thread();
  interrupts_enable();
  start.function(start.argument);
  panic("a kernel thread returned");
}

KernelStack g_spare_stacks[64];
size_t g_spare_stack_count = 0;

}  // namespace

Result<Thread*> start_kernel_thread(const char* name, void (*function)(void* argument), void* argument) {
  Thread* thread = TRY(make<Thread>());
  auto start = make<KernelThreadStart>(function, argument);
  auto stack = start ? take_kernel_stack() : Result<KernelStack>(Error::NoMemory);
  if (stack.is_error()) {
    if (start) destroy(start.value());
    destroy(thread);
    return stack.error();
  }
  thread->kind = ThreadKind::Kernel;
  thread->kernel_stack = stack.value();
  for (size_t index = 0; index < sizeof thread->name - 1 && name[index] != 0; ++index)
    thread->name[index] = name[index];
  thread->kernel_rsp = make_first_context(thread->kernel_stack.top, run_kernel_thread, start.value());
  make_ready(*thread);
  return thread;
}

Result<KernelStack> take_kernel_stack() {
  InterruptGuard guard;
  if (g_spare_stack_count > 0) return g_spare_stacks[--g_spare_stack_count];
  return allocate_kernel_stack(kThreadStackSize);
}

void give_kernel_stack(const KernelStack& stack) {
  InterruptGuard guard;
  if (g_spare_stack_count < sizeof g_spare_stacks / sizeof g_spare_stacks[0])
    g_spare_stacks[g_spare_stack_count++] = stack;
  else
    free_kernel_stack(stack);
}

uint64_t thread_cpu_ns(const Thread& thread) {
  return &thread == g_current_thread && !g_nobody_runs ? thread.cpu_ns + (monotonic_ns() - g_run_since) : thread.cpu_ns;
}

uint64_t process_cpu_ns() {
  const bool app_runs = g_current_thread != nullptr && g_current_thread->kind == ThreadKind::App && !g_nobody_runs;
  return app_runs ? g_process_cpu + (monotonic_ns() - g_run_since) : g_process_cpu;
}

bool is_idle() {
  return g_is_idle;
}

uint64_t idle_ns() {
  return g_idle;
}

}  // namespace kernel
