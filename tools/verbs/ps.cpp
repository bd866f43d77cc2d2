// mortem ps
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <ctime>
#include <memory>

#include "tools/output.h"
#include "tools/qemu/instance.h"
#include "tools/verbs.h"
#include "tools/verbs/stack_facts.h"

namespace mortem::tools {

namespace {

std::string age(int64_t started) {
  const int64_t seconds = std::max<int64_t>(0, std::time(nullptr) - started);
  if (seconds < 120) return fmt::format("{} s", seconds);
  if (seconds < 7200) return fmt::format("{} min", seconds / 60);
  if (seconds < 172800) return fmt::format("{} h", seconds / 3600);
  return fmt::format("{} days", seconds / 86400);
}

std::string port_list(const InstanceFacts& facts) {
  return facts.ports.empty() ? "-" : fmt::format("{}", fmt::join(facts.ports, ","));
}

int list(bool json) {
  auto instances = running_instances();
  if (!instances) return fail(instances.error());
  tell_of_dumps_left();
  if (json) {
    auto rows = nlohmann::ordered_json::array();
    for (const RunningInstance& instance : *instances) {
      const InstanceFacts& facts = instance.facts;
      rows.push_back({{"name", facts.name},
                      {"pid", facts.qemu.id},
                      {"started", facts.started},
                      {"detached", facts.detached},
                      {"monitored", is_running(facts.keeper)},
                      {"memory_bytes", facts.memory},
                      {"ports", facts.ports},
                      {"accelerator", facts.accelerator},
                      {"on_crash", facts.on_crash},
                      {"crashes", facts.crashes},
                      {"last_crash", text_or_null(facts.last_crash)},
                      {"program", facts.program},
                      {"source", facts.source},
                      {"image", facts.image.string()},
                      {"dump", facts.dump.string()},
                      {"instance", instance.folder.string()}});
    }
    print_json("ps", {{"instances", rows}});
    return kDone;
  }
  if (instances->empty()) {
    note("no guests are running");
    return kDone;
  }
  size_t width = 4, ports_width = 5;
  for (const RunningInstance& instance : *instances) {
    width = std::max(width, instance.facts.name.size());
    ports_width = std::max(ports_width, port_list(instance.facts).size());
  }
  std::string table = fmt::format("{:{}}  {:>7}  {:>8}  {:>10}  {:5}  {:>7}  {:{}}  {}\n", "NAME", width, "PID", "UP",
                                  "MEMORY", "ACCEL", "CRASHES", "PORTS", ports_width, "PROGRAM");
  for (const auto& [facts, folder] : *instances)
    table += fmt::format("{:{}}  {:>7}  {:>8}  {:>10}  {:5}  {:>7}  {:{}}  {}{}\n", facts.name, width, facts.qemu.id,
                         age(facts.started), human_size(facts.memory), facts.accelerator, facts.crashes,
                         port_list(facts), ports_width, printable(facts.program),
                         is_running(facts.keeper) ? "" : "  (its monitor died: dumps stay in the image)");
  write_stdout(table);
  return kDone;
}

void add_ps(Commands& commands) {
  CLI::App* verb = commands.add(
      nullptr, "ps", "Guests that run on this host",
      "What is left of guests that died is cleaned up on the way; a dump that a killed one left in its image is kept\n"
      "and told of until it is pulled with --release.\nExample:\n  mortem ps --json");
  auto json = std::make_shared<bool>(false);
  verb->add_flag("--json", *json, "Print facts as JSON");
  commands.on(verb, [json] { return list(*json); });
}

const VerbRegistration ps_registration{30, {"ps"}, add_ps};

}  // namespace

}  // namespace mortem::tools
