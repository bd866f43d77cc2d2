// A target of bytes for gdbstub, which notes what it was asked to do.
#pragma once

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "gdbstub/target.h"

namespace mortem::test {

struct FakeStubTarget final : gdbstub::Target {
  struct Thread {
    std::string name;
    format::GeneralRegisters registers{};
    std::vector<uint8_t> extended;  // empty: not known
  };

  FakeStubTarget() {
    facts.process = 0x2A;
    facts.name = "program";
    facts.xcr0 = 7;
    facts.hardware_breakpoints = facts.hardware_watchpoints = facts.signal_information = true;
    facts.auxiliary_vector = facts.executable_path = facts.files = facts.memory_regions = true;
    facts.catches_system_calls = facts.reports_thread_events = facts.passes_signals = facts.reports_exec = true;
    add_thread(0x2A, "main");
  }

  Thread& add_thread(gdbstub::ThreadId id, std::string name) {
    Thread& thread = threads[id];
    thread.name = std::move(name);
    uint64_t value = 0x1111111111111111ull * (id % 13 + 1);
    auto* words = reinterpret_cast<uint64_t*>(&thread.registers);
    for (size_t index = 0; index < sizeof thread.registers / 8; ++index) words[index] = value += 0x0101010101010103;
    thread.extended.assign(832, 0);
    for (size_t index = 0; index < thread.extended.size(); ++index) thread.extended[index] = uint8_t(index * 7 + id);
    const uint64_t in_use = 7;
    std::memcpy(thread.extended.data() + 512, &in_use, 8);
    return thread;
  }

  gdbstub::Description description() override { return facts; }
  gdbstub::ThreadId next_thread(gdbstub::ThreadId after) override {
    const auto next = threads.upper_bound(after);
    return next == threads.end() ? 0 : next->first;
  }
  size_t thread_name(gdbstub::ThreadId thread, std::span<char> name) override {
    return threads.at(thread).name.copy(name.data(), name.size());
  }
  bool read_registers(gdbstub::ThreadId thread, format::GeneralRegisters& registers) override {
    if (!registers_known) return false;
    registers = threads.at(thread).registers;
    return true;
  }
  bool write_registers(gdbstub::ThreadId thread, const format::GeneralRegisters& registers) override {
    threads.at(thread).registers = registers;
    return true;
  }
  size_t read_extended_state(gdbstub::ThreadId thread, std::span<uint8_t> bytes) override {
    const auto& extended = threads.at(thread).extended;
    std::copy_n(extended.begin(), std::min(bytes.size(), extended.size()), bytes.begin());
    return extended.size();
  }
  bool write_extended_state(gdbstub::ThreadId thread, std::span<const uint8_t> bytes) override {
    threads.at(thread).extended.assign(bytes.begin(), bytes.end());
    return true;
  }

  size_t for_memory(uint64_t address, size_t size, auto each) {
    for (auto& [start, bytes] : memory) {
      if (address < start || address - start >= bytes.size()) continue;
      const size_t count = std::min<size_t>(size, bytes.size() - (address - start));
      each(bytes.data() + (address - start), count);
      return count;
    }
    return 0;
  }
  size_t read_memory(uint64_t address, std::span<uint8_t> to) override {
    return for_memory(address, to.size(), [&](uint8_t* bytes, size_t count) { std::memcpy(to.data(), bytes, count); });
  }
  size_t write_memory(uint64_t address, std::span<const uint8_t> from) override {
    return for_memory(address, from.size(),
                      [&](uint8_t* bytes, size_t count) { std::memcpy(bytes, from.data(), count); });
  }
  bool memory_region(uint64_t address, gdbstub::MemoryRegion& region) override {
    uint64_t hole = 0;
    for (const auto& [start, bytes] : memory) {
      if (address < start) {
        region.start = hole, region.size = start - hole;
        return true;
      }
      hole = start + bytes.size();
      if (address >= hole) continue;
      region.start = start, region.size = bytes.size(), region.mapped = region.readable = true;
      std::strcpy(region.name, "/a");
      return true;
    }
    region.start = hole, region.size = ~0ull - hole;
    return true;
  }

  void note(std::string text) {
    if (log.size() < 1000) log.push_back(std::move(text));
  }
  static std::string number(uint64_t value) { return gdb_hex(value); }
  static std::string gdb_hex(uint64_t value) {
    char text[20];
    snprintf(text, sizeof text, "%llx", static_cast<unsigned long long>(value));
    return text;
  }

