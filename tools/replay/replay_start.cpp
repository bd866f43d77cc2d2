#include "tools/replay/replay_start.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <ctime>

#include "tools/interrupt.h"
#include "tools/module_files.h"
#include "tools/replay/places.h"
#include "tools/replay/recorder.h"
#include "tools/replay/replay_front.h"
#include "tools/symbol_options.h"

namespace mortem::tools {

namespace fs = std::filesystem;

namespace {

// `monitor go` moves the guest without gdb's knowing: what gdb keeps of registers, memory and watched values is of the
// place before.
constexpr const char* kGdbScript = R"(python
def after_monitor():
    def place():
        try:
            return gdb.selected_frame().pc(), gdb.selected_frame().read_register("rsp")
        except gdb.error:
            return None
    before = place()
    gdb.execute("maintenance flush register-cache", to_string=True)
    gdb.execute("maintenance flush dcache", to_string=True)
    if place() == before:
        return
    for point in gdb.breakpoints():
        if point.enabled and point.type in (gdb.BP_WATCHPOINT, gdb.BP_HARDWARE_WATCHPOINT, gdb.BP_ACCESS_WATCHPOINT,
                                            gdb.BP_READ_WATCHPOINT):
            point.enabled = False
            try:
                point.enabled = True
            except gdb.error as problem:
                print("Watchpoint %d is disabled: %s" % (point.number, problem))
    gdb.execute("frame")
end
define hookpost-monitor
python after_monitor()
end
)";

class ReplayKeeper {
 public:
  ReplayKeeper(Recording recording, Instance instance, std::string source)
      : recording_(std::move(recording)), instance_(std::move(instance)), source_(std::move(source)) {}
  ~ReplayKeeper() { instance_.remove(); }

  Result<void> run(const std::string& at, int ready) {
    TRY_VOID(instance_.write(facts()));
    TRY_VOID(write_file_atomically(instance_.folder() / kReplayGdbScript, kGdbScript));
    const auto machine = TRY(ReplayMachine::start(recording_, instance_.folder()));
    History history(*machine, TRY(ReplayGuest::of(*machine)));
    inspector::SymbolOptions where = symbol_options(SymbolFlags{});
    add_module_folder_of_source(source_, where);
    const auto symbolizer = inspector::Symbolizer::create(std::move(where));
    ReplayFront front(*machine, history, *symbolizer, TRY(listen_at(instance_.folder(), "gdb")),
                      TRY(listen_at(instance_.folder(), "control")));
    TRY_VOID(history.begin());
    HistoryEvent event = TRY(go_to_place(history, at));
    front.set_stop(event);
    (void)write_all(ready, fmt::format("ready {}\n", history.position()), "the ready pipe");
    return front.serve();
  }

 private:
  InstanceFacts facts() const {
    InstanceFacts facts;
    facts.name = instance_.name();
    facts.qemu = facts.keeper = identify_process(getpid());  // its QEMUs come and go, and end with it
    facts.source = source_;
    facts.accelerator = "tcg";
    facts.on_crash = "stop";
    facts.program = recording_.program;
    facts.program_id = recording_.program_id;
    facts.kernel = recording_.machine.kernel.string();
    facts.kernel_id = recording_.kernel_id;
    facts.memory = recording_.machine.memory;
    facts.started = std::time(nullptr);
    facts.detached = true;
    return facts;
  }

