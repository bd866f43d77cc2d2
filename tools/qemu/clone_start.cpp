#include "tools/qemu/clone_start.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/random.h>

#include <chrono>
#include <ctime>

#include "snapshot/clone/clone_core.h"
#include "snapshot/clone/clone_description.h"
#include "tools/local_store.h"
#include "tools/output.h"
#include "tools/qemu/accelerator.h"
#include "tools/qemu/detached_run.h"
#include "tools/qemu/foreign_start.h"
#include "tools/qemu/host_processor.h"
#include "tools/qemu/machine_json.h"

namespace mortem::tools {

namespace fs = std::filesystem;

namespace {

// What a clone's folder came with, checked as far as QEMU would not do it in words that help.
Result<void> check_clone(const fs::path& folder, const snapshot::CloneDescription& clone, const fs::path& qemu) {
  if (clone.machine.empty() && clone.command.empty())
    return failure(ErrorKind::Unsupported,
                   fmt::format("{}: does not know its QEMU's options: it can be looked into (mortem bt), not started",
                               folder.string()));
  const std::string version = TRY(qemu_version(qemu)),
                    major = clone.qemu_version.substr(0, clone.qemu_version.rfind('.'));
  if (!version.starts_with(major + "."))
    return failure(ErrorKind::Unsupported,
                   fmt::format("{}: taken from QEMU {}, this machine has {}: start it where there is {}.x",
                               folder.string(), clone.qemu_version, version, major));
  if (clone.checksums) return snapshot::check_clone_files(folder, clone).map([](auto&&) {});
  const uint64_t checksum = TRY(snapshot::file_checksum(folder / clone.state_file));
  if (checksum != clone.state_checksum)
    return failure(ErrorKind::BadInput,
                   fmt::format("{}: its checksum is not the one in {}: cut short, changed or damaged",
                               (folder / clone.state_file).string(), snapshot::kCloneDescriptionFile));
  std::error_code error;
  if (const uint64_t size = fs::file_size(folder / clone.memory_file, error); error || size != clone.memory_bytes)
    return failure(ErrorKind::BadInput, fmt::format("{}: has not the {} bytes that {} says: cut short or changed",
                                                    (folder / clone.memory_file).string(), clone.memory_bytes,
                                                    snapshot::kCloneDescriptionFile));
  return {};
}

// A machine like the one that it ran on. Under TCG that is QEMU's doing alone.
Result<void> check_machine(const fs::path& folder, const snapshot::CloneDescription& clone, const Machine& machine) {
  if (machine.small_firmware && !has_small_firmware(machine.qemu))
    return failure(ErrorKind::NotFound, fmt::format("{}: taken from a guest with the firmware qboot, which is not "
                                                    "installed: apt-get install qemu-system-data",
                                                    folder.string()));
  if (machine.accelerator != "kvm") return {};
  const auto here = host_processor();
  const auto missing = missing_flags(clone.processor_flags, here ? here->flags : std::string());
  if (!missing.empty())
    return failure(ErrorKind::Unsupported,
                   fmt::format("{}: ran under KVM on {}; this machine's processor ({}) has not its {}: start it on a "
                               "machine that has",
                               folder.string(), printable(clone.processor), here ? here->model : "unknown",
                               printable(fmt::format("{}", fmt::join(missing, ", ")))));
  if (auto accelerator = choose_accelerator("kvm", machine.qemu, machine.kernel, clone.kernel_id); !accelerator)
    return failure(ErrorKind::Unsupported, fmt::format("{}: ran under KVM, and its state does not go on without: {}",
                                                       folder.string(), accelerator.error().message));
  return {};
}

Result<Network> network_for(const CloneStartOptions& options, const Network& original) {
  Network network = TRY(parse_copy_network(options.network, options.ports));
  const bool is_none = network.kind == NetworkKind::None;
  const bool is_tap = original.kind == NetworkKind::Tap || original.kind == NetworkKind::Unplugged;
  // The state of QEMU's own network is a part of the clone's: it has to be there, be the card unplugged or not.
  if (is_none) network.kind = is_tap ? NetworkKind::Unplugged : NetworkKind::Isolated;
  network.mtu = original.mtu;
  network.user_options = original.user_options;
  if (is_tap && !is_none)
    return failure(ErrorKind::Unsupported,
                   fmt::format("--net {}: the original stood on a tap device, which can do what QEMU's own network "
                               "cannot: --net none",
                               options.network));
  if (original.kind == NetworkKind::None) {
    if (!is_none) return failure(ErrorKind::BadInput, "--net: the original has no network card");
    network.kind = NetworkKind::None;
  }
  return network;
}

}  // namespace

Result<format::ControlClone> clone_message(const CloneStartOptions& options, CloneClock clock) {
  format::ControlClone message{};
  if (getrandom(message.entropy, sizeof message.entropy, 0) != sizeof message.entropy ||
      getrandom(message.hardware_address, sizeof message.hardware_address, 0) != sizeof message.hardware_address)
    return system_failure("cannot read", "/dev/urandom");
  // QEMU's own prefix; the rest is this copy's.
  constexpr uint8_t kPrefix[3] = {0x52, 0x54, 0x00};
  std::copy(std::begin(kPrefix), std::end(kPrefix), message.hardware_address);
  if (options.holds_app) message.flags |= format::kCloneHoldsApp;
  if (clock == CloneClock::Now) {
    timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    message.wall_clock_ns = int64_t(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
  }
  return message;
}

Result<StartedClone> start_clone(const fs::path& folder, const CloneStartOptions& options,
                                 std::optional<TemporaryFolder> temporary) {
  const auto start = std::chrono::steady_clock::now();
  const snapshot::CloneDescription clone = TRY(snapshot::read_clone_description(folder));
  RunPlan plan;
  const fs::path qemu = TRY(find_qemu());
  TRY_VOID(check_clone(folder, clone, qemu));
  if (clone.machine.empty()) return start_foreign_clone(folder, clone, options, std::move(temporary));
  plan.machine = TRY(machine_from_json(clone.machine, (folder / snapshot::kCloneDescriptionFile).string()));
  plan.machine.qemu = qemu;
  plan.machine.memory = clone.memory_bytes;
  plan.machine.network = TRY(network_for(options, plan.machine.network));
  std::error_code ignored;
  plan.machine.kernel = fs::absolute(folder / clone.kernel_file, ignored);
  if (clone.kernel_file.empty() || !fs::exists(plan.machine.kernel, ignored))
    return failure(ErrorKind::NotFound, fmt::format("{}: its kernel is not there", folder.string()));
  if (auto kept = keep_in_store(plan.machine.kernel); !kept)
    note("the kernel is not kept for later: " + kept.error().message);
  TRY_VOID(check_machine(folder, clone, plan.machine));
  plan.machine.memory_file = fs::absolute(folder / clone.memory_file, ignored);
  if (plan.machine.image) {
    if (clone.disks.size() != 1)
      return failure(ErrorKind::Unsupported,
                     fmt::format("{}: {} disks where one is known", folder.string(), clone.disks.size()));
    plan.machine.image = fs::absolute(folder / clone.disks[0].file, ignored);
    plan.machine.image_format = "qcow2";
    plan.machine.keeps_image = !options.disk.empty();
    if (plan.machine.keeps_image) plan.machine.image = options.disk;
  }
  const bool ends = plan.machine.exit_on_reset || !options.disk.empty();
  plan.on_crash = ends ? OnCrash::Stop : OnCrash::Reboot;
  plan.detached = true;
  plan.clone = CloneStart{fs::absolute(folder / clone.state_file, ignored),
                          TRY(clone_message(options, options.clock.value_or(CloneClock::GoesOn))),
                          options.network == "none" && plan.machine.network.kind != NetworkKind::None};

  Instance instance = TRY(Instance::create(options.name, instance_name_from(clone.name + "-clone")));
  InstanceFacts& facts = plan.facts;
  facts.name = plan.machine.name = instance.name();
  if (plan.machine.image) facts.image = *plan.machine.image;
  if (temporary) facts.temporary = temporary->path();
  facts.source = fs::absolute(folder, ignored).string();
  facts.accelerator = plan.machine.accelerator;
  facts.on_crash = on_crash_name(plan.on_crash);
  facts.program = clone.program;
  facts.program_id = clone.program_id;
  facts.kernel = plan.machine.kernel.string();
  facts.kernel_id = clone.kernel_id;
  facts.memory = clone.memory_bytes;
  facts.started = std::time(nullptr);
  facts.detached = true;
  for (const PortForward& forward : plan.machine.network.ports) facts.ports.push_back(forward.text());

  StartedClone started;
  started.name = instance.name();
  started.instance = instance.folder();
  const DetachedRun run = TRY(run_detached(std::move(plan), std::move(instance), std::move(temporary)));
  if (!run.is_ready)
    note(fmt::format("{} runs, but its guest does not say that it knows what it is; see mortem logs {}", started.name,
                     started.name));
  started.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return started;
}

}  // namespace mortem::tools