  gdbstub::Outcome insert_breakpoint(gdbstub::BreakpointKind kind, uint64_t address, uint64_t size) override {
    note("insert " + number(static_cast<uint64_t>(kind)) + " " + number(address) + " " + number(size));
    return breakpoint_outcome;
  }
  gdbstub::Outcome remove_breakpoint(gdbstub::BreakpointKind kind, uint64_t address, uint64_t size) override {
    note("remove " + number(static_cast<uint64_t>(kind)) + " " + number(address) + " " + number(size));
    return breakpoint_outcome;
  }
  void prepare_resume(gdbstub::ThreadId thread, const gdbstub::ResumeAction& action) override {
    std::string text = number(thread) + (action.kind == gdbstub::ResumeKind::Step ? " step" : " continue");
    if (action.signal != 0) text += " signal " + std::to_string(action.signal);
    if (action.range_end != 0) text += " range " + number(action.range_start) + "-" + number(action.range_end);
    note(text);
  }
  bool resume() override {
    note("resume");
    return true;
  }
  void interrupt() override { note("interrupt"); }
  void detach() override { note("detach"); }
  void kill() override { note("kill"); }

  int64_t piece(const std::vector<uint8_t>& whole, uint64_t offset, std::span<uint8_t> to) {
    if (offset >= whole.size()) return 0;
    const size_t count = std::min<size_t>(to.size(), whole.size() - offset);
    std::memcpy(to.data(), whole.data() + offset, count);
    return static_cast<int64_t>(count);
  }
  int64_t read_siginfo(gdbstub::ThreadId, uint64_t offset, std::span<uint8_t> to) override {
    return piece(siginfo, offset, to);
  }
  int64_t write_siginfo(gdbstub::ThreadId, uint64_t offset, std::span<const uint8_t> from) override {
    if (offset > siginfo.size() || from.size() > siginfo.size() - offset) return -1;
    std::copy(from.begin(), from.end(), siginfo.begin() + static_cast<ptrdiff_t>(offset));
    return static_cast<int64_t>(from.size());
  }
  int64_t read_auxiliary_vector(uint64_t offset, std::span<uint8_t> to) override {
    return piece(auxiliary_vector, offset, to);
  }
  int64_t executable_path(std::span<char> to) override { return static_cast<int64_t>(path.copy(to.data(), to.size())); }
  int64_t open_file(std::string_view name) override {
    note("open " + std::string(name));
    return name == path ? 3 : -2;
  }
  int64_t close_file(uint64_t descriptor) override { return descriptor == 3 ? 0 : -9; }
  int64_t read_file(uint64_t descriptor, uint64_t offset, std::span<uint8_t> to) override {
    return descriptor == 3 ? piece(file, offset, to) : -9;
  }
  int64_t file_status(uint64_t descriptor, gdbstub::FileStatus& status) override {
    status = {};
    status.mode = 0100755, status.size = file.size(), status.links = 1;
    return descriptor == 3 ? 0 : -9;
  }
  int64_t path_status(std::string_view name, gdbstub::FileStatus& status) override {
    return name == path ? file_status(3, status) : -36;
  }
  int64_t read_link(std::string_view, std::span<char> to) override { return executable_path(to); }
  void catch_syscalls(const gdbstub::SyscallFilter& filter) override {
    std::string text = filter.enabled ? "catch" : "catch off";
    for (const uint64_t call : filter.numbers) text += " " + std::to_string(call);
    note(text);
  }
  void report_thread_events(bool wanted) override { note(wanted ? "thread events" : "no thread events"); }
  void pass_signals(gdbstub::SignalSet signals) override { note("pass " + number(signals.bits)); }
  void program_signals(gdbstub::SignalSet signals) override { note("program " + number(signals.bits)); }
  bool monitor(std::string_view command, gdbstub::TextSink& sink) override {
    if (!command.starts_with("say ")) return false;
    for (const char& character : command.substr(4)) sink.write({&character, 1});
    for (size_t count = 0; count < monitor_extra; ++count) sink.write("0123456789");
    return true;
  }

  gdbstub::Description facts;
  std::map<gdbstub::ThreadId, Thread> threads;
  std::map<uint64_t, std::vector<uint8_t>> memory;
  std::vector<uint8_t> siginfo = std::vector<uint8_t>(128, 7), auxiliary_vector, file;
  std::string path = "/bin/program";
  std::vector<std::string> log;
  bool registers_known = true;
  gdbstub::Outcome breakpoint_outcome = gdbstub::Outcome::Done;
  size_t monitor_extra = 0;
};

}  // namespace mortem::test
