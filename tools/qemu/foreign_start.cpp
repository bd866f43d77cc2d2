#include "tools/qemu/foreign_start.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <ctime>

#include "tools/output.h"
#include "tools/qemu/detached_run.h"
#include "tools/qemu/empty_qcow2.h"
#include "tools/qemu/foreign_command.h"
#include "tools/qemu/qemu_process.h"
#include "tools/qemu/qmp.h"
#include "tools/qemu/unplugged_tap.h"

namespace mortem::tools {

namespace fs = std::filesystem;

namespace {

constexpr int kPatienceMilliseconds = 60'000;  // for a state to load

struct ForeignPlan {
  fs::path qemu, state;
  std::vector<std::string> command;
  ForeignCopy copy;
  InstanceFacts facts;
  bool is_unplugged = false, runs = false;
};

// Of QEMU's log: the first line is the cause, what follows says what became of it.
std::string first_complaint(const std::string& log) {
  for (size_t at = 0, end; at < log.size(); at = end + 1) {
    end = std::min(log.find('\n', at), log.size());
    const std::string line = log.substr(at, end - at);
    if (!line.empty() && line.find("warning:") == std::string::npos) return line;
  }
  return {};
}

// Of the monitor's process: QEMU from its start to its end.
class ForeignRun {
 public:
  ForeignRun(ForeignPlan& plan, Instance& instance) : plan_(plan), instance_(instance) {}
  ~ForeignRun() {
    if (qemu_id_ <= 0 || has_ended_) return;
    kill(qemu_id_, SIGKILL);
    waitpid(qemu_id_, nullptr, 0);
  }

  Result<void> run(int ready_pipe) {
    TRY_VOID(make_overlays());
    TRY_VOID(start());
    TRY_VOID(load());
    TRY_VOID(write_all(ready_pipe, "ready\n", "the ready pipe"));
    waitpid(qemu_id_, nullptr, 0);
    has_ended_ = true;
    return {};
  }

