#include "ptrace_target.h"

#include <elf.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/personality.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cinttypes>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <fstream>

namespace mortem::test {

using gdbstub::BreakpointKind;
using gdbstub::Outcome;
using gdbstub::Stop;
using gdbstub::StopKind;
using gdbstub::ThreadId;

namespace {

constexpr uint8_t kBreakpointInstruction = 0xCC;

// <sys/ptrace.h> and <linux/ptrace.h> do not like each other.
constexpr int kEventStop = 128;
constexpr size_t kXcr0Offset = 464;  // of the regset: Linux's software-reserved bytes of FXSAVE

std::string process_path(pid_t process, const char* name) {
  return "/proc/" + std::to_string(process) + "/" + name;
}

size_t debug_register(int index) {
  return offsetof(struct user, u_debugreg) + static_cast<size_t>(index) * 8;
}

template <typename T>
int64_t errno_or(T value) {
  return value < 0 ? -errno : static_cast<int64_t>(value);
}

int64_t copy_piece(const void* whole, size_t size, uint64_t offset, std::span<uint8_t> piece) {
  if (offset >= size) return 0;
  const size_t count = std::min<size_t>(piece.size(), size - offset);
  std::memcpy(piece.data(), static_cast<const uint8_t*>(whole) + offset, count);
  return static_cast<int64_t>(count);
}

}  // namespace

bool PtraceTarget::start(const std::vector<std::string>& command, const std::string& output) {
  int gate[2];
  if (pipe2(gate, O_CLOEXEC) != 0) return false;
  process_ = fork();
  if (process_ < 0) return false;
  if (process_ == 0) {
    char byte;
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    signal(SIGINT, SIG_DFL), signal(SIGPIPE, SIG_DFL);
    const int out = open(output.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600), in = open("/dev/null", O_RDONLY);
    if (read(gate[0], &byte, 1) != 1 || out < 0 || dup2(out, 1) < 0 || dup2(in, 0) < 0) _exit(126);
    std::vector<char*> arguments;
    for (const std::string& argument : command) arguments.push_back(const_cast<char*>(argument.c_str()));
    arguments.push_back(nullptr);
    setpgid(0, 0);
    personality(ADDR_NO_RANDOMIZE);  // as a debugger starts its programs
    execv(arguments[0], arguments.data());
    _exit(127);
  }
  const long options = PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD;
  if (ptrace(PTRACE_SEIZE, process_, 0, options) != 0) return false;
  if (write(gate[1], "g", 1) != 1) return false;
  close(gate[0]), close(gate[1]);
  int status;
  if (waitpid(process_, &status, __WALL) != process_ || !WIFSTOPPED(status)) return false;
  threads_[process_].stopped = true;
  memory_ = open(process_path(process_, "mem").c_str(), O_RDWR | O_CLOEXEC);
  name_ = command[0].substr(command[0].rfind('/') + 1);
  std::array<uint8_t, 8192> state;
  if (read_extended_state(static_cast<ThreadId>(process_), state) > kXcr0Offset + 8)
    std::memcpy(&xcr0_, state.data() + kXcr0Offset, 8);
  return memory_ >= 0;
}

gdbstub::Description PtraceTarget::description() {
  gdbstub::Description description;
  description.process = static_cast<uint32_t>(process_);
  description.parent = static_cast<uint32_t>(getpid());
  description.name = name_;
  description.process_of_client_machine = true;
  description.xcr0 = xcr0_;
  description.hardware_breakpoints = description.hardware_watchpoints = true;
  description.signal_information = description.auxiliary_vector = description.executable_path = true;
  description.files = description.memory_regions = description.catches_system_calls = true;
  description.reports_thread_events = description.passes_signals = true;
  return description;
}

ThreadId PtraceTarget::next_thread(ThreadId after) {
  const auto next = threads_.upper_bound(static_cast<pid_t>(after));
  return next == threads_.end() ? 0 : static_cast<ThreadId>(next->first);
}

size_t PtraceTarget::thread_name(ThreadId thread, std::span<char> name) {
  std::ifstream file(process_path(process_, "task/") + std::to_string(thread) + "/comm");
  std::string line;
  if (!std::getline(file, line)) return 0;
  return line.copy(name.data(), name.size());
}

// user_regs_struct and GeneralRegisters are one layout.
bool PtraceTarget::read_registers(ThreadId thread, format::GeneralRegisters& registers) {
  iovec place{&registers, sizeof registers};
  return ptrace(PTRACE_GETREGSET, thread, NT_PRSTATUS, &place) == 0 && place.iov_len == sizeof registers;
}
bool PtraceTarget::write_registers(ThreadId thread, const format::GeneralRegisters& registers) {
  iovec place{const_cast<format::GeneralRegisters*>(&registers), sizeof registers};
  return ptrace(PTRACE_SETREGSET, thread, NT_PRSTATUS, &place) == 0;
}
size_t PtraceTarget::read_extended_state(ThreadId thread, std::span<uint8_t> bytes) {
  std::array<uint8_t, 16384> state;
  iovec place{state.data(), state.size()};
  if (ptrace(PTRACE_GETREGSET, thread, NT_X86_XSTATE, &place) != 0) return 0;
  std::memcpy(bytes.data(), state.data(), std::min(bytes.size(), place.iov_len));
  return place.iov_len;
}
// What the caller has no room for stays as it is.
bool PtraceTarget::write_extended_state(ThreadId thread, std::span<const uint8_t> bytes) {
  std::array<uint8_t, 16384> state;
  iovec place{state.data(), state.size()};
  if (ptrace(PTRACE_GETREGSET, thread, NT_X86_XSTATE, &place) != 0) return false;
  std::memcpy(state.data(), bytes.data(), std::min(bytes.size(), place.iov_len));
  return ptrace(PTRACE_SETREGSET, thread, NT_X86_XSTATE, &place) == 0;
}

size_t PtraceTarget::raw_memory(uint64_t address, void* bytes, size_t size, bool write) {
  size_t done = 0;
  while (done < size) {
    char* at = static_cast<char*>(bytes) + done;
    const off_t offset = static_cast<off_t>(address + done);
    const ssize_t count = write ? pwrite(memory_, at, size - done, offset) : pread(memory_, at, size - done, offset);
    if (count <= 0) break;
    done += static_cast<size_t>(count);
  }
  return done;
}

size_t PtraceTarget::read_memory(uint64_t address, std::span<uint8_t> bytes) {
  const size_t count = raw_memory(address, bytes.data(), bytes.size(), false);
  for (const auto& [at, original] : breakpoints_)
    if (at >= address && at - address < count) bytes[at - address] = original;
  return count;
}

size_t PtraceTarget::write_memory(uint64_t address, std::span<const uint8_t> bytes) {
  std::vector<uint8_t> copy(bytes.begin(), bytes.end());
  for (auto& [at, original] : breakpoints_) {
    if (at < address || at - address >= copy.size()) continue;
    original = copy[at - address];
    copy[at - address] = kBreakpointInstruction;
  }
  return raw_memory(address, copy.data(), copy.size(), true);
}

bool PtraceTarget::memory_region(uint64_t address, gdbstub::MemoryRegion& region) {
  std::ifstream maps(process_path(process_, "maps"));
  uint64_t hole = 0;
  for (std::string line; std::getline(maps, line);) {
    uint64_t start, end;
    char permissions[5];
    int name = 0;
    if (sscanf(line.c_str(), "%" SCNx64 "-%" SCNx64 " %4s %*s %*s %*s %n", &start, &end, permissions, &name) < 3)
      continue;
    if (address < start) {
      region.start = hole, region.size = start - hole;
      return true;
    }
    hole = end;
    if (address >= end) continue;
    region.start = start, region.size = end - start, region.mapped = true;
    region.readable = permissions[0] == 'r', region.writable = permissions[1] == 'w';
    region.executable = permissions[2] == 'x';
    if (name > 0) snprintf(region.name, sizeof region.name, "%s", line.c_str() + name);
    return true;
  }
  region.start = hole, region.size = 0 - hole;
  return true;
}

// DR7 (Intel SDM vol. 3, 17.2.4): two enable bits a slot, then four bits of kind and length.
void PtraceTarget::apply_watches(pid_t id) {
  uint64_t control = 0;
  ptrace(PTRACE_POKEUSER, id, debug_register(7), 0);
  for (int slot = 0; slot < 4; ++slot) {
    const Watch& watch = watches_[static_cast<size_t>(slot)];
    if (!watch.used) continue;
    const uint64_t kind = watch.kind == BreakpointKind::Hardware ? 0 : watch.kind == BreakpointKind::WriteWatch ? 1 : 3;
    const uint64_t length = watch.kind == BreakpointKind::Hardware || watch.size == 1 ? 0
                            : watch.size == 2                                         ? 1
                            : watch.size == 8                                         ? 2
                                                                                      : 3;
    control |= 1ull << (2 * slot) | (kind | length << 2) << (16 + 4 * slot);
    ptrace(PTRACE_POKEUSER, id, debug_register(slot), watch.address);
  }
  ptrace(PTRACE_POKEUSER, id, debug_register(7), control);
}

Outcome PtraceTarget::insert_breakpoint(BreakpointKind kind, uint64_t address, uint64_t size) {
  if (kind == BreakpointKind::Software) {
    uint8_t original;
    if (breakpoints_.contains(address)) return Outcome::Done;
    if (raw_memory(address, &original, 1, false) != 1) return Outcome::Failed;
    uint8_t instruction = kBreakpointInstruction;
    if (raw_memory(address, &instruction, 1, true) != 1) return Outcome::Failed;
    breakpoints_[address] = original;
    return Outcome::Done;
  }
  if (kind == BreakpointKind::ReadWatch) return Outcome::NotSupported;  // x86 has none
  for (Watch& watch : watches_)
    if (watch.used && watch.kind == kind && watch.address == address && watch.size == size) return Outcome::Done;
  if (kind != BreakpointKind::Hardware && size != 1 && size != 2 && size != 4 && size != 8) return Outcome::Failed;
  for (Watch& watch : watches_) {
    if (watch.used) continue;
    watch = {true, kind, address, size};
    for (const auto& [id, thread] : threads_) apply_watches(id);
    return Outcome::Done;
  }
  return Outcome::Failed;
}

Outcome PtraceTarget::remove_breakpoint(BreakpointKind kind, uint64_t address, uint64_t size) {
  if (kind == BreakpointKind::Software) {
    const auto found = breakpoints_.find(address);
    if (found == breakpoints_.end()) return Outcome::Done;
    if (raw_memory(address, &found->second, 1, true) != 1) return Outcome::Failed;
    breakpoints_.erase(found);
    return Outcome::Done;
  }
  for (Watch& watch : watches_)
    if (watch.used && watch.kind == kind && watch.address == address && watch.size == size) watch.used = false;
  for (const auto& [id, thread] : threads_) apply_watches(id);
  return Outcome::Done;
}

void PtraceTarget::prepare_resume(ThreadId thread, const gdbstub::ResumeAction& action) {
  const auto found = threads_.find(static_cast<pid_t>(thread));
  if (found == threads_.end()) return;
  found->second.prepared = true;
  found->second.action = action;
}

bool PtraceTarget::still_true(const Stop& stop) {
  return stop.kind != StopKind::SoftwareBreakpoint || breakpoints_.contains(stop.address);
}

bool PtraceTarget::resume() {
  for (auto& [id, thread] : threads_) {
    if (!thread.prepared || !thread.pending) continue;
    if (still_true(*thread.pending)) {
      for (auto& [other_id, other] : threads_) other.prepared = false;
      return true;  // take_stop has it
    }
    thread.pending.reset();
  }
  for (auto& [id, thread] : threads_) {
    if (!thread.prepared) continue;
    thread.prepared = false;
    go(id, thread, thread.action.signal);
  }
  return true;
}

void PtraceTarget::go(pid_t id, Thread& thread, int signal) {
  // A signal is taken from ptrace only where one was about to be delivered.
  if (signal != 0 && !thread.signal_stop) {
    syscall(SYS_tgkill, process_, id, signal);
    signal = 0;
  }
  thread.stopped = thread.signal_stop = false;
  const bool steps = thread.action.kind == gdbstub::ResumeKind::Step;
  ptrace(steps ? PTRACE_SINGLESTEP : catching_ ? PTRACE_SYSCALL : PTRACE_CONT, id, 0, signal);
}

std::optional<Stop> PtraceTarget::trap(pid_t id, Thread& thread) {
  siginfo_t information{};
  ptrace(PTRACE_GETSIGINFO, id, 0, &information);
  Stop stop;
  stop.thread = static_cast<ThreadId>(id);
  format::GeneralRegisters registers;
  if (!read_registers(stop.thread, registers)) return std::nullopt;
  const long fired = ptrace(PTRACE_PEEKUSER, id, debug_register(6), 0);
  for (size_t slot = 0; slot < watches_.size(); ++slot) {
    const Watch& watch = watches_[slot];
    if ((fired >> slot & 1) == 0 || !watch.used) continue;
    ptrace(PTRACE_POKEUSER, id, debug_register(6), 0);
    stop.kind = watch.kind == BreakpointKind::Hardware     ? StopKind::HardwareBreakpoint
                : watch.kind == BreakpointKind::WriteWatch ? StopKind::WriteWatchpoint
                                                           : StopKind::AccessWatchpoint;
    stop.address = watch.address;
    return stop;
  }
  if ((information.si_code == SI_KERNEL || information.si_code == TRAP_BRKPT) &&
      breakpoints_.contains(registers.rip - 1)) {
    stop.kind = StopKind::SoftwareBreakpoint;
    stop.address = --registers.rip;
    write_registers(stop.thread, registers);
    return stop;
  }
  if (information.si_code == TRAP_TRACE && thread.action.kind == gdbstub::ResumeKind::Step) {
    if (registers.rip >= thread.action.range_start && registers.rip < thread.action.range_end && !stopping_) {
      go(id, thread, 0);
      return std::nullopt;
    }
    stop.kind = StopKind::Step;
    return stop;
  }
  stop.signal = SIGTRAP;
  return stop;
}

std::optional<Stop> PtraceTarget::system_call_stop(pid_t id, Thread& thread) {
  thread.in_system_call = !thread.in_system_call;
  format::GeneralRegisters registers;
  if (!read_registers(static_cast<ThreadId>(id), registers)) return std::nullopt;
  bool wanted = catching_ && caught_.empty();
  for (const uint64_t number : caught_) wanted |= catching_ && number == registers.orig_rax;
  if (!wanted) return std::nullopt;
  Stop stop;
  stop.thread = static_cast<ThreadId>(id);
  stop.kind = thread.in_system_call ? StopKind::SyscallEntry : StopKind::SyscallReturn;
  stop.number = registers.orig_rax;
  return stop;
}

// One wait status. Leaves the thread stopped with something pending, or running.
void PtraceTarget::handle(pid_t id, int status) {
  if (WIFEXITED(status) || WIFSIGNALED(status)) {
    threads_.erase(id);
    Stop stop;
    stop.thread = static_cast<ThreadId>(id);
    if (id == process_) {
      ended_ = true;
      exit_status_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
      stop.kind = WIFEXITED(status) ? StopKind::Exited : StopKind::Terminated;
      stop.status = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
      stop.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
      threads_.clear();
      threads_[id].pending = stop;  // for take_stop
    }
    return;
  }
  const bool is_new = !threads_.contains(id);
  Thread& thread = threads_[id];
  thread.stopped = true;
  const int signal = WSTOPSIG(status), event = status >> 16;
  if (is_new) apply_watches(id);
  if (event != 0) {
    thread.signal_stop = false;
    if (event == PTRACE_EVENT_CLONE) {
      unsigned long made = 0;
      ptrace(PTRACE_GETEVENTMSG, id, 0, &made);
      const auto child = static_cast<pid_t>(made);
      // Its first stop is taken here: one that came later, while a single thread steps over a breakpoint that is out,
      // would let it run past that.
      if (!threads_.contains(child)) {
        int first;
        if (waitpid(child, &first, __WALL) == child) {
          threads_[child].stopped = true;
          apply_watches(child);
          if (!stopping_ && !(thread_events_ && attended_)) go(child, threads_[child], 0);
        }
      }
      if (thread_events_ && attended_) {
        Stop stop;
        stop.kind = StopKind::ThreadCreated;
        stop.thread = static_cast<ThreadId>(made);
        thread.pending = stop;
        return;
      }
    }
    if (!stopping_) go(id, thread, 0);
    return;
  }
  if (signal == (SIGTRAP | 0x80)) {
    thread.signal_stop = false;
    thread.pending = system_call_stop(id, thread);
    if (!thread.pending && !stopping_) go(id, thread, 0);
    return;
  }
  thread.signal_stop = true;
  thread.signal = signal;
  if (signal == SIGTRAP) {
    if (auto stop = trap(id, thread)) thread.pending = stop;
    return;
  }
  if (!attended_ || passed_.contains(signal)) {
    go(id, thread, signal);
    return;
  }
  Stop stop;
  stop.thread = static_cast<ThreadId>(id);
  stop.signal = signal;
  thread.pending = stop;
}

void PtraceTarget::stop_all() {
  stopping_ = true;
  for (const auto& [id, thread] : threads_)
    if (!thread.stopped) ptrace(PTRACE_INTERRUPT, id, 0, 0);
  // In whatever order they come: the first thread's end is not reported before that of all others.
  const auto runs = [](const auto& entry) { return !entry.second.stopped; };
  int status;
  while (!ended_ && std::any_of(threads_.begin(), threads_.end(), runs)) {
    const pid_t id = waitpid(-1, &status, __WALL);
    if (id < 0) break;
    handle(id, status);
  }
  stopping_ = false;
}

std::optional<Stop> PtraceTarget::take_stop() {
  int status;
  for (pid_t id; !ended_ && (id = waitpid(-1, &status, __WALL | WNOHANG)) > 0;) handle(id, status);
  if (!attended_ && !ended_) return std::nullopt;
  for (auto& [id, thread] : threads_) {
    if (!thread.pending) continue;
    const Stop stop = *thread.pending;
    thread.pending.reset();
    interrupting_ = false;
    if (ended_)
      threads_.clear();
    else
      stop_all();
    return stop;
  }
  if (!interrupting_) return std::nullopt;
  interrupting_ = false;
  stop_all();
  // Something else may have come first.
  for (auto& [id, thread] : threads_) {
    if (!thread.pending) continue;
    const Stop stop = *thread.pending;
    thread.pending.reset();
    return stop;
  }
  Stop stop;
  stop.thread = static_cast<ThreadId>(process_);
  stop.signal = SIGINT;
  return stop;
}

void PtraceTarget::interrupt() {
  attended_ = true;
  interrupting_ = true;
}

void PtraceTarget::detach() {
  if (ended_) return;
  stop_all();
  while (!breakpoints_.empty()) remove_breakpoint(BreakpointKind::Software, breakpoints_.begin()->first, 1);
  watches_ = {};
  catching_ = thread_events_ = interrupting_ = false;
  attended_ = false;
  for (auto& [id, thread] : threads_) {
    apply_watches(id);
    const bool has_signal = thread.signal_stop && thread.signal != SIGTRAP && programs_.contains(thread.signal);
    thread.pending.reset();
    thread.action = {};
    go(id, thread, has_signal ? thread.signal : 0);
  }
  passed_ = {};
  programs_ = {~0ull};
}

void PtraceTarget::kill() {
  ::kill(process_, SIGKILL);
}

int64_t PtraceTarget::read_siginfo(ThreadId thread, uint64_t offset, std::span<uint8_t> bytes) {
  siginfo_t information{};
  if (ptrace(PTRACE_GETSIGINFO, thread, 0, &information) != 0) return -1;
  return copy_piece(&information, sizeof information, offset, bytes);
}
int64_t PtraceTarget::write_siginfo(ThreadId thread, uint64_t offset, std::span<const uint8_t> bytes) {
  siginfo_t information{};
  if (ptrace(PTRACE_GETSIGINFO, thread, 0, &information) != 0) return -1;
  if (offset > sizeof information || bytes.size() > sizeof information - offset) return -1;
  std::memcpy(reinterpret_cast<uint8_t*>(&information) + offset, bytes.data(), bytes.size());
  if (ptrace(PTRACE_SETSIGINFO, thread, 0, &information) != 0) return -1;
  return static_cast<int64_t>(bytes.size());
}

int64_t PtraceTarget::read_auxiliary_vector(uint64_t offset, std::span<uint8_t> bytes) {
  std::ifstream file(process_path(process_, "auxv"), std::ios::binary);
  const std::string all((std::istreambuf_iterator<char>(file)), {});
  return all.empty() ? -1 : copy_piece(all.data(), all.size(), offset, bytes);
}
int64_t PtraceTarget::executable_path(std::span<char> path) {
  return errno_or(readlink(process_path(process_, "exe").c_str(), path.data(), path.size()));
}

int64_t PtraceTarget::open_file(std::string_view path) {
  return errno_or(open(std::string(path).c_str(), O_RDONLY | O_CLOEXEC));
}
int64_t PtraceTarget::close_file(uint64_t descriptor) {
  return errno_or(close(static_cast<int>(descriptor)));
}
int64_t PtraceTarget::read_file(uint64_t descriptor, uint64_t offset, std::span<uint8_t> bytes) {
  return errno_or(pread(static_cast<int>(descriptor), bytes.data(), bytes.size(), static_cast<off_t>(offset)));
}

namespace {

void convert(const struct stat& from, gdbstub::FileStatus& to) {
  to = {static_cast<uint32_t>(from.st_dev),
        static_cast<uint32_t>(from.st_ino),
        from.st_mode,
        static_cast<uint32_t>(from.st_nlink),
        from.st_uid,
        from.st_gid,
        static_cast<uint32_t>(from.st_rdev),
        static_cast<uint64_t>(from.st_size),
        static_cast<uint64_t>(from.st_blksize),
        static_cast<uint64_t>(from.st_blocks),
        static_cast<uint32_t>(from.st_atime),
        static_cast<uint32_t>(from.st_mtime),
        static_cast<uint32_t>(from.st_ctime)};
}

}  // namespace

int64_t PtraceTarget::file_status(uint64_t descriptor, gdbstub::FileStatus& status) {
  struct stat found {};
  if (fstat(static_cast<int>(descriptor), &found) != 0) return -errno;
  convert(found, status);
  return 0;
}
int64_t PtraceTarget::path_status(std::string_view path, gdbstub::FileStatus& status) {
  struct stat found {};
  if (stat(std::string(path).c_str(), &found) != 0) return -errno;
  convert(found, status);
  return 0;
}
int64_t PtraceTarget::read_link(std::string_view path, std::span<char> link) {
  return errno_or(readlink(std::string(path).c_str(), link.data(), link.size()));
}

void PtraceTarget::catch_syscalls(const gdbstub::SyscallFilter& filter) {
  catching_ = filter.enabled;
  caught_.assign(filter.numbers.begin(), filter.numbers.end());
}

bool PtraceTarget::monitor(std::string_view command, gdbstub::TextSink& sink) {
  if (command == "echo") {
    sink.write("said by ");
    sink.write("the target\n");
    return true;
  }
  return false;
}

}  // namespace mortem::test
