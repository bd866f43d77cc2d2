// mortem info
#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <memory>

#include "inspector/analysis/crash_findings.h"
#include "inspector/symbols/symbol_files.h"
#include "snapshot/clone/clone_description.h"
#include "snapshot/dump_info.h"
#include "tools/folder_check.h"
#include "tools/interrupt.h"
#include "tools/output.h"
#include "tools/replay/recording.h"
#include "tools/symbol_options.h"
#include "tools/target.h"
#include "tools/verbs.h"
#include "tools/verbs/contained.h"

namespace mortem::tools {

namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;
using snapshot::DumpInfo;

// Addresses and 64-bit values as "0x…" strings: JSON numbers of other readers lose bits above 2^53.
std::string hex(uint64_t value) {
  return fmt::format("{:#x}", value);
}

ordered_json reason_json(const DumpInfo::Reason& reason) {
  ordered_json json = {{"kind", reason.kind}};
  if (!reason.message.empty()) json["message"] = printable(reason.message);
  if (reason.level) json["level"] = *reason.level;
  if (reason.thread) json["thread"] = *reason.thread;
  if (reason.signal) json["signal"] = *reason.signal;
  if (!reason.signal_name.empty()) json["signal_name"] = reason.signal_name;
  if (reason.signal_code) json["signal_code"] = *reason.signal_code;
  if (reason.exit_status) json["exit_status"] = *reason.exit_status;
  if (reason.trap_vector) json["trap_vector"] = *reason.trap_vector;
  if (reason.trap_error_code) json["trap_error_code"] = *reason.trap_error_code;
  if (reason.fault_address) json["fault_address"] = hex(*reason.fault_address);
  return json;
}

ordered_json identity_json(const DumpInfo::Identity& identity) {
  ordered_json json = {{"boot_id", identity.boot_id},
                       {"disk_id", identity.disk_id},
                       {"disk_generation", identity.disk_generation},
                       {"uptime_ns", identity.uptime_ns},
                       {"memory_bytes", identity.memory_bytes},
                       {"resident_bytes", identity.resident_bytes},
                       {"kernel_version", printable(identity.kernel_version)}};
  if (identity.wall_clock_ns) json["wall_clock_ns"] = *identity.wall_clock_ns;
  return json;
}

// Where the symbols of a module are.
struct ModuleSource {
  const char* kind = "none";
  std::vector<std::pair<const char*, std::string>> files;  // what each is, and its path
  std::string missing;                                     // and what to do; empty: all is there
};

ModuleSource source_of(inspector::SymbolFileFinder& finder, const snapshot::CoreModule& module) {
  ModuleSource source;
  if (module.kind == format::ModuleKind::Vdso) {
    source.kind = "dump";  // its image is in memory
    return source;
  }
  const inspector::FoundFiles found = finder.find(module);
  auto has = [&](const char* section) { return found.executable && found.executable->section(section) != nullptr; };
  source.kind = found.debug                             ? "debug information"
                : has(".symtab") || found.small_symbols ? "symbol table"
                : has(".dynsym")                        ? "exported symbols"
                                                        : "none";
  for (const auto& [what, path] : {std::pair("executable", found.paths.executable),
                                   {"debug", found.paths.debug},
                                   {"alternate", found.paths.alternate},
                                   {"package", found.paths.package}})
    if (!path.empty()) source.files.emplace_back(what, path.string());
  source.missing = found.missing;
  return source;
}

ordered_json source_json(const ModuleSource& source) {
  ordered_json json = {{"kind", source.kind}};
  for (const auto& [what, path] : source.files) json[what] = printable(path);
  if (!source.missing.empty()) json["missing"] = printable(source.missing);
  return json;
}

// By what the crash is known again, as `mortem report` says it; without an id where nothing crashed.
inspector::CrashSignature signature_of(const snapshot::CoreFile& core, const inspector::SymbolOptions& where) {
  const auto target = inspector::open_core_target(core);
  if (!target) return {};
  const auto& threads = (*target)->threads();
  const auto crashed = std::find_if(threads.begin(), threads.end(), [](const auto& one) { return one.crashed; });
  if (crashed == threads.end()) return {};
  const auto symbolizer = inspector::Symbolizer::create(where);
  inspector::StackReader reader(**target, *symbolizer);
  const auto stack = reader.read(crashed->id, {});
  return inspector::find_crash(**target, *symbolizer, reader, stack ? &*stack : nullptr).signature;
}

ordered_json to_json(const DumpInfo& info, const inspector::CrashSignature& signature,
                     const std::vector<ModuleSource>& sources) {
  ordered_json json = {
      {"file", printable(info.name)}, {"mortem_dump", info.made_by_mortem}, {"expanded_bytes", info.expanded_bytes}};
  if (info.reason) json["reason"] = reason_json(*info.reason);
  if (!signature.id.empty())
    json["signature"] = {{"id", signature.id}, {"kind", printable(signature.kind)}, {"frames", signature.frames}};
  if (info.identity) json["identity"] = identity_json(*info.identity);
  json["program"] = printable(info.program_name);
  json["command_line"] = printable(info.command_line);
  auto threads = ordered_json::array(), modules = ordered_json::array();
  for (const DumpInfo::Thread& thread : info.threads)
    threads.push_back({{"id", thread.id},
                       {"name", printable(thread.name)},
                       {"crashed", thread.crashed},
                       {"instruction_pointer", hex(thread.instruction_pointer)},
                       {"stack_pointer", hex(thread.stack_pointer)},
                       {"floating_point", thread.has_floating_point},
                       {"extended_state", thread.has_extended_state}});
  for (size_t index = 0; index < info.modules.size(); ++index) {
    const DumpInfo::Module& module = info.modules[index];
    modules.push_back({{"kind", module.kind},
                       {"path", printable(module.path)},
                       {"id_kind", module.id_kind},
                       {"id", module.id},
                       {"load_bias", hex(module.load_bias)},
                       {"start", hex(module.start)},
                       {"end", hex(module.end)},
                       {"symbols", source_json(sources[index])}});
  }
  json["threads"] = threads;
  json["modules"] = modules;
  ordered_json page_map = ordered_json::object();
  for (auto& [kind, bytes] : info.memory.page_map_bytes) page_map[kind] = bytes;
  json["memory"] = {{"segments", info.memory.segments},
                    {"mapped_bytes", info.memory.mapped_bytes},
                    {"stored_bytes", info.memory.stored_bytes},
                    {"page_map_bytes", page_map}};
  json["kernel_log_bytes"] = info.kernel_log_bytes;
  return json;
}

std::string wall_clock(int64_t nanoseconds) {
  const time_t seconds = time_t(nanoseconds / 1'000'000'000);
  tm parts{};
  char text[64];
  if (!gmtime_r(&seconds, &parts) || strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &parts) == 0)
    return "unknown";
  return text;
}

std::string to_text(const DumpInfo& info, const inspector::CrashSignature& signature,
                    const std::vector<ModuleSource>& sources) {
  std::string text;
  auto line = [&](const char* key, const std::string& value) {
    text += painted(fmt::format("{:<12}", key), Paint::Faint) + (value.empty() ? "unknown" : value) + "\n";
  };
  if (info.expanded_bytes == 0) {  // no file
    line("guest", printable(info.name) + ", running");
  } else {
    line("file", fmt::format("{}, {} expanded", printable(info.name), human_size(info.expanded_bytes)));
    line("made by", info.made_by_mortem ? "a Mortem guest" : "another program");
  }
  line("program", printable(info.command_line.empty() ? info.program_name : info.command_line));
  if (info.reason) {
    const auto& reason = *info.reason;
    line("reason", painted(printable(reason.message.empty() ? reason.kind : reason.message), Paint::Bad));
    if (reason.fault_address) line("address", hex(*reason.fault_address));
    if (reason.level) line("holds", *reason.level);
  } else {
    line("reason", "");
  }
  if (!signature.id.empty()) line("signature", fmt::format("{} ({})", signature.id, printable(signature.kind)));
  if (info.identity) {
    const auto& identity = *info.identity;
    line("when", fmt::format("{}, {:.3f} s after boot",
                             identity.wall_clock_ns ? wall_clock(*identity.wall_clock_ns) : "unknown",
                             double(identity.uptime_ns) / 1e9));
    line("memory",
         fmt::format("{} of {} in use", human_size(identity.resident_bytes), human_size(identity.memory_bytes)));
    line("kernel", printable(identity.kernel_version));
    line("boot id", identity.boot_id);
  }
  line(info.expanded_bytes == 0 ? "mapped" : "stored",
       fmt::format("{} in {} segments", human_size(info.memory.stored_bytes), info.memory.segments));
  for (auto& [kind, bytes] : info.memory.page_map_bytes) line("", fmt::format("{} {}", human_size(bytes), kind));
  auto heading = [&](const std::string& columns) { text += "\n" + painted(columns, Paint::Heading) + "\n"; };
  heading(fmt::format("{:>7}  {:16}  {:>18}  {:>18}", "THREAD", "NAME", "RIP", "RSP"));
  for (const auto& thread : info.threads) {
    const std::string row = fmt::format(
        "{:>7}  {:16}  {:>18}  {:>18}{}", thread.id, thread.name.empty() ? "unknown" : printable(thread.name),
        hex(thread.instruction_pointer), hex(thread.stack_pointer), thread.crashed ? "  crashed" : "");
    text += (thread.crashed ? painted(row, Paint::Bad) : row) + "\n";
  }
  heading(fmt::format("{:11}  {:>18}  {:>18}  {:40}  {}", "MODULE", "START", "END", "ID", "PATH"));
  for (const auto& module : info.modules)
    text += fmt::format("{:11}  {:>18}  {:>18}  {:40}  {}\n", module.kind, hex(module.start), hex(module.end),
                        module.id.empty() ? "none" : module.id, printable(module.path));
  heading(fmt::format("{:18}  {}", "SYMBOLS", "MODULE AND FILES"));
  for (size_t index = 0; index < info.modules.size(); ++index) {
    const ModuleSource& source = sources[index];
    text += fmt::format("{:18}  {}\n", source.kind, printable(info.modules[index].path));
    for (const auto& [what, path] : source.files)
      if (path != info.modules[index].path) text += fmt::format("{:20}{} {}\n", "", what, printable(path));
    if (!source.missing.empty())
      text += fmt::format("{:20}{}\n", "", painted("missing: " + printable(source.missing), Paint::Bad));
  }
  return text;
}

int show(const std::string& dump, const SymbolFlags& symbols, bool json) {
  auto core = open_target_core(dump);
  if (!core) return fail(core.error());
  const DumpInfo info = snapshot::gather_dump_info(**core);
  const inspector::SymbolOptions where = symbol_options(symbols, dump, (*core)->modules());
  inspector::SymbolFileFinder finder(where);
  std::vector<ModuleSource> sources;
  for (const snapshot::CoreModule& module : (*core)->modules()) sources.push_back(source_of(finder, module));
  const inspector::CrashSignature signature = signature_of(**core, where);
  if (json)
    print_json("info", to_json(info, signature, sources));
  else
    write_stdout(to_text(info, signature, sources));
  return kDone;
}

// Of a folder: whether it is as it was written.
int check_folder_content(const std::string& folder, bool json) {
  catch_interrupts();
  if (!snapshot::is_clone_folder(folder) && !is_recording(folder))
    return fail(
        fmt::format("--check: {}: is no folder of a clone or recording; dumps are checked when they are read", folder));
  const auto bytes = check_whole_folder(folder);
  if (!bytes && bytes.error().kind == ErrorKind::BadInput) {
    fail(bytes.error());
    return kProblem;
  }
  if (!bytes) return fail(bytes.error());
  if (json)
    print_json("info-check", {{"folder", fs::absolute(folder).string()}, {"bytes", *bytes}});
  else
    write_stdout(fmt::format("{}: {}, as they were written\n", folder, human_size(*bytes)));
  return kDone;
}

void add_info(Commands& commands) {
  CLI::App* verb = commands.add(nullptr, "info",
                                "What is in a dump, core or running guest, and where the symbols of its modules are",
                                "Any ELF core of x86-64 will do; what is not in it is said to be unknown.\nExamples:\n"
                                "  mortem info program.core.zst\n  mortem info core.1234 --json");
  struct Options {
    std::string dump;
    SymbolFlags symbols;
    bool json = false, check = false;
  };
  auto options = std::make_shared<Options>();
  verb->add_option("TARGET", options->dump, kTargetHelp)->required();
  add_symbol_flags(verb, options->symbols);
  verb->add_flag("--check", options->check,
                 "Of a clone's or recording's folder: read all of its files and compare them with their checksums;\n"
                 "exit status 1 if one was cut or changed");
  verb->add_flag("--json", options->json, "Print facts as JSON");
  commands.on(verb, [options] {
    if (options->check) return check_folder_content(options->dump, options->json);
    return contained([&] { return show(options->dump, options->symbols, options->json); });
  });
}

const VerbRegistration info_registration{70, {"info"}, add_info};

}  // namespace

}  // namespace mortem::tools
