// A target that does not run, as gdbstub's server sees it. What a debugger writes is kept beside: the target itself
// never changes.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gdbstub/target.h"
#include "inspector/serve/memory_overlay.h"
#include "inspector/serve/served_files.h"

namespace mortem::inspector {

class ServedTarget final : public gdbstub::Target {
 public:
  // `first_write` is called once, when the client first changes something. The target's regions and modules are asked
  // for now; both references must outlive this.
  ServedTarget(const inspector::Target& target, Symbolizer& symbolizer, std::function<void()> first_write);

  // The dynamic linker's names of the modules' files, where they are not the modules' own.
  const std::map<std::string, const CoreModule*>& linker_names() const { return files_.names(); }

  // What to tell a client that asks why it stopped.
  gdbstub::Stop stop() const;
  // What the server is to be told after it was fed: a client that has killed the program, or comes back to it.
  std::optional<gdbstub::Stop> take_stop() { return std::exchange(stop_, std::nullopt); }

  gdbstub::Description description() override;
  gdbstub::ThreadId next_thread(gdbstub::ThreadId after) override;
  size_t thread_name(gdbstub::ThreadId thread, std::span<char> name) override;
  bool read_registers(gdbstub::ThreadId thread, format::GeneralRegisters& registers) override;
  bool write_registers(gdbstub::ThreadId thread, const format::GeneralRegisters& registers) override;
  size_t read_extended_state(gdbstub::ThreadId thread, std::span<uint8_t> to) override;
  bool write_extended_state(gdbstub::ThreadId thread, std::span<const uint8_t> from) override;
  size_t read_memory(uint64_t address, std::span<uint8_t> to) override;
  size_t write_memory(uint64_t address, std::span<const uint8_t> from) override;
  bool memory_region(uint64_t address, gdbstub::MemoryRegion& region) override;

  // Nothing runs into them, and gdb asks for them before it asks to go on, which is refused with a sentence.
  gdbstub::Outcome insert_breakpoint(gdbstub::BreakpointKind, uint64_t, uint64_t) override {
    return gdbstub::Outcome::Done;
  }
  gdbstub::Outcome remove_breakpoint(gdbstub::BreakpointKind, uint64_t, uint64_t) override {
    return gdbstub::Outcome::Done;
  }
  void prepare_resume(gdbstub::ThreadId, const gdbstub::ResumeAction&) override {}
  bool resume() override { return false; }
  void interrupt() override { stop_ = stop(); }
  void detach() override {}
  void kill() override;

  int64_t read_siginfo(gdbstub::ThreadId thread, uint64_t offset, std::span<uint8_t> to) override;
  int64_t read_auxiliary_vector(uint64_t offset, std::span<uint8_t> to) override;
  int64_t executable_path(std::span<char> to) override;
  bool local_file(std::string_view path, gdbstub::LocalFile& file) override { return files_.local(path, file); }
  int64_t open_file(std::string_view path) override { return files_.open(path); }
  int64_t close_file(uint64_t number) override { return files_.close(number); }
  int64_t read_file(uint64_t number, uint64_t offset, std::span<uint8_t> to) override {
    return files_.read(number, offset, to);
  }
  int64_t file_status(uint64_t number, gdbstub::FileStatus& status) override { return files_.status(number, status); }
  int64_t path_status(std::string_view path, gdbstub::FileStatus& status) override {
    return files_.path_status(path, status);
  }
  int64_t read_link(std::string_view path, std::span<char> to) override { return files_.read_link(path, to); }
  bool monitor(std::string_view command, gdbstub::TextSink& to) override;

 private:
  struct FileRegion {  // not in the target, but in the file that was mapped there
    const CoreModule* module;
    uint64_t start, end;
  };

  void note_write();
  bool has_thread(gdbstub::ThreadId thread) const;
  void find_file_regions();
  void find_linker_names();
  size_t read_from_file(uint64_t address, std::span<uint8_t> to);
  std::span<const uint8_t> extended_state(gdbstub::ThreadId thread) const;

  const inspector::Target& target_;
  Symbolizer& symbolizer_;
  std::function<void()> first_write_;
  bool written_ = false;
  std::optional<gdbstub::Stop> stop_;
  uint32_t process_ = 1;
  std::string name_;
  uint64_t xcr0_ = 0;
  ServedFiles files_;
  std::vector<uint8_t> auxiliary_vector_;
  std::vector<FileRegion> file_regions_;                                 // by address
  std::map<const CoreModule*, std::shared_ptr<const ElfImage>> images_;  // null: not found
  MemoryOverlay memory_;
  std::map<gdbstub::ThreadId, format::GeneralRegisters> registers_;    // those that were written
  std::map<gdbstub::ThreadId, std::vector<uint8_t>> extended_states_;  // likewise
};

}  // namespace mortem::inspector
