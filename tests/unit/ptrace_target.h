// A real thing to debug, for tests of gdbstub with real clients: a child process under ptrace(2).
#pragma once

#include <sys/types.h>
#include <sys/user.h>

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "gdbstub/target.h"

namespace mortem::test {

class PtraceTarget final : public gdbstub::Target {
 public:
  // Starts the program and leaves it at its first instruction. Its standard output goes to `output`. False: errno.
  bool start(const std::vector<std::string>& command, const std::string& output);

  // What has happened since; called when SIGCHLD has arrived and after feeding the server. All threads are stopped
  // when there is something.
  std::optional<gdbstub::Stop> take_stop();

  bool has_ended() const { return ended_; }
  int exit_status() const { return exit_status_; }

  gdbstub::Description description() override;
  gdbstub::ThreadId next_thread(gdbstub::ThreadId after) override;
  size_t thread_name(gdbstub::ThreadId thread, std::span<char> name) override;
  bool read_registers(gdbstub::ThreadId thread, format::GeneralRegisters& registers) override;
  bool write_registers(gdbstub::ThreadId thread, const format::GeneralRegisters& registers) override;
  size_t read_extended_state(gdbstub::ThreadId thread, std::span<uint8_t> bytes) override;
  bool write_extended_state(gdbstub::ThreadId thread, std::span<const uint8_t> bytes) override;
  size_t read_memory(uint64_t address, std::span<uint8_t> bytes) override;
  size_t write_memory(uint64_t address, std::span<const uint8_t> bytes) override;
  bool memory_region(uint64_t address, gdbstub::MemoryRegion& region) override;
  gdbstub::Outcome insert_breakpoint(gdbstub::BreakpointKind kind, uint64_t address, uint64_t size) override;
  gdbstub::Outcome remove_breakpoint(gdbstub::BreakpointKind kind, uint64_t address, uint64_t size) override;
  void prepare_resume(gdbstub::ThreadId thread, const gdbstub::ResumeAction& action) override;
  bool resume() override;
  void interrupt() override;
  void detach() override;
  void kill() override;
  int64_t read_siginfo(gdbstub::ThreadId thread, uint64_t offset, std::span<uint8_t> bytes) override;
  int64_t write_siginfo(gdbstub::ThreadId thread, uint64_t offset, std::span<const uint8_t> bytes) override;
  int64_t read_auxiliary_vector(uint64_t offset, std::span<uint8_t> bytes) override;
  int64_t executable_path(std::span<char> path) override;
  int64_t open_file(std::string_view path) override;
  int64_t close_file(uint64_t descriptor) override;
  int64_t read_file(uint64_t descriptor, uint64_t offset, std::span<uint8_t> bytes) override;
  int64_t file_status(uint64_t descriptor, gdbstub::FileStatus& status) override;
  int64_t path_status(std::string_view path, gdbstub::FileStatus& status) override;
  int64_t read_link(std::string_view path, std::span<char> link) override;
  void catch_syscalls(const gdbstub::SyscallFilter& filter) override;
  void report_thread_events(bool wanted) override { thread_events_ = wanted; }
  void pass_signals(gdbstub::SignalSet signals) override { passed_ = signals; }
  void program_signals(gdbstub::SignalSet signals) override { programs_ = signals; }
  bool monitor(std::string_view command, gdbstub::TextSink& sink) override;

 private:
  struct Thread {
    bool stopped = false;
    bool in_system_call = false;
    bool signal_stop = false;  // a signal given at the next resume is taken
    bool prepared = false;
    int signal = 0;  // it stopped with
    gdbstub::ResumeAction action;
    std::optional<gdbstub::Stop> pending;
  };
  struct Watch {
    bool used = false;
    gdbstub::BreakpointKind kind;
    uint64_t address, size;
  };

  void handle(pid_t thread, int status);
  std::optional<gdbstub::Stop> trap(pid_t id, Thread& thread);
  std::optional<gdbstub::Stop> system_call_stop(pid_t id, Thread& thread);
  void go(pid_t id, Thread& thread, int signal);
  void stop_all();
  bool still_true(const gdbstub::Stop& stop);
  void apply_watches(pid_t id);
  size_t raw_memory(uint64_t address, void* bytes, size_t size, bool write);

  pid_t process_ = 0;
  int memory_ = -1;
  std::map<pid_t, Thread> threads_;
  std::map<uint64_t, uint8_t> breakpoints_;  // and the bytes under them
  std::array<Watch, 4> watches_{};
  bool attended_ = true;  // a client wants to know of stops
  bool interrupting_ = false;
  bool stopping_ = false;
  bool thread_events_ = false;
  bool catching_ = false;
  std::vector<uint64_t> caught_;
  gdbstub::SignalSet passed_;
  gdbstub::SignalSet programs_{~0ull};
  bool ended_ = false;
  int exit_status_ = 0;
  std::string name_;
  uint64_t xcr0_ = 0;
};

}  // namespace mortem::test
