// mortem info
#include <fmt/format.h>

#include <ctime>
#include <memory>

#include "snapshot/dump_info.h"
#include "tools/output.h"
#include "tools/target.h"
#include "tools/verbs.h"

namespace mortem::tools {

namespace {

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

ordered_json to_json(const DumpInfo& info) {
  ordered_json json = {
      {"file", printable(info.name)}, {"mortem_dump", info.made_by_mortem}, {"expanded_bytes", info.expanded_bytes}};
  if (info.reason) json["reason"] = reason_json(*info.reason);
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
  for (const DumpInfo::Module& module : info.modules)
    modules.push_back({{"kind", module.kind},
                       {"path", printable(module.path)},
                       {"id_kind", module.id_kind},
                       {"id", module.id},
                       {"load_bias", hex(module.load_bias)},
                       {"start", hex(module.start)},
                       {"end", hex(module.end)}});
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

std::string to_text(const DumpInfo& info) {
  std::string text;
  auto line = [&](const char* key, const std::string& value) {
    text += fmt::format("{:<12}{}\n", key, value.empty() ? "unknown" : value);
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
    line("reason", printable(reason.message.empty() ? reason.kind : reason.message));
    if (reason.fault_address) line("address", hex(*reason.fault_address));
    if (reason.level) line("holds", *reason.level);
  } else {
    line("reason", "");
  }
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
  text += fmt::format("\n{:>7}  {:16}  {:>18}  {:>18}\n", "THREAD", "NAME", "RIP", "RSP");
  for (const auto& thread : info.threads)
    text += fmt::format("{:>7}  {:16}  {:>18}  {:>18}{}\n", thread.id,
                        thread.name.empty() ? "unknown" : printable(thread.name), hex(thread.instruction_pointer),
                        hex(thread.stack_pointer), thread.crashed ? "  crashed" : "");
  text += fmt::format("\n{:11}  {:>18}  {:>18}  {:40}  {}\n", "MODULE", "START", "END", "ID", "PATH");
  for (const auto& module : info.modules)
    text += fmt::format("{:11}  {:>18}  {:>18}  {:40}  {}\n", module.kind, hex(module.start), hex(module.end),
                        module.id.empty() ? "none" : module.id, printable(module.path));
  return text;
}

int show(const std::string& dump, bool json) {
  auto core = open_target_core(dump);
  if (!core) return fail(core.error());
  const DumpInfo info = snapshot::gather_dump_info(**core);
  if (json)
    print_json("info", to_json(info));
  else
    write_stdout(to_text(info));
  return kDone;
}

void add_info(Commands& commands) {
  CLI::App* verb = commands.add(nullptr, "info", "What is in a dump, core or running guest",
                                "Any ELF core of x86-64 will do; what is not in it is said to be unknown.\nExamples:\n"
                                "  mortem info program.core.zst\n  mortem info core.1234 --json");
  struct Options {
    std::string dump;
    bool json = false;
  };
  auto options = std::make_shared<Options>();
  verb->add_option("TARGET", options->dump, kTargetHelp)->required();
  verb->add_flag("--json", options->json, "Print facts as JSON");
  commands.on(verb, [options] { return show(options->dump, options->json); });
}

const VerbRegistration info_registration{70, add_info};

}  // namespace

}  // namespace mortem::tools
