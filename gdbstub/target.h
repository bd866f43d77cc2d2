// What the server asks of the thing that is debugged. Methods are called from within Server::feed and
// Server::connection_lost, never at any other time, and must not block or call back into the server; a target that
// cannot do something keeps the default. Numbers of signals, system calls and errors are Linux's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "snapshot/format/registers.h"

namespace mortem::gdbstub {

using ThreadId = uint32_t;  // 0: none

enum class StopKind : uint8_t {
  Signal,              // a signal is about to be delivered to `thread`; also the answer to interrupt(), with SIGINT
  Step,                // a single step is done
  SoftwareBreakpoint,  // the program counter is AT the breakpoint's address
  HardwareBreakpoint,  // likewise
  WriteWatchpoint,     // `address` is the watched address; the access has happened
  ReadWatchpoint,
  AccessWatchpoint,
  Exec,           // a new program is at its entry
  SyscallEntry,   // `number`
  SyscallReturn,  // `number`
  ThreadCreated,  // `thread` is the new one; only if report_thread_events asked for it
  ThreadExited,   // `thread` is gone, `status` its exit status; only if asked for
  Exited,         // the process, with `status`
  Terminated,     // the process, by `signal`
  HistoryBegin,   // of a recording: there is nothing before
  HistoryEnd,     // of a recording: there is nothing after
};

struct Stop {
  StopKind kind = StopKind::Signal;
  ThreadId thread = 0;
  int signal = 0;
  uint64_t address = 0;
  uint64_t number = 0;
  int status = 0;
};

enum class BreakpointKind : uint8_t { Software, Hardware, WriteWatch, ReadWatch, AccessWatch };

enum class Outcome : uint8_t { Done, Failed, NotSupported };

enum class ResumeKind : uint8_t { Continue, Step };
enum class Direction : uint8_t { Forwards, Backwards };

struct ResumeAction {
  ResumeKind kind = ResumeKind::Continue;
  Direction direction = Direction::Forwards;
  int signal = 0;  // delivered first; 0: none, also not the one it stopped with
  // Range stepping: at least one step, then on while the program counter is in [start, end); the target stops for
  // everything else as it does otherwise. Equal: one step.
  uint64_t range_start = 0;
  uint64_t range_end = 0;
};

// What the target is and can do; the server tells clients of nothing else.
struct Description {
  uint32_t process = 1;
  uint32_t parent = 0;
  std::string_view name;                   // of the program, for people
  bool process_of_client_machine = false;  // `process` means something to the client's own system
  uint64_t xcr0 = 0;  // components in read_extended_state (Intel SDM vol. 1, 13.3); 0: x87 and SSE of FXSAVE only
  uint32_t avx_offset = 576;  // of the upper halves of YMM: CPUID.(0DH,2):EBX
  bool hardware_breakpoints = false;
  bool hardware_watchpoints = false;
  uint32_t watchpoint_count = 4;
  bool signal_information = false;  // read_siginfo
  bool auxiliary_vector = false;
  bool executable_path = false;
  bool files = false;
  bool local_files = false;  // local_file
  bool memory_regions = false;
  bool catches_system_calls = false;
  bool reports_exec = false;
  bool reports_thread_events = false;
  bool passes_signals = false;       // pass_signals and program_signals
  bool memory_map = false;           // memory_region tells of all there is, and nothing will be mapped later
  bool runs_backwards = false;       // actions with Direction::Backwards
  std::string_view cannot_run = {};  // a sentence for people why the program never goes on; empty: it does
};

struct MemoryRegion {
  uint64_t start = 0;
  uint64_t size = 0;
  bool mapped = false;  // false: a hole, up to the next mapping
  bool readable = false, writable = false, executable = false;
  char name[256] = {};  // file or kind, NUL-terminated; empty: none
};

struct FileStatus {
  uint32_t device, inode, mode, links, user, group, raw_device;
  uint64_t size, block_size, blocks;
  uint32_t access_time, modification_time, change_time;
};

// Of a module, on this machine: a client here opens it itself.
struct LocalFile {
  std::string_view path;
  std::span<const uint8_t> build_id;  // empty: unknown
  uint64_t size = 0;                  // bytes; 0: there is no such file here
  uint64_t load_bias = 0;             // run-time addresses are this much above those in the file
};

// Which system calls to report.
struct SyscallFilter {
  bool enabled = false;
  std::span<const uint64_t> numbers;  // empty: all. Good only during the call
};

// A set of Linux signals, 1 to 64.
struct SignalSet {
  uint64_t bits = 0;
  void add(int signal) { bits |= 1ull << (signal - 1); }
  bool contains(int signal) const { return signal >= 1 && signal <= 64 && (bits >> (signal - 1) & 1) != 0; }
};

// Where a monitor command writes. Pieces of any length; what is too much for one packet is cut off, and said so.
class TextSink {
 public:
  virtual void write(std::string_view text) = 0;

