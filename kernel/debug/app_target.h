// The app as the stub's server sees it (gdbstub/target.h). Everything runs in the stub's own thread.
#pragma once

#include "gdbstub/target.h"
#include "kernel/debug/guest_files.h"
#include "kernel/linux/app.h"

namespace kernel::debug {

namespace gdbstub = mortem::gdbstub;
using mortem::format::GeneralRegisters;

class AppTarget final : public gdbstub::Target {
 public:
  gdbstub::Description description() override;
  gdbstub::ThreadId next_thread(gdbstub::ThreadId after) override;
  size_t thread_name(gdbstub::ThreadId id, std::span<char> name) override;

  bool read_registers(gdbstub::ThreadId id, GeneralRegisters& registers) override;
  bool write_registers(gdbstub::ThreadId id, const GeneralRegisters& registers) override;
  size_t read_extended_state(gdbstub::ThreadId id, std::span<uint8_t> to) override;
  bool write_extended_state(gdbstub::ThreadId id, std::span<const uint8_t> from) override;

  size_t read_memory(uint64_t address, std::span<uint8_t> to) override;
  size_t write_memory(uint64_t address, std::span<const uint8_t> from) override;
  bool memory_region(uint64_t address, gdbstub::MemoryRegion& region) override;
  gdbstub::Outcome insert_breakpoint(gdbstub::BreakpointKind kind, uint64_t address, uint64_t size) override;
  gdbstub::Outcome remove_breakpoint(gdbstub::BreakpointKind kind, uint64_t address, uint64_t size) override;

  void prepare_resume(gdbstub::ThreadId id, const gdbstub::ResumeAction& action) override;
  bool resume() override;
  void interrupt() override;
  void detach() override;
  void let_go();
  void lose_client() override;
  void kill() override;

  int64_t read_siginfo(gdbstub::ThreadId id, uint64_t offset, std::span<uint8_t> to) override;
  int64_t write_siginfo(gdbstub::ThreadId id, uint64_t offset, std::span<const uint8_t> from) override;
  int64_t read_auxiliary_vector(uint64_t offset, std::span<uint8_t> to) override;
  int64_t executable_path(std::span<char> to) override;

  int64_t open_file(std::string_view path) override { return files_.open(path); }
  int64_t close_file(uint64_t number) override { return files_.close(number); }
  int64_t read_file(uint64_t number, uint64_t offset, std::span<uint8_t> to) override {
    return files_.read(number, offset, to);
  }
  int64_t file_status(uint64_t number, gdbstub::FileStatus& status) override { return files_.status(number, status); }
  int64_t path_status(std::string_view path, gdbstub::FileStatus& status) override {
    return files_.status(path, status);
  }
  int64_t read_link(std::string_view path, std::span<char> to) override { return files_.read_link(path, to); }

  void catch_syscalls(const gdbstub::SyscallFilter& filter) override;
  void pass_signals(gdbstub::SignalSet signals) override;
  bool monitor(std::string_view command, gdbstub::TextSink& to) override;

  // For the stub's loop: what the stop that all threads have come to is about. False: nothing is to be reported yet.
  bool take_stop(gdbstub::Stop& stop);
  bool kill_is_wanted() const { return kill_wanted_; }
  bool dump_is_wanted() const { return dump_wanted_; }
  void write_wanted_dump();  // lets the thread go that writes it

 private:
  bool has_kept_event() const;
  bool stays_at_dump();
  void forget_client();
  void resume_thread(linux::AppThread& thread, const gdbstub::ResumeAction& action);

  GuestFiles files_;
  bool interrupted_ = false;
  bool kill_wanted_ = false, dump_wanted_ = false;
};

}  // namespace kernel::debug
