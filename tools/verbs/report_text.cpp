#include <fmt/chrono.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>

#include "inspector/analysis/stack_text.h"
#include "tools/output.h"
#include "tools/verbs/goroutine_facts.h"
#include "tools/verbs/report_facts.h"
#include "tools/verbs/stack_facts.h"

namespace mortem::tools {
namespace {

constexpr size_t kCrashedLines = 100, kOtherLines = 16;

// The report as text, one function a part.
class Report {
 public:
  explicit Report(const ReportFacts& facts) : facts_(facts) {}

  std::string text() {
    line("{}", painted(printable(facts_.reason.sentence), Paint::Bad));
    summary();
    text_lines("Standard error, last {} lines:", facts_.error_lines);
    source();
    stacks();
    registers();
    code();
    mappings();
    modules();
    text_lines("Standard output, last {} lines:", facts_.output_lines);
    text_lines("Kernel log, last {} lines:", facts_.log_lines);
    missing();
    return std::move(text_);
  }

 private:
  template <typename... Values>
  void line(fmt::format_string<Values...> format, Values&&... values) {
    fmt::format_to(std::back_inserter(text_), format, std::forward<Values>(values)...);
    text_ += '\n';
  }

  template <typename... Values>
  void heading(fmt::format_string<Values...> format, Values&&... values) {
    line("\n{}", painted(fmt::format(format, std::forward<Values>(values)...), Paint::Heading));
  }

  void summary() {
    const auto& reason = facts_.reason;
    if (reason.signal) {
      std::string code = "unknown";
      if (reason.signal_code)
        code = reason.signal_code_name.empty() ? std::to_string(*reason.signal_code) : reason.signal_code_name;
      line("signal     {} ({}), code {}{}", reason.signal_name, *reason.signal, code,
           reason.fault_address ? fmt::format(", address {:#x}", *reason.fault_address) : "");
    }
    if (!facts_.info.program_name.empty()) line("program    {}", printable(facts_.info.program_name));
    if (!facts_.info.command_line.empty()) line("command    {}", printable(facts_.info.command_line));
    if (facts_.info.identity) identity(*facts_.info.identity);
    if (const auto seen = facts_.core.occurrence(); seen && seen->occurrence > 1)
      line("repeats    crash {} of this kind on its disk (kind {:016x})", seen->occurrence, seen->signature);
    if (!facts_.signature.id.empty())
      line("signature  {} ({}{}{})", facts_.signature.id, printable(facts_.signature.kind),
           facts_.signature.frames.empty() ? "" : "; ",
           printable(fmt::format("{}", fmt::join(facts_.signature.frames, " < "))));
    if (is_partial(facts_.info)) line("holds      {}: not everything is in this dump", *facts_.info.reason->level);
  }

  void identity(const snapshot::DumpInfo::Identity& identity) {
    const bool has_clock = identity.wall_clock_ns && *identity.wall_clock_ns != 0;
    line("when       {}, {:.3f} s after boot", has_clock ? when_text(*identity.wall_clock_ns) : "unknown time",
         static_cast<double>(identity.uptime_ns) / 1e9);
    line("kernel     {}", printable(identity.kernel_version));
    line("memory     {} in use of {}", human_size(identity.resident_bytes), human_size(identity.memory_bytes));
  }

  void source() {
    if (!facts_.source) return;
    const auto& frame = *facts_.source_frame;
    heading("Source {}:{}{}", printable(frame.file), frame.line,
            facts_.source->newer ? " (changed since the program was built)" : "");
    for (size_t index = 0; index < facts_.source->lines.size(); ++index) {
      const uint64_t number = facts_.source->first + index;
      const bool is_here = number == frame.line;
      const std::string text =
          fmt::format("{} {:>5}  {}", is_here ? "=>" : "  ", number, printable_source(facts_.source->lines[index]));
      line("{}", is_here ? painted(text, Paint::Heading) : text);
    }
  }

  // The crashed one, then the others: those of equal stacks together.
  void stacks() {
    if (facts_.goroutine) text_ += "\n" + goroutine_text(*facts_.goroutine, kCrashedLines);
    std::vector<std::pair<std::string, std::vector<const inspector::Stack*>>> groups;
    for (const auto& stack : facts_.stacks) {
      std::string key = stack.crashed ? "crashed" : "";
      for (const auto& frame : stack.frames)
        key += fmt::format("{}:{}:{:x}\n", frame.function, frame.line, frame.function.empty() ? frame.pc : 0);
      const auto same = std::find_if(groups.begin(), groups.end(), [&](const auto& one) { return one.first == key; });
      if (same == groups.end())
        groups.push_back({key, {&stack}});
      else
        same->second.push_back(&stack);
    }
    for (const auto& [key, stacks] : groups) {
      const auto& first = *stacks.front();
      text_ += '\n';
      line("{}",
           stacks.size() == 1 ? painted_heading(first) : painted(printable(group_heading(stacks)), Paint::Heading));
      text_ += painted_stack(
          inspector::stack_text(first, inspector::Folding::Fold, first.crashed ? kCrashedLines : kOtherLines));
    }
    if (facts_.goroutines > 1) line("\n{} goroutines in all; mortem goroutines shows them", facts_.goroutines);
  }