  const Recording recording_;
  Instance instance_;
  const std::string source_;
};

[[noreturn]] void keep_replay(Recording recording, Instance instance, const std::string& source, const std::string& at,
                              int ready) {
  setsid();
  catch_interrupts();
  const int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
  const int log = open((instance.folder() / "monitor.log").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  dup2(nothing, 0), dup2(nothing, 1), dup2(log, 2);
  Result<void> done;
  {
    ReplayKeeper keeper(std::move(recording), std::move(instance), source);
    done = keeper.run(at, ready);
  }
  // Told when the instance is gone: whoever was refused finds nothing left.
  if (!done) (void)write_all(ready, "failed " + done.error().message + "\n", "the ready pipe");
  _exit(0);
}

// In the midst of instructions by the last one before, after which QEMU stops without taking what came from outside
// then; elsewhere (where the guest ended; it slept) a step could run past it.
Result<RunEnd> go_to_check(ReplayMachine& machine, const RecordingCheck& check) {
  if (!check.held) return machine.run_to(check.instructions);
  const RunEnd end = TRY(machine.run_to(check.instructions - 1));
  while (end == RunEnd::Reached && machine.position() < check.instructions) {
    if (machine.position() >= machine.recording().instructions) break;
    TRY_VOID(machine.step());
  }
  return end;
}

}  // namespace

Result<ReplayCheck> check_replay(const fs::path& folder, const ReplayOptions& options) {
  const auto start = std::chrono::steady_clock::now();
  const Recording recording = TRY(read_recording(folder));
  Instance instance = TRY(Instance::create(options.name, instance_name_from(recording.name + "-check")));
  const auto run = [&]() -> Result<ReplayCheck> {
    const auto machine = TRY(ReplayMachine::start(recording, instance.folder()));
    machine->break_off = [] { return interrupted_by() != 0; };
    ReplayCheck result;
    for (const RecordingCheck& expected : recording.checks) {
      if (TRY(go_to_check(*machine, expected)) == RunEnd::Interrupted) TRY_VOID(not_interrupted());
      RecordingCheck found = TRY(check_of(machine->qmp(), recording.machine, machine->ram()));
      result.instructions = found.instructions;
      // Where QEMU stopped the guest that ended is told by chance; a replay ends where the guest asked for it.
      constexpr uint64_t kLongestEnd = 100'000;
      if (found.instructions < expected.instructions) {
        result.same_end = expected.instructions - found.instructions < kLongestEnd;
        break;
      }
      // What came from outside at this instruction, and an interrupt for it, was there already, or not yet.
      const auto is_as_expected = [&] {
        return found.registers == expected.registers && (expected.requests != 0 || found.memory == expected.memory);
      };
      if (found.instructions == expected.instructions && !is_as_expected()) {
        TRY_VOID(machine->take_events());
        found = TRY(check_of(machine->qmp(), recording.machine, machine->ram()));
      }
      const bool same_registers = found.registers == expected.registers && found.instructions == expected.instructions;
      const bool same_memory = same_registers && expected.requests == 0 && found.memory == expected.memory;
      ++result.points;
      result.same_registers += same_registers ? 1 : 0;
      result.same_memory += same_memory ? 1 : 0;
      result.unknown_memory += expected.requests != 0 ? 1 : 0;
      result.same_end = same_registers;
    }
    return result;
  };
  auto result = run();
  instance.remove();
  if (!result) return failure(result.error().kind, fmt::format("{}: {}", folder.string(), result.error().message));
  result->seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return result;
}

Result<StartedReplay> start_replay(const fs::path& folder, const ReplayOptions& options) {
  const auto start = std::chrono::steady_clock::now();
  Recording recording = TRY(read_recording(folder));
  if (!options.at.empty())
    if (auto known = check_place(recording, options.at); !known)
      return failure(known.error().kind, "--at " + known.error().message);
  const std::string at = !options.at.empty() ? options.at : recording.end.starts_with("crash") ? "crash" : "begin";
  Instance instance = TRY(Instance::create(options.name, instance_name_from(recording.name + "-replay")));
  StartedReplay started;
  started.name = instance.name();
  started.instance = instance.folder();
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return system_failure("cannot make", "a pipe");
  Descriptor from(ends[0]), to(ends[1]);
  std::error_code ignored;
  started.keeper = fork();
  if (started.keeper < 0) {
    instance.remove();
    return failure(ErrorKind::System, "cannot start the replay's keeper");
  }
  if (started.keeper == 0)
    keep_replay(std::move(recording), std::move(instance), fs::absolute(folder, ignored).string(), at, to.get());
  to.reset();
  instance.disown();
  std::string said;
  char part[1024];
  while (said.find('\n') == std::string::npos) {
    const ssize_t got = read(from.get(), part, sizeof part);
    if (got < 0 && errno == EINTR) {
      if (interrupted_by() == 0) continue;
      kill(started.keeper, SIGTERM);
      waitpid(started.keeper, nullptr, 0);  // it takes the instance away
      return failure(ErrorKind::System, "interrupted");
    }
    if (got <= 0) return failure(ErrorKind::System, started.name + ": its keeper died");
    said.append(part, size_t(got));
  }
  if (said.starts_with("failed "))
    return failure(ErrorKind::System, fmt::format("{}: {}", folder.string(), said.substr(7, said.find('\n') - 7)));
  started.position = std::strtoull(said.c_str() + 6, nullptr, 10);
  started.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return started;
}

}  // namespace mortem::tools
