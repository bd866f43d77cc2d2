// `mortem report`: the crash report, the most telling facts first.
#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "inspector/analysis/crash_findings.h"
#include "inspector/analysis/disassembly.h"
#include "inspector/analysis/goroutines.h"
#include "inspector/analysis/reason.h"
#include "inspector/analysis/signature.h"
#include "inspector/elf/elf_image.h"
#include "inspector/symbols/source_text.h"
#include "snapshot/dump_info.h"
#include "tools/output.h"
#include "tools/symbol_options.h"
#include "tools/target.h"
#include "tools/verbs.h"
#include "tools/verbs/contained.h"
#include "tools/verbs/goroutine_facts.h"
#include "tools/verbs/report_facts.h"
#include "tools/verbs/stack_facts.h"

namespace mortem::tools {
namespace {

using nlohmann::ordered_json;

constexpr size_t kLogLines = 20, kErrorLines = 30, kOutputLines = 10, kInstructions = 5, kSourceLines = 3;

struct ReportOptions {
  std::string dump;
  SymbolFlags symbols;
  bool json = false;
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
std::vector<ReportMapping> mappings_around(const snapshot::CoreFile& core, uint64_t address) {
  const auto& segments = core.segments();
  auto after = std::find_if(segments.begin(), segments.end(),
                            [&](const auto& one) { return one.address + one.memory_size > address; });
  const auto first = after - std::min<ptrdiff_t>(2, after - segments.begin());
  const auto last = after + std::min<ptrdiff_t>(3, segments.end() - after);
  std::vector<ReportMapping> result;
  for (auto one = first; one != last; ++one)
    result.push_back({one->address, one->address + one->memory_size, one->flags, path_of(core, one->address)});
  return result;
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

void add_source(ReportFacts& facts, inspector::Symbolizer& symbolizer, const inspector::StackReader& reader,
                inspector::SourceText& sources) {
  const inspector::Frame& frame = *facts.source_frame;
  const auto* module = reader.module_at(frame.pc);
  if (module) facts.source = sources.lines(symbolizer, module, frame.file, frame.line, kSourceLines);
}

Result<ReportFacts> gather(const OpenedTarget& opened, const ReportOptions& options) {
  const snapshot::CoreFile& core = *opened.core;
  const inspector::Target* target = opened.target.get();
  const inspector::SymbolOptions where = symbol_options(options.symbols, options.dump, target->modules());
  auto symbolizer = inspector::Symbolizer::create(where);
  inspector::SourceText sources(where, {});
  inspector::StackReader reader(*target, *symbolizer);
  ReportFacts facts{core, snapshot::gather_dump_info(core), {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}};
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

ordered_json report_facts(const ReportFacts& facts) {
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
  json["partial"] = is_partial(facts.info);
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
                                {"protection", protection_text(one.flags)},
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

int show_report(const ReportOptions& options) {
  auto opened = open_target(options.dump);
  if (!opened) return fail(opened.error());
  auto facts = gather(*opened, options);
  if (!facts) return fail(facts.error());
  if (options.json)
    print_json("report", report_facts(*facts));
  else
    write_stdout(report_text(*facts));
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