  // `Threads 7 "worker", 8 "worker" and 62 more, with equal stacks:`
  static std::string group_heading(const std::vector<const inspector::Stack*>& stacks) {
    constexpr size_t kNamed = 6;
    std::string text = "Threads";
    for (size_t index = 0; index < std::min(kNamed, stacks.size()); ++index)
      text += fmt::format("{} {}{}", index == 0 ? "" : ",", stacks[index]->thread,
                          stacks[index]->thread_name.empty() ? "" : fmt::format(" \"{}\"", stacks[index]->thread_name));
    if (stacks.size() > kNamed) text += fmt::format(" and {} more", stacks.size() - kNamed);
    return text + ", with equal stacks:";
  }

  void registers() {
    if (!facts_.registers) return;
    heading("Registers:");
    size_t column = 0;
    for (const auto& one : format::kGeneralRegisters) {
      const auto value =
          *reinterpret_cast<const uint64_t*>(reinterpret_cast<const char*>(&*facts_.registers) + one.offset);
      fmt::format_to(std::back_inserter(text_), "  {:<8} {:#018x}{}", one.name, value, ++column % 3 == 0 ? "\n" : "");
    }
    if (column % 3 != 0) text_ += '\n';
  }

  void code() {
    if (!facts_.registers) return;
    heading("Code at the crash:");
    if (facts_.code.bytes.empty()) return line("  {:#018x} is not in the dump", facts_.registers->rip);
    for (const auto& one : facts_.code.instructions) {
      const bool is_here = one.address == facts_.registers->rip;
      const std::string text = fmt::format("{} {:#018x}  {:<24} {}", is_here ? "=>" : "  ", one.address,
                                           fmt::format("{:02x}", fmt::join(one.bytes, " ")), one.text);
      line("{}", is_here ? painted(text, Paint::Heading) : text);
    }
    if (facts_.code.instructions.empty())
      line("=> {:#018x}  {:02x}  (no valid instruction)", facts_.registers->rip,
           fmt::join(std::span(facts_.code.bytes).first(std::min<size_t>(8, facts_.code.bytes.size())), " "));
  }

  void mappings() {
    if (!facts_.reason.fault_address) return;
    const uint64_t address = *facts_.reason.fault_address;
    bool shown = false;
    heading("Memory around {:#x}:", address);
    auto here = [&] {
      if (!shown) line("  {:#018x} {:18}      the fault: not mapped, or without content in the dump", address, "");
      shown = true;
    };
    for (const auto& one : facts_.around_fault) {
      if (address < one.start) here();
      const bool inside = address >= one.start && address < one.end;
      line("  {:#018x}–{:#018x} {} {}{}", one.start, one.end, protection_text(one.flags), printable(one.path),
           inside ? "  <= the fault" : "");
      shown |= inside;
    }
    here();
  }

  void modules() {
    heading("Modules:");
    for (const auto& one : facts_.modules) {
      auto text = [&](const char* key) { return one[key].is_null() ? std::string() : one[key].get<std::string>(); };
      const std::string debug = text("debug_file"), file = text("file");
      line("  {}–{} {}  build id {}  {}", text("start"), text("end"), printable(text("path")),
           text("build_id").empty() ? "none" : text("build_id"),
           !debug.empty()           ? "debug information from " + debug
           : !file.empty()          ? "symbol table of " + file
           : text("kind") == "vdso" ? "symbols from the dump"
                                    : "no symbols");
    }
  }

  void text_lines(const char* title, const std::vector<std::string>& lines) {
    if (lines.empty()) return;
    heading(fmt::runtime(title), lines.size());
    for (const std::string& one : lines) line("  {}", printable(one));
  }

  void missing() {
    if (facts_.missing.empty()) return;
    heading("Missing symbols:");
    for (const std::string& one : facts_.missing) line("  {}", printable(one));
    line(
        "  What to do: name the file that was built with -g by --symbols FILE; of a distribution's library install the "
        "package of its debug symbols (Debian: NAME-dbg or NAME-dbgsym)");
  }

  const ReportFacts& facts_;
  std::string text_;
};

}  // namespace

std::string report_text(const ReportFacts& facts) {
  return Report(facts).text();
}

std::string protection_text(uint32_t flags) {
  return fmt::format("{}{}{}", (flags & 4) != 0 ? 'r' : '-', (flags & 2) != 0 ? 'w' : '-',
                     (flags & 1) != 0 ? 'x' : '-');
}

bool is_partial(const snapshot::DumpInfo& info) {
  return info.reason && info.reason->level && *info.reason->level != snapshot::dump_level_text(format::DumpLevel::Full);
}

std::string when_text(int64_t nanoseconds) {
  return fmt::format("{:%Y-%m-%d %H:%M:%S} UTC", fmt::gmtime(static_cast<std::time_t>(nanoseconds / 1000000000)));
}

}  // namespace mortem::tools
