// The debugger inside the guest, as the Linux ABI sees it: where it may stop the app. All are no-ops while no client is
// there.
#pragma once

#include "kernel/arch/x86_64/trap_frame.h"
#include "kernel/linux/app.h"

namespace kernel::debug {

// Starts the stub's thread if the machine has its port. Before the first thread's first instruction; with `wait=gdb` on
// the command line that thread then parks at its entry.
void start_stub();

// The app stops where it is, as if a client had attached, and waits for one. False: there is no stub.
bool hold_app();

// What hold_app() holds goes on, if no client has it.
void let_app_go();

// The thread's wait must end: it is to park.
bool wants_stop(const linux::AppThread& thread);
// On the way back to the app, interrupts off. True: the thread was parked, everything is to be looked at again.
bool stop_here(linux::AppThread& thread, TrapFrame& frame);
// A client has asked for the app, and is told of its calls.
extern bool g_is_attached;
// Only while one has: a system call is about to begin: a catchpoint may stop the thread, and the debugger change the
// frame. False: the call is not to be made (orig_rax is -1).
bool enters_call(linux::AppThread& thread, TrapFrame& frame);
// The end of a system call, after what a signal did to it: catchpoints, and a thread that steps stops behind the
// SYSCALL.
void left_call(linux::AppThread& thread, TrapFrame& frame);
// #DB and #BP of the app. True: the debugger's doing, the thread goes back to where its frame says.
bool take_trap(linux::AppThread& thread, TrapFrame& frame);
// #DB in the kernel: a watched word was reached for the app (read(2) into it, say).
bool take_kernel_trap(TrapFrame& frame);

enum class SignalFate : uint8_t { Deliver, Drop };
// A signal is about to be delivered, or to end the app; the debugger may change or drop it.
enum class SignalEffect : uint8_t { Handler, EndsApp, Nothing };
SignalFate signal_arrives(linux::AppThread& thread, TrapFrame& frame, linux::SignalInformation& information,
                          SignalEffect effect);
// The same for a signal that left a dump, in a guest that was resumed from it.
SignalFate signal_arrives_again(linux::AppThread& thread, TrapFrame& frame, linux::SignalInformation& information);
// A handler's frame stands: a thread that steps stops at the handler's first instruction.
void before_handler(linux::AppThread& thread, TrapFrame& frame);
void entered_handler(linux::AppThread& thread, TrapFrame& frame);

void thread_created(linux::AppThread& thread);
void thread_ends();  // it has left the list

// If the app is stopped or about to be, and no client is there that could let it go, a signal would never reach it: it
// ends with that status soon, in the stub's thread, since its files may have to be written and this may be an
// interrupt. Else false.
bool end_held_app(int status);

// The app ends: the client is told, breakpoints leave the app's memory (a dump shows the program's own code).
void app_exits(int status);
void app_is_killed(int signal);

}  // namespace kernel::debug
