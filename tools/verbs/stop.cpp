// mortem stop
#include <fmt/format.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <memory>

#include "tools/output.h"
#include "tools/qemu/control_channel.h"
#include "tools/qemu/instance.h"
#include "tools/qemu/qmp.h"
#include "tools/verbs.h"

namespace mortem::tools {

namespace {

using Clock = std::chrono::steady_clock;

struct StopOptions {
  std::string name;
  unsigned timeout_seconds = 10;
  bool force = false, json = false;
};

// True once the process is gone.
bool wait_for_end(const ProcessIdentity& process, std::chrono::milliseconds patience) {
  Descriptor watched(int(syscall(SYS_pidfd_open, process.id, 0)));
  if (!watched || !is_running(process)) return !is_running(process);
  const auto deadline = Clock::now() + patience;
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    pollfd wait{watched.get(), POLLIN, 0};
    const int ended = poll(&wait, 1, int(std::max<int64_t>(left, 0)));
    if (ended > 0) return true;
    if (ended == 0 || errno != EINTR) return !is_running(process);
  }
}

bool ask_guest(const RunningInstance& instance) {
  auto control = connect_to(instance.folder, "control");
  if (!control) return false;  // its monitor is gone
  return write_all(control->get(), encode({format::ControlType::Terminate, {}}), "control").has_value();
}

bool ask_qemu(const RunningInstance& instance) {
  auto qmp = Qmp::connect(instance.folder);
  return qmp && qmp->execute("quit");
}

// How it ended: in words for people and for JSON.
Result<std::string> stop(const RunningInstance& instance, const StopOptions& options) {
  using namespace std::chrono_literals;
  const ProcessIdentity& qemu = instance.facts.qemu;
  if (!options.force && ask_guest(instance) && wait_for_end(qemu, std::chrono::seconds(options.timeout_seconds)))
    return std::string("terminated");
  if (ask_qemu(instance) && wait_for_end(qemu, 3s)) return std::string("quit");
  if (is_running(qemu)) kill(qemu.id, SIGKILL);
  if (wait_for_end(qemu, 3s)) return std::string("killed");
  return failure(ErrorKind::System, fmt::format("{}: QEMU (process {}) does not end", instance.facts.name, qemu.id));
}

// Its keeper takes the last dumps out and removes the folder; a folder without one is removed by the next `ps`.
void wait_for_cleaning(const RunningInstance& instance) {
  wait_for_end(instance.facts.keeper, std::chrono::seconds(10));
  (void)running_instances();
}

int run_stop(const StopOptions& options) {
  auto instance = find_instance(options.name);
  if (!instance) {
    fail(instance.error());
    return instance.error().kind == ErrorKind::NotFound ? kProblem : kFailed;
  }
  auto how = stop(*instance, options);
  if (!how) return fail(how.error());
  wait_for_cleaning(*instance);
  if (options.json)
    print_json("stop", {{"name", options.name}, {"how", *how}});
  else if (*how != "terminated" && !options.force && !instance->facts.is_foreign)
    note(fmt::format("{} did not end on SIGTERM within {} s: its VM was {}", options.name, options.timeout_seconds,
                     *how == "quit" ? "shut off" : "killed"));
  return kDone;
}

void add_stop(Commands& commands) {
  CLI::App* verb =
      commands.add(nullptr, "stop", "End a guest: SIGTERM to its program, then the VM",
                   "Examples:\n  mortem stop web\n  mortem stop web --timeout 60\n  mortem stop web --force");
  auto options = std::make_shared<StopOptions>();
  verb->add_option("NAME", options->name, "As mortem ps shows it")->required();
  verb->add_option("--timeout", options->timeout_seconds, "Seconds to wait for the program before the VM is shut off")
      ->capture_default_str();
  verb->add_flag("--force", options->force, "Shut the VM off at once");
  verb->add_flag("--json", options->json, "Print facts as JSON");
  commands.on(verb, [options] { return run_stop(*options); });
}

const VerbRegistration stop_registration{31, {"stop"}, add_stop};

}  // namespace

}  // namespace mortem::tools