 protected:
  ~TextSink() = default;
};

class Target {
 public:
  virtual Description description() = 0;

  // Threads. The next one after `after` in an order that does not change while stopped; 0 begins, and ends.
  virtual ThreadId next_thread(ThreadId after) = 0;
  // Bytes written to `name`; 0: it has none.
  virtual size_t thread_name(ThreadId, std::span<char>) { return 0; }

  // Registers of a stopped thread. False: not known.
  virtual bool read_registers(ThreadId, format::GeneralRegisters&) = 0;
  virtual bool write_registers(ThreadId, const format::GeneralRegisters&) = 0;
  // The standard-format XSAVE area (Intel SDM vol. 1, 13.4), or the 512 bytes of FXSAVE. Returns its size, however
  // little of it fits in the buffer; 0: not known.
  virtual size_t read_extended_state(ThreadId, std::span<uint8_t>) { return 0; }
  virtual bool write_extended_state(ThreadId, std::span<const uint8_t>) { return false; }

  // Memory, as the program would see it: without the breakpoints that were inserted. Returns how many bytes from the
  // first on were done.
  virtual size_t read_memory(uint64_t address, std::span<uint8_t>) = 0;
  virtual size_t write_memory(uint64_t address, std::span<const uint8_t>) = 0;
  // The mapping or the hole at `address`. False: not known.
  virtual bool memory_region(uint64_t, MemoryRegion&) { return false; }

  // `size`: of the instruction, or of what is watched. Inserting what is there and removing what is not are both Done.
  virtual Outcome insert_breakpoint(BreakpointKind, uint64_t, uint64_t) { return Outcome::NotSupported; }
  virtual Outcome remove_breakpoint(BreakpointKind, uint64_t, uint64_t) { return Outcome::NotSupported; }

  // All threads are stopped and go on together: prepare_resume for each that shall run, then resume. Threads without a
  // preparation stay; threads that are made later run. When one stops, all are stopped and Server::report_stop is
  // called once. A second stop at the same time is kept, and reported after the next resume unless it has become
  // untrue (a removed breakpoint).
  virtual void prepare_resume(ThreadId, const ResumeAction&) = 0;
  virtual bool resume() = 0;
  // Stop all, soon; report_stop follows with SIGINT, or with what came first, and then nothing more for this.
  virtual void interrupt() = 0;
  // Removes all breakpoints and filters and lets the program go on, whether it is stopped or not.
  virtual void detach() = 0;
  // The client has gone without a word.
  virtual void lose_client() { detach(); }
  virtual void kill() = 0;

  // Pieces of larger things: up to the size of the span from `offset`. Returns the count, less than asked only at the
  // end; negative: there is none.
  virtual int64_t read_siginfo(ThreadId, uint64_t, std::span<uint8_t>) { return -1; }
  virtual int64_t write_siginfo(ThreadId, uint64_t, std::span<const uint8_t>) { return -1; }
  virtual int64_t read_auxiliary_vector(uint64_t, std::span<uint8_t>) { return -1; }
  // The path's length, at most the span's.
  virtual int64_t executable_path(std::span<char>) { return -1; }

  // The module's file of that path on the target's side; what it refers to lives as long as the target. Where none is
  // here the path is the given one, so that a client that has another file there sees that it is not the module's.
  virtual bool local_file(std::string_view, LocalFile&) { return false; }

  // Files of the target's side, for reading. Results as of the system calls: negative is -errno.
  virtual int64_t open_file(std::string_view) { return -38; }
  virtual int64_t close_file(uint64_t) { return -38; }
  virtual int64_t read_file(uint64_t, uint64_t, std::span<uint8_t>) { return -38; }
  virtual int64_t file_status(uint64_t, FileStatus&) { return -38; }
  virtual int64_t path_status(std::string_view, FileStatus&) { return -38; }
  virtual int64_t read_link(std::string_view, std::span<char>) { return -38; }

  virtual void catch_syscalls(const SyscallFilter&) {}
  virtual void report_thread_events(bool) {}
  // These are delivered at once, without a stop.
  virtual void pass_signals(SignalSet) {}
  // Only these reach the program when it goes on after the client has left.
  virtual void program_signals(SignalSet) {}

  // A command of `monitor`. False: no such command.
  virtual bool monitor(std::string_view, TextSink&) { return false; }

 protected:
  ~Target() = default;
};

}  // namespace mortem::gdbstub
