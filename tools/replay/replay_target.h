// A recording as gdbstub's server sees it: it goes in both directions, and nothing in it can be changed.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gdbstub/target.h"
#include "inspector/serve/served_target.h"
#include "inspector/symbols/symbolizer.h"
#include "inspector/target/target.h"
#include "snapshot/core_file.h"
#include "tools/replay/history.h"

namespace mortem::tools {

class ReplayTarget final : public gdbstub::Target {
 public:
  ReplayTarget(History& history, inspector::Symbolizer& symbolizer) : history_(history), symbolizer_(symbolizer) {}

  // Asked for by a client, not done yet; run() does it and gives what to report.
  bool wants_to_run() const { return wanted_.has_value(); }
  Result<gdbstub::Stop> run();
  // After QEMU has failed: where it stood before.
  Result<gdbstub::Stop> start_again(uint64_t instructions);
  gdbstub::Stop stop_of(const HistoryEvent& event) const;
  bool is_interrupted() const { return interrupted_; }
  std::optional<gdbstub::Stop> take_stop() { return std::exchange(stop_, std::nullopt); }

  gdbstub::Description description() override;
  gdbstub::ThreadId next_thread(gdbstub::ThreadId after) override;
  size_t thread_name(gdbstub::ThreadId thread, std::span<char> name) override;
  bool read_registers(gdbstub::ThreadId thread, format::GeneralRegisters& registers) override;
  bool write_registers(gdbstub::ThreadId, const format::GeneralRegisters&) override { return false; }
  size_t read_extended_state(gdbstub::ThreadId thread, std::span<uint8_t> to) override;
  size_t read_memory(uint64_t address, std::span<uint8_t> to) override;
  size_t write_memory(uint64_t, std::span<const uint8_t>) override { return 0; }
  bool memory_region(uint64_t address, gdbstub::MemoryRegion& region) override;

  gdbstub::Outcome insert_breakpoint(gdbstub::BreakpointKind kind, uint64_t address, uint64_t size) override;
  gdbstub::Outcome remove_breakpoint(gdbstub::BreakpointKind kind, uint64_t address, uint64_t size) override;
  void prepare_resume(gdbstub::ThreadId thread, const gdbstub::ResumeAction& action) override;
  bool resume() override;
  void interrupt() override;
  void detach() override;
  void kill() override;

  int64_t read_auxiliary_vector(uint64_t offset, std::span<uint8_t> to) override;
  int64_t executable_path(std::span<char> to) override;
  int64_t open_file(std::string_view path) override;
  int64_t close_file(uint64_t number) override;
  int64_t read_file(uint64_t number, uint64_t offset, std::span<uint8_t> to) override;
  int64_t file_status(uint64_t number, gdbstub::FileStatus& status) override;
  int64_t path_status(std::string_view path, gdbstub::FileStatus& status) override;
  int64_t read_link(std::string_view path, std::span<char> to) override;
  bool monitor(std::string_view command, gdbstub::TextSink& to) override;

 private:
  Result<std::string> ask_qemu(const std::string& words);
  std::optional<std::string> own_file(std::string_view path);
  Result<std::string> mark(const std::string& name);
  Result<std::string> go(const std::string& place);
  struct Wanted {
    gdbstub::ThreadId thread = 0;
    gdbstub::ResumeAction action;
  };
  // A moment of the recording as a dump of it would be: what is asked of it changes only with modules and mappings.
  struct Kept {
    std::vector<uint8_t> modules;
    std::vector<std::pair<uint64_t, uint64_t>> areas;
    std::unique_ptr<snapshot::CoreFile> core;
    std::unique_ptr<inspector::Target> target;
    std::unique_ptr<inspector::ServedTarget> served;
  };
  inspector::ServedTarget* served();  // null: there is none yet
  Result<std::unique_ptr<Kept>> keep(const snapshot::GuestFacts& facts);
  const std::vector<snapshot::GuestThread>& threads();

  History& history_;
  inspector::Symbolizer& symbolizer_;
  std::map<uint64_t, std::string> own_files_;  // open ones that tell of this very moment, by their numbers
  std::vector<std::unique_ptr<Kept>> kept_;    // all: a client may have files of older ones open
  std::vector<Wanted> prepared_;
  std::optional<Wanted> wanted_;
  std::optional<gdbstub::Stop> stop_;
  bool interrupted_ = false;
  std::string name_;
};

}  // namespace mortem::tools