 private:
  // What the copy writes, gone with its instance.
  Result<void> make_overlays() {
    for (size_t index = 0; index < plan_.copy.disks.size(); ++index) {
      ForeignDisk& disk = plan_.copy.disks[index];
      disk.overlay = instance_.folder() / fmt::format("disk-{}.qcow2", index);
      Descriptor file(open(disk.overlay.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
      if (!file) return system_failure("cannot make", disk.overlay);
      TRY_VOID(write_empty_qcow2(file.get(), disk.size));
    }
    return {};
  }

  Result<void> start() {
    Descriptor state(open(plan_.state.c_str(), O_RDONLY | O_CLOEXEC));
    if (!state) return system_failure("cannot read", plan_.state);
    std::vector<Descriptor> taps;
    plan_.copy.state = state.get();
    plan_.copy.open_tap = [&taps]() -> Result<int> {
      taps.push_back(TRY(open_unplugged_tap()));
      return taps.back().get();
    };
    ForeignCommand made = TRY(foreign_copy_command(plan_.command, plan_.copy));
    netdevs_ = std::move(made.netdevs);
    QemuLaunch launch{{plan_.qemu.string()}, instance_.folder(), {state.get()}};
    launch.line.insert(launch.line.end(), made.line.begin(), made.line.end());
    for (const Descriptor& tap : taps) launch.inherited.push_back(tap.get());
    qemu_id_ = TRY(launch_qemu(launch, [this](pid_t process) -> Result<void> {
      qemu_ = Descriptor(int(syscall(SYS_pidfd_open, process, 0)));
      if (!qemu_) return system_failure("cannot watch", plan_.qemu);
      plan_.facts.qemu = identify_process(process);
      plan_.facts.keeper = identify_process(getpid());
      TRY_VOID(instance_.write(plan_.facts));
      if (!plan_.facts.temporary.empty()) TemporaryFolder::keep_if_killed(plan_.facts.temporary);
      return {};
    }));
    return {};
  }

  // Fails with QEMU's own words if it ends meanwhile.
  Result<void> load() {
    using Clock = std::chrono::steady_clock;
    const auto deadline = Clock::now() + std::chrono::milliseconds(kPatienceMilliseconds);
    Result<Qmp> qmp = failure(ErrorKind::System, "no answer");
    std::string status = "inmigrate";
    while (status == "inmigrate") {
      pollfd wait{qemu_.get(), POLLIN, 0};
      if (poll(&wait, 1, 5) > 0) return explain_end();
      if (Clock::now() > deadline)
        return failure(ErrorKind::System, fmt::format("{}: its state does not load", plan_.facts.name));
      if (!qmp) qmp = Qmp::connect(instance_.folder(), kPatienceMilliseconds);
      if (!qmp) continue;
      const auto answer = qmp->execute("query-status");
      if (!answer) return explain_end();
      status = answer->value("status", "");
    }
    if (const auto kvm = qmp->execute("query-kvm"); kvm && kvm->is_object()) {
      plan_.facts.accelerator = kvm->value("enabled", false) ? "kvm" : "tcg";
      TRY_VOID(instance_.write(plan_.facts));
    }
    if (plan_.is_unplugged)
      for (const std::string& netdev : netdevs_) (void)qmp->execute("set_link", {{"name", netdev}, {"up", false}});
    if (plan_.runs)
      if (const auto answer = qmp->execute("cont"); !answer) return tl::unexpected(answer.error());
    return {};
  }

  Result<void> explain_end() {
    int status = 0;
    pollfd wait{qemu_.get(), POLLIN, 0};
    has_ended_ = poll(&wait, 1, 1000) > 0 && waitpid(qemu_id_, &status, 0) == qemu_id_;
    const auto log = read_text_file(instance_.folder() / "qemu.log");
    const std::string said = log ? printable(first_complaint(*log)) : std::string();
    return failure(ErrorKind::System, fmt::format("{}: its QEMU does not take the clone: {}", plan_.facts.name,
                                                  said.empty() ? "it does not say why" : said));
  }

  ForeignPlan& plan_;
  Instance& instance_;
  std::vector<std::string> netdevs_;
  Descriptor qemu_;
  pid_t qemu_id_ = 0;
  bool has_ended_ = false;
};

Result<void> plan_network(const CloneStartOptions& options, ForeignPlan& plan) {
  const Network network = TRY(parse_copy_network(options.network, options.ports));
  plan.is_unplugged = network.kind == NetworkKind::None;
  plan.copy.reaches_host = network.kind == NetworkKind::User;
  for (const PortForward& forward : network.ports) {
    plan.copy.forwards.push_back(forward.of_qemu());
    plan.facts.ports.push_back(forward.text());
  }
  return {};
}

}  // namespace

Result<StartedClone> start_foreign_clone(const fs::path& folder, const snapshot::CloneDescription& clone,
                                         const CloneStartOptions& options, std::optional<TemporaryFolder> temporary) {
  const auto start = std::chrono::steady_clock::now();
  if (!options.disk.empty() || options.clock == CloneClock::Now)
    return failure(ErrorKind::Unsupported,
                   fmt::format("{}: not a guest of mortem's own: it keeps its clock, and is not recorded", clone.name));
  ForeignPlan plan;
  TRY_VOID(plan_network(options, plan));
  std::error_code ignored;
  const fs::path place = fs::absolute(folder, ignored);
  plan.qemu = TRY(find_qemu());
  plan.state = place / clone.state_file;
  plan.command = clone.command;
  plan.runs = !options.holds_app;
  ForeignCopy& copy = plan.copy;
  copy.machine_type = clone.machine_type;
  copy.memory_block = clone.memory_block;
  copy.memory_bytes = clone.memory_bytes;
  copy.memory_file = place / clone.memory_file;
  for (const snapshot::CloneDisk& disk : clone.disks)
    copy.disks.push_back({disk.device, place / disk.file, {}, disk.size});
  for (const auto& one : clone.boot_files) copy.boot_files.emplace_back(one.named, place / one.file);
  copy.folder = clone.command_folder;

  Instance instance = TRY(Instance::create(options.name, instance_name_from(clone.name + "-clone")));
  InstanceFacts& facts = plan.facts;
  facts.name = copy.name = instance.name();
  facts.is_foreign = true;
  if (temporary) facts.temporary = temporary->path();
  facts.source = place.string();
  facts.program = clone.program;
  facts.memory = clone.memory_bytes;
  facts.started = std::time(nullptr);
  facts.detached = true;
  StartedClone started;
  started.name = instance.name();
  started.instance = instance.folder();
  started.is_foreign = true;
  const auto work = [plan = std::move(plan)](Instance& its_instance, std::optional<TemporaryFolder>&,
                                             int ready_pipe) mutable {
    return ForeignRun(plan, its_instance).run(ready_pipe);
  };
  const DetachedRun run = TRY(run_detached(MonitorWork(work), std::move(instance), std::move(temporary)));
  if (!run.is_ready) note(fmt::format("{} takes long to load; see mortem ps", started.name));
  started.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return started;
}

}  // namespace mortem::tools
