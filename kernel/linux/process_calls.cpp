// Who the program is, what it may use, and how it ends.
#include "kernel/arch/x86_64/cpu.h"
#include "kernel/arch/x86_64/interrupts.h"
#include "kernel/crash/crash.h"
#include "kernel/debug/debugger.h"
#include "kernel/drivers/control_port.h"
#include "kernel/fs/inode.h"
#include "kernel/library/command_line.h"
#include "kernel/library/log.h"
#include "kernel/linux/app.h"
#include "kernel/linux/calls.h"
#include "kernel/linux/files.h"
#include "kernel/linux/limits.h"
#include "kernel/linux/security.h"
#include "kernel/linux/signals.h"
#include "kernel/memory/physical.h"
#include "kernel/task/scheduler.h"

namespace kernel::linux {

ResourceLimit g_limits[kLimitCount] = {
    {kUnlimited, kUnlimited},  // CPU
    {kUnlimited, kUnlimited},  // FSIZE
    {kUnlimited, kUnlimited},  // DATA
    {kStackSize, kUnlimited},  // STACK
    {0, kUnlimited},           // CORE
    {kUnlimited, kUnlimited},  // RSS
    {1024, 1024},              // NPROC
    {1024, 65536},             // NOFILE
    {8 << 20, 8 << 20},        // MEMLOCK
    {kUnlimited, kUnlimited},  // AS
    {kUnlimited, kUnlimited},  // LOCKS
    {256, 256},                // SIGPENDING
    {819200, 819200},          // MSGQUEUE
    {0, 0},                    // NICE
    {0, 0},                    // RTPRIO
    {kUnlimited, kUnlimited},  // RTTIME
};

namespace {

Result<uint64_t> set_limit(int which, const ResourceLimit& limit) {
  if (limit.soft > limit.hard) return Error::Invalid;
  if (which == kLimitFiles && limit.hard > 1 << 20) return Error::NotPermitted;
  g_limits[which] = limit;
  if (which == kLimitFiles) set_descriptor_limit(limit.soft);
  return 0;
}

bool is_limit(uint64_t which) {
  return which < kLimitCount;
}

}  // namespace

// A second process is more than one VM has. Programs often hide the errno, so that it is said in words; and an attacker
// asks for one first of all.
Result<uint64_t> refuse_process(const char* name, const char* what, TrapFrame& frame) {
  char line[160];
  format_text(line, sizeof line, "%s refused (ENOSYS: %s)", name, what);
  security_event("on-exec", line, frame);
  return Error::NoSyscall;
}

namespace {

Result<uint64_t> refuse_program(const char* name, uint64_t path, TrapFrame& frame) {
  char line[96];
  char wanted[64] = {};
  for (size_t at = 0; at + 1 < sizeof wanted; ++at) {
    auto next = read_user<char>(path + at);
    if (next.is_error() || next.value() == 0) break;
    const char c = next.value();
    wanted[at] = c >= ' ' && c < 0x7F && c != '"' ? c : '?';
  }
  format_text(line, sizeof line, "%s of \"%s\"", name, wanted);
  return refuse_process(line, "a VM runs the one program of its image", frame);
}

}  // namespace

void exit_app(int status) {
  unmount_root();
  const mortem::format::ControlExitStatus message{status & 0xFF};
  control_send(mortem::format::ControlType::ExitStatus, {reinterpret_cast<const uint8_t*>(&message), sizeof message});
  power_off();
}

void exit_program(int status, TrapFrame& frame) {
  debug::app_exits(status);
  if (status == 0 || setting_is("dump-on-exit", "never")) exit_app(status);
  // The program ended by itself: what it wrote is not lost, although the machine ends by a dump.
  (void)sync_root().is_error();
  static char message[96];
  format_text(message, sizeof message, "exit status %d", status);
  crash({.kind = mortem::format::ReasonKind::Exit, .exit_status = status, .message = message}, &frame);
}

MORTEM_CALL(exit_group) {
  exit_program(argument.number(0) & 0xFF, argument.frame);
}

MORTEM_CALL(exit) {
  exit_thread(argument.number(0) & 0xFF, argument.frame);
}

MORTEM_CALL(getpid) {
  return kProcessId;
}
MORTEM_CALL(gettid) {
  return current().id;
}
MORTEM_CALL(getppid) {
  return 1;
}
MORTEM_CALL(getpgrp) {
  return kProcessId;
}
MORTEM_CALL(getpgid) {
  if (argument.number(0) != 0 && argument.number(0) != static_cast<int>(kProcessId)) return Error::NoProcess;
  return kProcessId;
}
MORTEM_CALL(getsid) {
  return call_getpgid(argument);
}
MORTEM_CALL(setsid) {
  return Error::NotPermitted;
}  // it is a group leader already
MORTEM_CALL(setpgid) {
  const int own = static_cast<int>(kProcessId), process = argument.number(0), group = argument.number(1);
  if (group < 0) return Error::Invalid;
  if (process != 0 && process != own) return Error::NoProcess;
  if (group != 0 && group != own) return Error::NotPermitted;  // there is no other one
  return 0;
}
MORTEM_CALL(getrandom) {
  constexpr uint64_t kKnownFlags = 7;
  if ((argument[2] & ~kKnownFlags) != 0) return Error::Invalid;
  uint8_t bytes[256];
  uint64_t done = 0;
  const uint64_t wanted = argument[1] < 0x7fff'ffff ? argument[1] : 0x7fff'ffff;
  while (done < wanted) {
    const size_t part = wanted - done < sizeof bytes ? wanted - done : sizeof bytes;
    random_bytes(bytes, part);
    if (copy_to_user(argument[0] + done, bytes, part).is_error())
      return done > 0 ? Result<uint64_t>(done) : Error::Fault;
    done += part;
    if (done % kPageSize == 0) give_way();
  }
  return done;
}

MORTEM_CALL(sysinfo) {
  struct Information {
    int64_t uptime;
    uint64_t loads[3], total_ram, free_ram, shared, buffers, total_swap, free_swap;
    uint16_t processes, padding;
    uint64_t total_high, free_high;
    uint32_t unit;
    char end[4];
  } out{};
  static_assert(sizeof(Information) == 112);
  out.uptime = static_cast<int64_t>(monotonic_ns() / 1'000'000'000);
  out.total_ram = ram_page_count() * kPageSize;
  out.free_ram = free_page_count() * kPageSize;
  out.processes = 1;
  out.unit = 1;
  TRY(write_user(argument[0], out));
  return 0;
}

MORTEM_CALL(getrlimit) {
  if (!is_limit(argument[0])) return Error::Invalid;
  TRY(write_user(argument[1], g_limits[argument[0]]));
  return 0;
}
MORTEM_CALL(setrlimit) {
  if (!is_limit(argument[0])) return Error::Invalid;
  return set_limit(argument.number(0), TRY(read_user<ResourceLimit>(argument[1])));
}
MORTEM_CALL(prlimit64) {
  if (argument.number(0) != 0 && argument.number(0) != static_cast<int>(kProcessId)) return Error::NoProcess;
  const auto which = static_cast<uint32_t>(argument[1]);
  if (!is_limit(which)) return Error::Invalid;
  const ResourceLimit old = g_limits[which];
  if (argument[2] != 0) TRY(set_limit(static_cast<int>(which), TRY(read_user<ResourceLimit>(argument[2]))));
  if (argument[3] != 0) TRY(write_user(argument[3], old));
  return 0;
}

MORTEM_CALL(arch_prctl) {
  constexpr int kSetGs = 0x1001, kSetFs = 0x1002, kGetFs = 0x1003, kGetGs = 0x1004;
  switch (argument.number(0)) {
    case kSetFs:
      if (argument[1] >= kUserEnd) return Error::NotPermitted;
      set_fs_base(argument[1]);
      return 0;
    case kSetGs:
      if (argument[1] >= kUserEnd) return Error::NotPermitted;
      set_user_gs_base(argument[1]);
      return 0;
    case kGetFs:
      TRY(write_user(argument[1], get_fs_base()));
      return 0;
    case kGetGs:
      TRY(write_user(argument[1], get_user_gs_base()));
      return 0;
    default:
      return Error::Invalid;
  }
}

MORTEM_CALL(set_tid_address) {
  current().clear_child_tid = argument[0];
  return current().id;
}
MORTEM_CALL(set_robust_list) {
  constexpr uint64_t kHeadSize = 24;
  if (argument[1] != kHeadSize) return Error::Invalid;
  current().robust_list = argument[0];
  return 0;
}
MORTEM_CALL(get_robust_list) {
  const AppThread* thread = argument.number(0) == 0 ? &current() : find_thread(static_cast<uint32_t>(argument[0]));
  if (thread == nullptr) return Error::NoProcess;
  TRY(write_user(argument[1], thread->robust_list));
  TRY(write_user(argument[2], uint64_t{24}));
  return 0;
}

MORTEM_CALL(getcpu) {
  if (argument[0] != 0) TRY(write_user(argument[0], uint32_t{0}));
  if (argument[1] != 0) TRY(write_user(argument[1], uint32_t{0}));
  return 0;
}

MORTEM_CALL(fork) {
  return refuse_process("fork", "a VM runs one process", argument.frame);
}
MORTEM_CALL(vfork) {
  return refuse_process("vfork", "a VM runs one process", argument.frame);
}
MORTEM_CALL(execve) {
  return refuse_program("execve", argument[0], argument.frame);
}
MORTEM_CALL(execveat) {
  return refuse_program("execveat", argument[1], argument.frame);
}
// There is never a child.
MORTEM_CALL(wait4) {
  constexpr uint32_t kKnown = 1 | 2 | 8 | 0x20000000 | 0x40000000 | 0x80000000;  // WNOHANG, WUNTRACED, WCONTINUED, __W…
  if ((static_cast<uint32_t>(argument[2]) & ~kKnown) != 0) return Error::Invalid;
  return argument.number(0) == INT32_MIN ? Error::NoProcess : Error::NoChild;
}
MORTEM_CALL(waitid) {
  constexpr uint32_t kEvents = 2 | 4 | 8;  // WSTOPPED, WEXITED, WCONTINUED
  constexpr uint32_t kKnown = kEvents | 1 | 0x01000000 | 0x20000000 | 0x40000000 | 0x80000000;
  const auto options = static_cast<uint32_t>(argument[3]);
  if ((options & ~kKnown) != 0 || (options & kEvents) == 0) return Error::Invalid;
  constexpr int kAll = 0, kProcess = 1, kGroup = 2, kDescriptor = 3;  // P_*
  const int id = argument.number(1);
  switch (argument.number(0)) {
    case kAll:
      return Error::NoChild;
    case kProcess:
      return id <= 0 ? Error::Invalid : Error::NoChild;
    case kGroup:
      return id < 0 ? Error::Invalid : Error::NoChild;
    case kDescriptor:
      if (id < 0) return Error::Invalid;
      TRY(open_file(id));
      return Error::BadDescriptor;  // none is of a process
    default:
      return Error::Invalid;
  }
}

}  // namespace kernel::linux
