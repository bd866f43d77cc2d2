// mortem replay
#include <fmt/format.h>

#include <memory>

#include "tools/folder_check.h"
#include "tools/interrupt.h"
#include "tools/output.h"
#include "tools/replay/replay_start.h"
#include "tools/verbs.h"

namespace mortem::tools {

namespace {

struct ReplayVerbOptions {
  std::string source;
  ReplayOptions start;
  bool json = false, check = false;
};

int check(const ReplayVerbOptions& options) {
  // A file that was changed is told before what came of it.
  if (auto whole = check_whole_folder(options.source); !whole && whole.error().kind != ErrorKind::Unavailable)
    return fail(whole.error());
  auto checked = check_replay(options.source, options.start);
  if (!checked) return fail(checked.error());
  // One that ended before the first look at it.
  const bool is_compared = checked->points > 0;
  const bool is_same = is_compared && checked->same_end && checked->same_registers == checked->points &&
                       checked->same_memory + checked->unknown_memory == checked->points;
  if (options.json)
    print_json("replay", {{"points", checked->points},
                          {"same_registers", checked->same_registers},
                          {"same_memory", checked->same_memory},
                          {"unknown_memory", checked->unknown_memory},
                          {"same_end", checked->same_end},
                          {"position", checked->instructions},
                          {"seconds", checked->seconds}});
  else if (!is_compared)
    write_stdout(
        fmt::format("nothing was compared up to instruction {}: the run had ended before the first look at it\n",
                    checked->instructions));
  else
    write_stdout(fmt::format(
        "{} points up to instruction {}: registers the same at {}, memory at {}{}\n", checked->points,
        checked->instructions, checked->same_registers, checked->same_memory,
        checked->unknown_memory == 0
            ? ""
            : fmt::format(" (not compared at {}, where the disk was being read)", checked->unknown_memory)));
  return is_same ? kDone : kProblem;
}

int replay(const ReplayVerbOptions& options) {
  catch_interrupts();
  if (options.check) return check(options);
  auto started = start_replay(options.source, options.start);
  if (!started) return fail(started.error());
  if (options.json) {
    print_json("replay", {{"name", started->name},
                          {"instance", started->instance.string()},
                          {"position", started->position},
                          {"seconds", started->seconds},
                          {"qemu_gdb", nullptr}});  // its own front has it
    return kDone;
  }
  write_stdout(started->name + "\n");
  note(fmt::format("{0} stands still at instruction {1}, next: mortem gdb {0}", started->name, started->position));
  return kDone;
}

void add_replay(Commands& commands) {
  CLI::App* verb = commands.add(
      nullptr, "replay", "Run a recording again, forwards and backwards",
      "Every instruction is run as it was, with the same input. It is an instance of its own (mortem ps, gdb, stop)\n"
      "and stands still at first. In gdb, reverse-step, reverse-next, reverse-finish and reverse-continue go back,\n"
      "with break- and watchpoints; nothing in a recording can be changed.\n"
      "Examples:\n"
      "  mortem run ./server -p 8080:80 --record crash.rec      then, when it has crashed:\n"
      "  mortem replay crash.rec && mortem gdb server-replay\n"
      "  mortem replay crash.rec --at begin");
  auto options = std::make_shared<ReplayVerbOptions>();
  verb->add_option("RECORDING", options->source, "A folder that mortem run --record made")->required();
  verb->add_option(
      "--at", options->start.at,
      "Where to stand: begin, crash, end, a mark that `monitor mark` of gdb has set, or a count of instructions as "
      "`monitor position` shows it "
      "(default: the crash, else the beginning)");
  verb->add_option("--name", options->start.name, "Name of the instance (default: from the recording)");
  verb->add_flag(
      "--check", options->check,
      "Run it to its end and compare registers and memory with those that were recorded; exit status 1 if they "
      "differ, or if it was too short to be looked at");
  verb->add_flag("--json", options->json, "Print facts as JSON");
  commands.on(verb, [options] { return replay(*options); });
}

const VerbRegistration replay_registration{35, {"replay"}, add_replay};

}  // namespace

}  // namespace mortem::tools
