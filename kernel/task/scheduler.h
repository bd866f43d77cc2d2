// Who runs on the one CPU. Threads change only where one waits (wait.h), ends, or goes back to the app: kernel code
// between those points is never interrupted by another thread, only by interrupt handlers.
#pragma once

#include <cstdint>

#include "kernel/library/result.h"
#include "kernel/task/process.h"
#include "kernel/task/timer_queue.h"

namespace kernel {

extern TimerQueue g_timers;

// Timers with the CPU's one-shot timer behind them.
void set_timer(Timer& timer, uint64_t deadline_ns);
void cancel_timer(Timer& timer);

// The thread that runs stops running until wake(); interrupts off, state Blocked set by the caller. With nobody else to
// run, the CPU halts here.
void block_current_thread();
// From anywhere. A thread that is not blocked is left alone. News from outside (an interrupt handler, a timer) puts it
// ahead of those that are ready, news from another thread behind them.
void wake(Thread& thread);

// Work that interrupt handlers and timers leave for a moment when no kernel code is in the middle of anything: before
// the CPU halts or changes threads, and before the return to the app. It runs with interrupts off on whatever stack is
// there, so that it costs no switch of threads; it must be short and must not wait. What it wakes goes first.
void set_deferred_work(void (*work)());
void request_deferred_work();  // from anywhere

// Whether the CPU looks for work for a while before it halts (poll_window.h). For hosts that wake a halted
// processor slowly; KVM looks by itself before it lets one sleep (Documentation/virt/kvm/halt-polling.rst).
void poll_before_halt(bool wanted);
// A device that is looked at then, in place of its interrupts. Each is called with interrupts off.
struct PolledDevice {
  void (*be_quiet)();    // no interrupts from now on
  bool (*has_news)();    // then request_deferred_work() is called
  bool (*be_watched)();  // interrupts again; true: news came meanwhile, for which there will be none
};
void set_polled_device(const PolledDevice& device);

bool is_app_ready();          // one of the app's threads could run, but for who runs now
bool is_app_running();        // one of them is what goes on after this
bool is_idle();               // asked in an interrupt: nobody ran, and nothing was to be done
void yield_current_thread();  // behind all that are ready
// In a call that may go on for long without a wait, between its parts: others have their turn as if it had returned.
void give_way();
// Before the return to the app, interrupts off: true when another thread ran meanwhile.
bool reschedule_if_needed();
// Neither would do anything: the running thread may go on as it is. Interrupts off.
bool nothing_to_schedule();
// Last thing before the return: the one-shot timer stands at what comes first, the next timer or the end of the slice.
void arm_for_return();

// Ends the running thread, whose record and kernel stack are freed by the next one. Interrupts off.
[[noreturn]] void end_current_thread(void (*free_thread)(Thread& thread));

// A thread that never leaves the kernel (the debug stub's); goes before the app's. It runs from the next switch on.
Result<Thread*> start_kernel_thread(const char* name, void (*function)(void* argument), void* argument);
// Puts a thread whose first context is made among those that are ready. Its function calls begin_thread() first.
void make_ready(Thread& thread);
void begin_thread();

// Extended state, segment bases: into the record and back to the CPU. For a thread that runs.
void save_app_state(Thread& thread);
void load_app_state(Thread& thread);
void forget_loaded_app_state();  // the CPU holds nobody's: it is another one

// CPU time of one of the app's threads, and of all it ever had. User and kernel time are not told apart.
uint64_t thread_cpu_ns(const Thread& thread);
uint64_t process_cpu_ns();
uint64_t idle_ns();

// Kernel stacks of threads are kept for the next thread: one size, never unmapped.
inline constexpr size_t kThreadStackSize = 16384;
Result<KernelStack> take_kernel_stack();
void give_kernel_stack(const KernelStack& stack);

}  // namespace kernel
