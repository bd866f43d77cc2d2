// `mortem report`: the crash report, the most telling facts first.
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>
#include <memory>

#include "inspector/analysis/crash_findings.h"
#include "inspector/analysis/disassembly.h"
#include "inspector/analysis/goroutines.h"
#include "inspector/analysis/reason.h"
#include "inspector/analysis/signature.h"
#include "inspector/analysis/stack_text.h"
#include "inspector/elf/elf_image.h"
#include "inspector/symbols/source_text.h"
#include "snapshot/dump_info.h"
#include "tools/output.h"
#include "tools/symbol_options.h"
#include "tools/target.h"
#include "tools/verbs.h"
#include "tools/verbs/contained.h"
#include "tools/verbs/goroutine_facts.h"
#include "tools/verbs/stack_facts.h"

namespace mortem::tools {
namespace {

using nlohmann::ordered_json;

constexpr size_t kCrashedLines = 100, kOtherLines = 16, kLogLines = 20, kErrorLines = 30, kOutputLines = 10,
                 kInstructions = 5, kSourceLines = 3;

struct ReportOptions {
  std::string dump;
  SymbolFlags symbols;
  bool json = false;
};

struct Code {
  std::vector<uint8_t> bytes;  // at the pc; empty: not in the dump and not in a file
  std::vector<inspector::Instruction> instructions;
};

struct Mapping {
  uint64_t start, end;
  uint32_t flags;
  std::string path;
};

// Everything the report says, before it is text or JSON.
struct Facts {
  const snapshot::CoreFile& core;
  snapshot::DumpInfo info;
  inspector::CrashReason reason;
  inspector::CrashSignature signature;
  std::optional<inspector::Frame> source_frame;   // where the source stops making sense
  std::optional<inspector::SourceLines> source;   // around it; none: not here
  std::optional<inspector::Goroutine> goroutine;  // that the crashed thread runs
  size_t goroutines = 0;                          // in all; 0: no Go program, or not to be found
  std::vector<inspector::Stack> stacks;           // the crashed thread first, if one crashed
  std::optional<format::GeneralRegisters> registers;
  Code code;
  std::vector<Mapping> around_fault;
  std::vector<ordered_json> modules;
  std::vector<std::string> error_lines, output_lines, log_lines, missing;
};

std::vector<std::string> last_lines(const std::string& text, size_t count) {
  std::vector<std::string> lines;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  if (lines.size() > count) lines.erase(lines.begin(), lines.end() - static_cast<ptrdiff_t>(count));
  return lines;
}

std::string path_of(const snapshot::CoreFile& core, uint64_t address) {
  for (const auto& mapping : core.file_mappings())
    if (address >= mapping.start && address < mapping.end) return mapping.path;
  for (const auto& module : core.modules())
    if (address >= module.start && address < module.end) return module.path;
  return {};
}

// The mapping that holds the address, and its neighbours.
std::vector<Mapping> mappings_around(const snapshot::CoreFile& core, uint64_t address) {
  const auto& segments = core.segments();
  auto after = std::find_if(segments.begin(), segments.end(),
                            [&](const auto& one) { return one.address + one.memory_size > address; });
  const auto first = after - std::min<ptrdiff_t>(2, after - segments.begin());
  const auto last = after + std::min<ptrdiff_t>(3, segments.end() - after);
  std::vector<Mapping> result;
  for (auto one = first; one != last; ++one)
    result.push_back({one->address, one->address + one->memory_size, one->flags, path_of(core, one->address)});
  return result;
}

std::string protection(uint32_t flags) {
  return fmt::format("{}{}{}", (flags & 4) != 0 ? 'r' : '-', (flags & 2) != 0 ? 'w' : '-',
                     (flags & 1) != 0 ? 'x' : '-');
}

ordered_json module_facts(const snapshot::CoreModule& module, inspector::Symbolizer& symbolizer) {
  const auto& files = symbolizer.files(module);
  ordered_json facts;
  facts["path"] = text_or_null(module.path);
  facts["kind"] = snapshot::module_kind_text(module.kind);
  facts["start"] = fmt::format("{:#x}", module.start);
  facts["end"] = fmt::format("{:#x}", module.end);
  facts["build_id"] = text_or_null(snapshot::hexadecimal(module.id));
  facts["file"] = text_or_null(files.executable.string());
  facts["debug_file"] = text_or_null(files.debug.string());
  return facts;
}

// " <function>" of a jump's target. A stub of the procedure linkage table has no symbol of its own: what stands before
// it in the table would be a lie.
std::string function_note(const snapshot::CoreModule* module, uint64_t target, inspector::Symbolizer& symbolizer) {
  if (!module) return {};
  const uint64_t address = target - module->load_bias;
  if (auto image = inspector::ElfImage::map_file(symbolizer.files(*module).executable))
    for (const auto& section : (*image)->sections())
      if (address - section.address < section.size && section.name.starts_with(".plt")) return {};
  const std::string& function = symbolizer.locate(*module, address).back().function;
  return function.empty() ? std::string() : fmt::format(" <{}>", function);
}

void add_source(Facts& facts, inspector::Symbolizer& symbolizer, const inspector::StackReader& reader,
                inspector::SourceText& sources) {
  const inspector::Frame& frame = *facts.source_frame;
  const auto* module = reader.module_at(frame.pc);
  if (module)
    facts.source =
        sources.lines(module->id, symbolizer.files(*module).executable, frame.file, frame.line, kSourceLines);
}

Result<Facts> gather(const OpenedTarget& opened, const ReportOptions& options) {
  const snapshot::CoreFile& core = *opened.core;
  const inspector::Target* target = opened.target.get();
  const inspector::SymbolOptions where = symbol_options(options.symbols);
  auto symbolizer = inspector::Symbolizer::create(where);
  inspector::SourceText sources(where, {});
  inspector::StackReader reader(*target, *symbolizer);
  Facts facts{core, snapshot::gather_dump_info(core), {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}};
  uint32_t crashed = 0;
  const inspector::Stack* crashed_stack = nullptr;
  for (const auto& thread : target->threads()) {
    facts.stacks.push_back(TRY(reader.read(thread.id, {})));
    if (thread.crashed) crashed = thread.id;
  }
  std::stable_partition(facts.stacks.begin(), facts.stacks.end(), [](const auto& stack) { return stack.crashed; });
  if (!facts.stacks.empty() && facts.stacks.front().crashed) crashed_stack = &facts.stacks.front();
  inspector::CrashFindings found = inspector::find_crash(*target, *symbolizer, reader, crashed_stack);
  facts.reason = std::move(found.reason);
  facts.signature = std::move(found.signature);
  facts.goroutine = std::move(found.goroutine);
  facts.goroutines = found.goroutines;
  facts.source_frame = std::move(found.telling_frame);
  if (facts.source_frame) add_source(facts, *symbolizer, reader, sources);
  if (crashed_stack) {
    facts.registers = TRY(target->registers(crashed));
    facts.code.bytes.resize(64);
    facts.code.bytes.resize(reader.read_code(facts.registers->rip, facts.code.bytes));
    facts.code.instructions = inspector::disassemble(facts.registers->rip, facts.code.bytes, kInstructions);
    for (auto& one : facts.code.instructions)
      if (one.target) one.text += function_note(reader.module_at(*one.target), *one.target, *symbolizer);
  }
  if (facts.reason.fault_address) facts.around_fault = mappings_around(core, *facts.reason.fault_address);
  for (const auto& module : core.modules()) facts.modules.push_back(module_facts(module, *symbolizer));
  facts.error_lines = last_lines(core.standard_error(), kErrorLines);
  facts.output_lines = last_lines(core.standard_output(), kOutputLines);
  facts.log_lines = last_lines(core.kernel_log(), kLogLines);
  facts.missing = symbolizer->missing_symbols();
  return facts;
}

// Its writer fell back to less than everything, or was cut short.
bool partial(const snapshot::DumpInfo& info) {
  return info.reason && info.reason->level && *info.reason->level != snapshot::dump_level_text(format::DumpLevel::Full);
}

std::string when_text(int64_t nanoseconds) {
  return fmt::format("{:%Y-%m-%d %H:%M:%S} UTC", fmt::gmtime(static_cast<std::time_t>(nanoseconds / 1000000000)));
}

ordered_json access_facts(const inspector::FaultAccess& access) {
  ordered_json json;
  json["verb"] = access.verb;
  json["size"] = number_or_null(access.size);
  json["address"] = fmt::format("{:#x}", access.address);
  json["instruction"] = access.instruction;
  json["base_register"] = text_or_null(access.base_register);
  json["pointer"] = text_or_null(access.pointer);
  json["pointer_value"] = text_or_null(access.pointer_value ? fmt::format("{:#x}", *access.pointer_value) : "");
  json["pointer_kind"] = inspector::pointer_kind_name(access.pointer_kind);
  json["offset"] = access.offset;
  json["type"] = text_or_null(access.type);
  json["member"] = text_or_null(access.member);
  json["index"] = text_or_null(access.index);
  json["index_value"] =
      access.index_value ? ordered_json(static_cast<int64_t>(*access.index_value)) : ordered_json(nullptr);
  json["misaligned"] = access.misaligned;
  return json;
}

ordered_json report_facts(const Facts& facts) {
  ordered_json json;
  const auto& reason = facts.reason;
  json["reason"] = reason.sentence;
  json["signal"] = reason.signal ? ordered_json(*reason.signal) : ordered_json(nullptr);
  json["signal_name"] = text_or_null(reason.signal_name);
  json["signal_code"] = reason.signal_code ? ordered_json(*reason.signal_code) : ordered_json(nullptr);
  json["signal_code_name"] = text_or_null(reason.signal_code_name);
  json["fault_address"] = text_or_null(reason.fault_address ? fmt::format("{:#x}", *reason.fault_address) : "");
  json["stack_overflow"] = reason.stack_overflow;
  json["abort_message"] = text_or_null(reason.abort_message);
  json["last_words"] = text_or_null(reason.last_words);
  json["exception_type"] = text_or_null(reason.exception_type);
  json["exception_text"] = reason.exception_text ? ordered_json(*reason.exception_text) : ordered_json(nullptr);
  json["panic"] = text_or_null(reason.panic);
  json["access"] = reason.access ? access_facts(*reason.access) : ordered_json(nullptr);
  json["reason_kind"] = text_or_null(facts.info.reason ? facts.info.reason->kind : "");
  json["exit_status"] = facts.info.reason && facts.info.reason->exit_status
                            ? ordered_json(*facts.info.reason->exit_status)
                            : ordered_json(nullptr);
  json["level"] = text_or_null(facts.info.reason ? facts.info.reason->level.value_or("") : "");
  json["partial"] = partial(facts.info);
  json["message"] = text_or_null(facts.info.reason ? facts.info.reason->message : "");
  json["program"] = text_or_null(facts.info.program_name);
  json["command_line"] = text_or_null(facts.info.command_line);
  const auto& identity = facts.info.identity;
  const bool has_clock = identity && identity->wall_clock_ns && *identity->wall_clock_ns != 0;
  json["when"] = text_or_null(has_clock ? when_text(*identity->wall_clock_ns) : "");
  json["kernel_version"] = text_or_null(identity ? identity->kernel_version : "");
  const auto occurrence = facts.core.occurrence();
  const bool counted = occurrence && occurrence->signature != 0;
  json["signature"] = text_or_null(facts.signature.id);
  json["signature_kind"] = text_or_null(facts.signature.kind);
  json["signature_frames"] = facts.signature.frames;
  json["kind"] = text_or_null(counted ? fmt::format("{:016x}", occurrence->signature) : "");
  json["occurrence"] =
      counted && occurrence->occurrence != 0 ? ordered_json(occurrence->occurrence) : ordered_json(nullptr);
  json["uptime_ns"] = identity ? ordered_json(identity->uptime_ns) : ordered_json(nullptr);
  json["memory_bytes"] = identity ? ordered_json(identity->memory_bytes) : ordered_json(nullptr);
  json["resident_bytes"] = identity ? ordered_json(identity->resident_bytes) : ordered_json(nullptr);
  json["registers"] = nullptr;
  if (facts.registers) {
    json["registers"] = ordered_json::object();
    for (const auto& one : format::kGeneralRegisters)
      json["registers"][one.name] = fmt::format(
          "{:#x}", *reinterpret_cast<const uint64_t*>(reinterpret_cast<const char*>(&*facts.registers) + one.offset));
  }
  json["instructions"] = ordered_json::array();
  for (const auto& one : facts.code.instructions)
    json["instructions"].push_back({{"address", fmt::format("{:#x}", one.address)},
                                    {"bytes", snapshot::hexadecimal(one.bytes)},
                                    {"text", one.text}});
  json["mappings"] = ordered_json::array();
  for (const auto& one : facts.around_fault)
    json["mappings"].push_back({{"start", fmt::format("{:#x}", one.start)},
                                {"end", fmt::format("{:#x}", one.end)},
                                {"protection", protection(one.flags)},
                                {"path", text_or_null(one.path)}});
  json["source"] = nullptr;
  if (facts.source)
    json["source"] = {{"file", facts.source_frame->file},
                      {"line", facts.source_frame->line},
                      {"first_line", facts.source->first},
                      {"lines", facts.source->lines},
                      {"newer_than_program", facts.source->newer}};
  json["goroutine"] = facts.goroutine ? goroutine_facts(*facts.goroutine) : ordered_json(nullptr);
  json["threads"] = ordered_json::array();
  for (const auto& stack : facts.stacks) json["threads"].push_back(stack_facts(stack));
  json["modules"] = facts.modules;
  json["standard_error"] = facts.error_lines;
  json["standard_output"] = facts.output_lines;
  json["kernel_log"] = facts.log_lines;
  json["missing_symbols"] = facts.missing;
  return json;
}

// The report as text, one function a part.
class Report {
 public:
  explicit Report(const Facts& facts) : facts_(facts) {}

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
    if (partial(facts_.info)) line("holds      {}: not everything is in this dump", *facts_.info.reason->level);
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
      line("  {:#018x}–{:#018x} {} {}{}", one.start, one.end, protection(one.flags), printable(one.path),
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

  const Facts& facts_;
  std::string text_;
};

int show_report(const ReportOptions& options) {
  auto opened = open_target(options.dump);
  if (!opened) return fail(opened.error());
  auto facts = gather(*opened, options);
  if (!facts) return fail(facts.error());
  if (options.json)
    print_json("report", report_facts(*facts));
  else
    write_stdout(Report(*facts).text());
  return kDone;
}

void add_verb(Commands& commands) {
  auto options = std::make_shared<ReportOptions>();
  CLI::App* verb = commands.add(nullptr, "report", "Shows why the program crashed, and everything around it",
                                "Example:\n  mortem report program.core.zst --symbols ./program");
  verb->add_option("TARGET", options->dump, kTargetHelp)->required()->type_name("TARGET");
  add_symbol_flags(verb, options->symbols);
  verb->add_flag("--json", options->json, "Print the facts as JSON (mortem.report/1)");
  commands.on(verb, [options] { return contained([&] { return show_report(*options); }); });
}

const VerbRegistration report_registration{61, {"report"}, add_verb};

}  // namespace
}  // namespace mortem::tools
