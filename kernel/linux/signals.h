// Signals: who raises them, what is pending, and the way to a handler or an end.
#pragma once

#include <cstdint>

#include "kernel/arch/x86_64/trap_frame.h"
#include "kernel/library/result.h"
#include "kernel/task/wait_queue.h"

namespace kernel::linux {

// Numbers of x86-64 Linux (asm/signal.h).
enum Signal : int {
  kSigHup = 1,
  kSigInt = 2,
  kSigQuit = 3,
  kSigIll = 4,
  kSigTrap = 5,
  kSigAbrt = 6,
  kSigBus = 7,
  kSigFpe = 8,
  kSigKill = 9,
  kSigSegv = 11,
  kSigPipe = 13,
  kSigAlrm = 14,
  kSigTerm = 15,
  kSigChld = 17,
  kSigCont = 18,
  kSigStop = 19,
  kSigTstp = 20,
  kSigTtin = 21,
  kSigTtou = 22,
  kSigUrg = 23,
  kSigXcpu = 24,
  kSigXfsz = 25,
  kSigWinch = 28,
  kSigSys = 31,
};
inline constexpr int kSignalCount = 64;
constexpr uint64_t signal_bit(int signal) {
  return uint64_t{1} << (signal - 1);
}

// siginfo_t; the union begins at byte 16 (asm-generic/siginfo.h).
struct SignalInformation {
  int32_t signal = 0, error = 0, code = 0, padding = 0;
  union {
    uint8_t bytes[112] = {};
    struct {
      int32_t process;
      uint32_t user;
      uint64_t value;
    } sender;
    uint64_t address;  // si_addr
  };
};
static_assert(sizeof(SignalInformation) == 128);

// si_code (asm-generic/siginfo.h)
inline constexpr int kCodeUser = 0, kCodeKernel = 0x80, kCodeTkill = -6, kCodeQueue = -1, kCodeTimer = -2;
inline constexpr int kSegvMapErr = 1, kSegvAccErr = 2, kBusAdrAln = 1, kBusAdrErr = 2;

struct SignalAction {  // the kernel's struct sigaction
  uint64_t handler, flags, restorer, mask;
};
inline constexpr uint64_t kHandlerDefault = 0, kHandlerIgnore = 1;
inline constexpr uint64_t kActionSiginfo = 4, kActionRestorer = 0x04000000, kActionOnStack = 0x08000000,
                          kActionRestart = 0x10000000, kActionNoDefer = 0x40000000, kActionResetHand = 0x80000000;
SignalAction& signal_action(int signal);

const char* signal_name(int signal);  // "SIGSEGV"

struct AppThread;

// From anywhere, interrupt handlers included. To one thread, or to the process (null): then any thread that does not
// block it takes it. Ignored signals are dropped, as on Linux. Again: the queue is full.
Result<void> raise_signal(const SignalInformation& information, AppThread* thread = nullptr);
void raise_signal(int signal, int code);
WaitQueue& signal_watchers();                    // told of each signal that is pending now (signalfd)
bool is_dropped(int signal, AppThread* thread);  // nobody would ever take it: ignored, and not blocked

// A signal that answers a trap of this very instruction: it cannot be put off.
void force_signal(const SignalInformation& information, const char* message, TrapFrame& frame);

void set_blocked_signals(uint64_t mask);
// Of the running thread, those sent to the process included.
uint64_t pending_signals();
extern uint64_t g_process_pending;  // those sent to the process
uint64_t deliverable_signals();     // pending and not blocked
bool wait_is_interrupted();         // by one that would end it, or by the debugger
// Takes one pending signal of `set` out of the queue; false: none.
bool take_signal(uint64_t set, SignalInformation& information);
uint64_t pending_process_signals();
void drop_pending_signals(int signal);               // it became ignored: all threads' and the process's
void drop_pending_signals(const AppThread& thread);  // it ends
void drop_timer_signal(int32_t timer);               // its timer is set anew, or deleted

// The mask for the time of one call (ppoll, pselect6, rt_sigsuspend); put back after a handler or at the call's end.
void set_temporary_mask(uint64_t mask);
void drop_temporary_mask();

// signal_frame.cpp
Result<void> push_signal_frame(TrapFrame& frame, const SignalInformation& information, const SignalAction& action);
Result<void> pop_signal_frame(TrapFrame& frame);
// Trap that a forced signal came from, for the frame's trapno, err and cr2.
struct LastTrap {
  uint64_t vector = 0, error_code = 0, cr2 = 0;
  uint16_t code_segment = 0, stack_segment = 0;  // what rt_sigreturn was to load and could not; 0: nothing such
};
extern LastTrap g_last_trap;

// signal_end.cpp: the default action of a signal that ends the app.
bool ends_with_dump(int signal);
// With `on-fault=first-chance`, for a fault that the program has a handler for: the dump of its moment, once for each
// instruction. True: this is a guest that was resumed from it.
bool dump_at_fault(const SignalInformation& information, const char* message, TrapFrame& frame);
[[noreturn]] void end_by_signal(const SignalInformation& information, const char* message, TrapFrame& frame);

}  // namespace kernel::linux
