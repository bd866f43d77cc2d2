#include "tools/qemu/dump_start.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <chrono>
#include <cstring>
#include <ctime>

#include "snapshot/image_target.h"
#include "snapshot/resume/dump_boot.h"
#include "snapshot/slots.h"
#include "tools/elf_file.h"
#include "tools/local_store.h"
#include "tools/output.h"
#include "tools/qemu/detached_run.h"
#include "tools/qemu/empty_qcow2.h"
#include "tools/replay/recording_folder.h"
#include "tools/target.h"

namespace mortem::tools {

namespace fs = std::filesystem;

namespace {

using SteadyClock = std::chrono::steady_clock;

double elapsed_seconds(SteadyClock::time_point start) {
  return std::chrono::duration<double>(SteadyClock::now() - start).count();
}

// That disk is the one that the dump was written to.
Result<void> check_dump_disk(const snapshot::CoreFile& core, const fs::path& image) {
  const auto identity = core.identity();
  const uint8_t none[16] = {};
  if (!identity || std::memcmp(identity->disk_id, none, sizeof none) == 0) return {};
  const snapshot::DiskImage disk = TRY(snapshot::DiskImage::open_any(image));
  const snapshot::DumpSlots slots = TRY(snapshot::read_dump_slots(disk));
  if (std::memcmp(slots.header.disk_id, identity->disk_id, sizeof none) != 0)
    return failure(ErrorKind::BadInput, fmt::format("{}: not the disk of {}: another guest was started from it",
                                                    image.string(), core.name()));
  return {};
}

// What a guest that is recorded writes to its disk stays out of the recording, whose replay begins with it.
Result<void> put_overlay_on_image(Machine& machine, const fs::path& recording, const fs::path& temporary) {
  machine.image = recording / kRecordingImage;
  machine.image_format = "raw";
  machine.recorded.overlay = temporary / "disk.qcow2";
  std::error_code error;
  const uint64_t size = fs::file_size(*machine.image, error);
  Descriptor file(open(machine.recorded.overlay.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (error || !file) return system_failure("cannot make", machine.recorded.overlay);
  return write_empty_qcow2(file.get(), size);
}

// Empty: it is not known here.
fs::path kept_kernel(const std::string& id) {
  std::error_code ignored;
  const fs::path kernel = id.size() < 4 ? fs::path() : path_in_store(id);
  return fs::is_regular_file(kernel, ignored) ? kernel : fs::path();
}

void name_program(const snapshot::CoreFile& core, InstanceFacts& facts) {
  for (const snapshot::CoreModule& module : core.modules()) {
    if (module.kind == format::ModuleKind::Program) {
      facts.program = module.path;
      facts.program_id = hexadecimal(module.id);
    }
  }
}

}  // namespace

Result<StartedDump> start_dump(const std::string& source, const fs::path& given_image, const CloneStartOptions& options,
                               const fs::path& record) {
  const auto start = SteadyClock::now();
  if (!record.empty()) TRY_VOID(check_recording_folder(record));
  const auto core = TRY(open_target_core(source));
  TRY_VOID(snapshot::check_resumable(*core));
  const auto reason = core->reason();
  const bool is_handled = reason && (reason->known & format::kReasonHandledByApp) != 0;
  if (!options.holds_app && reason && reason->signal != 0 && !is_handled)
    return failure(
        ErrorKind::BadInput,
        fmt::format("{}: {} is of an end by signal {}, which would come again at once{}",
                    record.empty() ? "--run" : "--record", source, reason->signal,
                    record.empty() ? "" : ": resume it, mend it in gdb, and record a clone of it (mortem clone -o)"));
  RunPlan plan;
  plan.machine.qemu = TRY(find_qemu());
  plan.machine.small_firmware = has_small_firmware(plan.machine.qemu);
  plan.machine.network = TRY(parse_copy_network(options.network, options.ports));
  // Without a network: a card with its link down.
  if (plan.machine.network.kind == NetworkKind::None) plan.machine.network.kind = NetworkKind::Isolated;
  const bool is_unplugged = options.network == "none" && record.empty();  // a recording has no way for that
  fs::path image = given_image;
  if (const auto inside = snapshot::image_target(source); image.empty() && inside) image = inside->image;
  std::error_code ignored;
  if (!image.empty()) {
    TRY_VOID(check_dump_disk(*core, image));
    plan.machine.image = fs::absolute(image, ignored);
    plan.machine.image_format = TRY(snapshot::DiskImage::format_of(image));
    plan.machine.keeps_image = false;
  }

  TemporaryFolder temporary = TRY(TemporaryFolder::create());
  std::optional<RecordingFolder> recording;
  if (!record.empty()) recording.emplace(TRY(RecordingFolder::create(record)));
  const fs::path folder = recording ? recording->path() : temporary.path();
  plan.machine.memory_file = folder / kRecordingMemory;
  const snapshot::DumpBoot boot = TRY(snapshot::make_dump_boot(
      *core, plan.machine.memory_file,
      plan.machine.small_firmware ? snapshot::FirmwareMemory::Low : snapshot::FirmwareMemory::LowAndHigh));
  plan.machine.kernel = folder / kRecordingTrampoline;
  TRY_VOID(write_file_atomically(plan.machine.kernel,
                                 {reinterpret_cast<const char*>(boot.trampoline.data()), boot.trampoline.size()}));
  const fs::path kernel = kept_kernel(boot.kernel_id);
  if (recording && kernel.empty())
    return failure(ErrorKind::NotFound,
                   fmt::format("--record: {}: its kernel (build id {}) is not in {}, and a replay has to know it: run "
                               "any guest with it once (mortem run --kernel FILE)",
                               source, boot.kernel_id, local_store().string()));
  StartedDump started;
  started.read_seconds = elapsed_seconds(start);
  started.lost_pages = boot.lost_pages;
  plan.machine.type = boot.machine_type;
  plan.machine.memory = boot.memory_bytes;
  std::error_code error;
  fs::resize_file(plan.machine.memory_file, plan.machine.memory, error);
  if (error) return system_failure("cannot make", plan.machine.memory_file, error.value());
  plan.on_crash = OnCrash::Stop;
  plan.detached = true;
  plan.clone = CloneStart{{}, TRY(clone_message(options, options.clock.value_or(CloneClock::Now))), is_unplugged};
  // The program's network goes on under its old address.
  std::memset(plan.clone->message.hardware_address, 0, sizeof plan.clone->message.hardware_address);

  InstanceFacts& facts = plan.facts;
  name_program(*core, facts);
  const std::string base =
      facts.program.empty() ? fs::path(source).stem().string() : fs::path(facts.program).filename().string();
  Instance instance = TRY(Instance::create(options.name, instance_name_from(base + "-resumed")));
  facts.name = plan.machine.name = instance.name();
  if (plan.machine.image) facts.image = *plan.machine.image;
  facts.temporary = temporary.path();
  facts.source = options.source.empty() ? source : options.source;
  facts.accelerator = plan.machine.accelerator;
  facts.on_crash = on_crash_name(plan.on_crash);
  facts.kernel = kernel.string();
  facts.kernel_id = boot.kernel_id;
  facts.memory = boot.memory_bytes;
  facts.started = std::time(nullptr);
  facts.detached = true;
  for (const PortForward& forward : plan.machine.network.ports) facts.ports.push_back(forward.text());
  if (recording) {
    plan.machine.recorded.boot = std::exchange(plan.machine.kernel, kernel);
    auto begun = recording->begin(plan.machine, facts);
    Result<void> done;
    if (!begun)
      done = tl::unexpected(begun.error());
    else if (plan.machine.image)
      done = put_overlay_on_image(plan.machine, folder, temporary.path());
    if (!done) {
      instance.remove();
      return tl::unexpected(done.error());
    }
    plan.recorder = std::move(*begun);
  }

  started.instance.name = instance.name();
  started.instance.instance = instance.folder();
  const DetachedRun run = TRY(run_detached(std::move(plan), std::move(instance), std::move(temporary)));
  if (!run.is_ready)
    note(fmt::format("{} runs, but its guest does not say that it goes on; see mortem logs {}", started.instance.name,
                     started.instance.name));
  started.instance.seconds = elapsed_seconds(start);
  return started;
}

}  // namespace mortem::tools
