#include "tools/qemu/clone_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "snapshot/core_file.h"
#include "snapshot/format/guest_description.h"
#include "tools/folder_check.h"
#include "tools/interrupt.h"
#include "tools/module_files.h"
#include "tools/output.h"
#include "tools/progress_bar.h"
#include "tools/qemu/clock_watch.h"
#include "tools/qemu/foreign_command.h"
#include "tools/qemu/host_processor.h"
#include "tools/qemu/libvirt_monitor.h"
#include "tools/qemu/new_folder.h"
#include "tools/qemu/original_command.h"
#include "tools/symbol_options.h"

namespace mortem::tools {

namespace fs = std::filesystem;

namespace {

constexpr const char *kKernelFile = "kernel.elf", *kBootFile = "boot-";

// Of a guest that is not ours: how it was started, and the files of that which its copy needs elsewhere, too.
Result<void> describe_original(const CloneSource& source, const fs::path& folder,
                               snapshot::CloneDescription& description) {
  Qmp qmp = TRY(source.connect());
  const OriginalCommand original = TRY(original_command(qmp));
  for (const std::string& named : TRY(foreign_boot_files(original.options))) {
    const bool is_known = std::ranges::any_of(description.boot_files, [&](auto& one) { return one.named == named; });
    const fs::path place = original.root / (original.folder / named).relative_path();
    std::error_code ignored;
    if (is_known || !fs::is_regular_file(place, ignored)) continue;  // a name that QEMU looks for among its own files
    const std::string file = fmt::format("{}{}", kBootFile, description.boot_files.size());
    TRY_VOID(copy_file_content(place, folder / file, 0600));
    description.boot_files.push_back({named, file});
  }
  description.command = original.options;
  description.command_folder = original.folder.string();
  return {};
}

Result<uint64_t> size_of(const fs::path& path) {
  struct stat facts;
  if (stat(path.c_str(), &facts) != 0) return system_failure("cannot read", path);
  return uint64_t(facts.st_size);
}

// A copy that is started is to know itself for one (guest_description.h).
Result<void> mark_clone(const fs::path& memory) {
  Descriptor file(open(memory.c_str(), O_RDWR | O_CLOEXEC));
  if (!file) return system_failure("cannot write", memory);
  format::GuestDescription guest{};
  if (pread(file.get(), &guest, sizeof guest, format::kGuestDescriptionAddress) != sizeof guest ||
      std::memcmp(guest.magic, format::kGuestDescriptionMagic, sizeof guest.magic) != 0 || guest.size < sizeof guest)
    return {};  // not a guest of ours, or an older one
  const uint32_t state = format::kCloneUntold;
  if (pwrite(file.get(), &state, sizeof state,
             format::kGuestDescriptionAddress + offsetof(format::GuestDescription, clone_state)) != sizeof state)
    return system_failure("cannot write", memory);
  return {};
}

// What the copy's stacks and variables are read with, on machines that have not the guest's program.
Result<void> keep_modules(const std::string& guest, const fs::path& folder) {
  const auto core = TRY(snapshot::CoreFile::open(folder));
  return keep_module_files(core->modules(), symbol_options(SymbolFlags{}, guest), folder);
}

}  // namespace

Result<CloneSource> find_clone_source(const std::string& text) {
  CloneSource source;
  if (text.starts_with("qmp:")) {
    const fs::path socket = text.substr(4);
    source.connect = [socket] { return Qmp::connect_to_socket(socket, 10'000); };
    Qmp qmp = TRY(Qmp::connect_to_socket(socket, 3000));
    const nlohmann::json name = TRY(qmp.execute("query-name"));
    // One of ours is all that one by name is: its copies can be started.
    std::error_code ignored;
    for (RunningInstance& one : TRY(running_instances()))
      if (socket.filename() == "qmp" && fs::equivalent(one.folder, fs::absolute(socket).parent_path(), ignored)) {
        source.name = one.facts.name;
        TRY_VOID(check_for_stub(one));
        if (!one.facts.is_foreign) source.instance = std::move(one);
        return source;
      }
    source.name = name.is_object() && name.contains("name") && name["name"].is_string() ? name["name"] : "qemu";
    return source;
  }
  if (const auto domain = parse_libvirt_domain(text)) {
    if (!*domain) return tl::unexpected(domain->error());
    source.name = (*domain)->name;
    source.connect = [domain = **domain] { return connect_through_libvirt(domain, 10'000); };
    TRY_VOID(source.connect().map([](auto&&) {}));
    return source;
  }
  source.name = text;
  source.instance = TRY(find_instance(text));
  if (source.instance->facts.is_replay())
    return failure(ErrorKind::Unsupported,
                   fmt::format("{} is a replay: to have it twice, copy the recording's folder", text));
  // QEMU 7.2 ends in an assertion where a recorded guest is stopped for its state (replay_save_clock).
  TRY_VOID(check_for_stub(*source.instance));
  source.connect = [folder = source.instance->folder] { return Qmp::connect(folder, 10'000); };
  if (source.instance->facts.is_foreign) source.instance.reset();
  return source;
}

Result<std::vector<CloneMethod>> clone_methods(const std::string& text) {
  const std::vector<CloneMethod> all = {CloneMethod::PreCopy, CloneMethod::Background, CloneMethod::Stop};
  if (text == "auto") return all;
  for (const CloneMethod method : all)
    if (text == clone_method_name(method)) return std::vector<CloneMethod>{method};
  return failure(ErrorKind::BadInput,
                 fmt::format("--method {}: auto, pre-copy, background-snapshot or stop-and-copy", printable(text)));
}

Result<snapshot::CloneDescription> clone_into_folder(const CloneSource& source, const fs::path& folder,
                                                     const std::vector<CloneMethod>& methods, double patience_seconds,
                                                     CloneUse use) {
  NewFolder made = TRY(NewFolder::create(folder));
  LiveCloneRequest request;
  request.connect = source.connect;
  if (source.instance) request.instance = source.instance->folder;
  request.folder = made.path();
  request.methods = methods;
  request.patience_seconds = patience_seconds;
  request.say = [&](const std::string& line) {
    if (isatty(STDERR_FILENO)) write_stderr("\r\033[K");  // the bar's line
    note(source.name + ": " + line);
  };
  ClockWatch watch(source.instance);
  request.go_on = [&watch] {
    watch.look();
    return not_interrupted();
  };
  const fs::path progress_file = made.path() / kCloneProgressFile;
  request.progress = [&, bar = progress_bar(source.name)](uint64_t done, uint64_t all) {
    bar(done, all);
    (void)write_file_atomically(progress_file, fmt::format("{} {}\n", done, all));
  };
  snapshot::CloneDescription description;
  LiveClone clone = TRY(take_live_clone(request));
  if (!source.instance)
    if (auto described = describe_original(source, made.path(), description); !described) {
      description.command.clear();
      note(fmt::format("{}: its copy can be looked into, not started: {}", source.name, described.error().message));
    }
  const bool has_watched = watch.end();
  request.progress = {};  // takes the bar away
  unlink(progress_file.c_str());
  if (source.instance) TRY_VOID(mark_clone(made.path() / kCloneMemoryFile));

  description.name = source.name;
  description.moment_us = clone.moment_us;
  description.qemu_version = clone.qemu_version;
  description.machine_type = clone.state.machine_type;
  description.memory_file = kCloneMemoryFile;
  description.memory_block = clone.state.memory.name;
  description.memory_bytes = clone.state.memory.size;
  description.memory_below_4g = snapshot::memory_below_4g(clone.state.machine_type, clone.state.memory.size);
  description.state_file = kCloneStateFile;
  description.state_bytes = TRY(size_of(made.path() / kCloneStateFile));
  description.state_checksum = TRY(snapshot::file_checksum(made.path() / kCloneStateFile));
  for (const LiveClone::Disk& disk : clone.disks) description.disks.push_back({disk.device, disk.file, disk.size});
  description.method = clone_method_name(clone.method);
  description.pause_ms = description.stopped_ms = clone.stopped_ms;
  if (has_watched) {
    const double gap = watch.longest_gap(clone.moment_us, clone.moment_us + int64_t(clone.stopped_ms * 1000));
    description.guest_gap_ms = gap;
    description.longest_gap_ms = watch.longest_gap();
    // The clock of a guest under TCG stands still with it: what it shows comes on top.
    const bool stands_still = source.instance->facts.accelerator == "tcg";
    description.pause_ms = stands_still ? clone.stopped_ms + gap : std::max(clone.stopped_ms, gap);
  }
  description.processor_share = clone.processor_share.value_or(-1);
  description.seconds = clone.seconds;
  description.stream_bytes = clone.state.stream_bytes;
  if (source.instance) {
    const InstanceFacts& facts = source.instance->facts;
    // The kernel goes with the clone: a machine elsewhere starts the copy with it, and finds its symbols.
    if (copy_file_content(facts.kernel, made.path() / kKernelFile, 0600)) description.kernel_file = kKernelFile;
    description.kernel_id = facts.kernel_id;
    description.program = facts.program;
    description.program_id = facts.program_id;
    description.machine = facts.machine;
  }
  const auto describe = [&] {
    return write_file_atomically(made.path() / snapshot::kCloneDescriptionFile,
                                 snapshot::clone_description_text(description));
  };
  if (const auto host = host_processor(); host && source.instance && source.instance->facts.accelerator == "kvm") {
    description.processor = host->model;
    description.processor_flags = host->flags;
  }
  TRY_VOID(describe());
  if (source.instance && use == CloneUse::Anywhere)
    if (auto kept = keep_modules(source.name, made.path()); !kept)
      note(fmt::format("{}: the files of its modules are not all in its copy: {}", source.name, kept.error().message));
  TRY_VOID(not_interrupted());
  if (use == CloneUse::Anywhere) {
    description.checksums = TRY(write_checksums(made.path(), snapshot::kCloneDescriptionFile));
    TRY_VOID(describe());
  }
  TRY_VOID(not_interrupted());
  TRY_VOID(made.commit());
  clone.guard->dismiss();
  return description;
}

}  // namespace mortem::tools
