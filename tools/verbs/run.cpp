// mortem run
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <ctime>
#include <fstream>
#include <memory>

#include "tools/elf_file.h"
#include "tools/image/image_builder.h"
#include "tools/image/manifest.h"
#include "tools/image/packing_options.h"
#include "tools/image/root_file_system.h"
#include "tools/image/static_network.h"
#include "tools/interrupt.h"
#include "tools/local_store.h"
#include "tools/output.h"
#include "tools/qemu/accelerator.h"
#include "tools/qemu/detached_run.h"
#include "tools/qemu/dump_collector.h"
#include "tools/qemu/guest_run.h"
#include "tools/replay/recording_folder.h"
#include "tools/verbs.h"

namespace mortem::tools {

namespace fs = std::filesystem;

namespace {

constexpr size_t kMaximumCommandLine = 16 << 10;  // kernel/library/command_line.h

struct RunOptions {
  std::string source, name, memory, on_crash, dump, accelerator = "auto", kernel, machine = "q35", processor = "max",
                                                    network = "user", record;
  std::vector<std::string> kernel_arguments, ports;
  bool detach = false, wait = false, without_dump = false, keep_in_slot = false, log_console = false, json = false,
       dashes = false;
  PackingOptions packing;
};

enum class SourceKind { Image, ProgramOrConfig };

Result<SourceKind> kind_of(const fs::path& source) {
  std::error_code ignored;
  if (fs::is_directory(source, ignored))
    return failure(ErrorKind::BadInput, source.string() + ": is a folder, not a program or image");
  if (const auto type = fs::status(source, ignored).type();
      type == fs::file_type::fifo || type == fs::file_type::socket || type == fs::file_type::character)
    return failure(ErrorKind::BadInput,
                   source.string() + ": is a pipe, socket or character device, not a program or image");
  Descriptor file(open(source.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file) return system_failure("cannot read", source);
  char start[520] = {};
  const ssize_t got = pread(file.get(), start, sizeof start, 0);
  if (got < 0) return system_failure("cannot read", source);
  const std::string_view bytes(start, size_t(got));
  const bool elf = bytes.starts_with("\177ELF") || bytes.starts_with("#!");  // a script: packing says what to do
  const bool partitions = bytes.substr(std::min<size_t>(512, bytes.size())).starts_with("EFI PART") ||
                          (bytes.size() >= 512 && bytes.substr(510, 2) == "\x55\xAA");
  if (!elf && partitions) return SourceKind::Image;
  const size_t visible = bytes.find_first_not_of(" \t\r\n");
  if (elf || source.extension() == ".json" || (visible != std::string_view::npos && bytes[visible] == '{'))
    return SourceKind::ProgramOrConfig;
  for (auto [magic, name] : {std::pair("QFI\xfb", "qcow2"), std::pair("KDMV", "VMDK"), std::pair("# Disk D", "VMDK"),
                             std::pair("conectix", "VHD"), std::pair("\x1f\x8b", "gzip")})
    if (bytes.starts_with(magic))
      return failure(ErrorKind::Unsupported,
                     fmt::format("{}: a {} file; only raw images can be run so far", source.string(), name));
  return failure(ErrorKind::BadInput, source.string() + ": not an ELF file, nor a disk image, nor a CONFIG.json");
}

// What is needed of the image or program before anything is started.
struct Source {
  fs::path image;                            // absolute
  std::optional<TemporaryFolder> temporary;  // holds it
  std::string base_name, program, program_id;
  uint64_t memory = kDefaultMemory;
  std::vector<std::string> ports;    // that its maker wanted forwarded
  std::vector<std::string> network;  // its own settings net=
};

Result<Source> use_image(const RunOptions& options) {
  if (!options.packing.files.empty() || !options.packing.folders.empty())
    return failure(ErrorKind::BadInput,
                   "--file and --dir are for programs: an image is packed already; see mortem image create --help");
  Source source;
  source.image = fs::absolute(options.source);
  auto disk = TRY(snapshot::DiskImage::open(options.source));
  const auto root = TRY(disk.root_partition());
  auto text = read_root_file(options.source, root.offset, kManifestPath);
  if (!text) return failure(text.error().kind, text.error().message);
  Manifest manifest = TRY(parse_manifest(*text));
  if (manifest["program"].empty())
    return failure(ErrorKind::BadInput, fmt::format("{}: its {} names no program", options.source, kManifestPath));
  source.program = manifest["program"].back();
  if (!manifest["memory"].empty())
    source.memory = TRY(parse_memory(manifest["memory"].back(), kManifestPath + std::string(": memory")));
  source.ports = manifest["port"];
  source.network = manifest["net"];
  source.base_name = instance_name_from(fs::path(options.source).stem().string());
  return source;
}

Result<Source> pack_program(const RunOptions& options) {
  ImageRequest request = TRY(request_for(options.source, options.packing));
  for (const std::string& line : request.notes) note(line);
  if (!options.memory.empty()) request.memory = TRY(parse_memory(options.memory, "--memory"));
  Source source;
  source.memory = request.memory;
  source.ports = request.ports;
  source.network = request.network;
  source.program = request.guest_program;
  source.base_name = instance_name_from(request.program.filename().string());
  source.temporary = TRY(TemporaryFolder::create());
  source.image = source.temporary->path() / "disk.img";
  source.program_id = TRY(build_image(request, source.image)).program_id;
  return source;
}

Result<std::string> kernel_command_line(const RunOptions& options, bool from_image, OnCrash on_crash) {
  std::string line = fmt::format("on-crash={}", on_crash_name(on_crash));
  if (options.wait) line += " wait=gdb";
  auto add = [&](const std::string& key, const std::string& value) { line += " " + key + "=" + percent_encode(value); };
  if (from_image) {  // a packed program has these in its manifest
    if (options.dashes && options.packing.arguments.empty()) line += " args=";
    for (const std::string& argument : options.packing.arguments) add("arg", argument);
    for (const std::string& variable : options.packing.environment) {
      TRY_VOID(check_environment(variable, "--env"));
      add("env", variable);
    }
    if (!options.packing.on_exec.empty()) {
      if (options.packing.on_exec != "refuse" && options.packing.on_exec != "crash")
        return failure(ErrorKind::BadInput,
                       fmt::format("--on-exec {}: refuse or crash", printable(options.packing.on_exec)));
      add("on-exec", options.packing.on_exec);
    }
    if (!options.packing.on_fault.empty()) {
      TRY_VOID(check_word("--on-fault", options.packing.on_fault, "first-chance", "last-chance"));
      add("on-fault", options.packing.on_fault);
    }
    if (!options.packing.dump_on_exit.empty()) {
      if (options.packing.dump_on_exit != "nonzero" && options.packing.dump_on_exit != "never")
        return failure(ErrorKind::BadInput,
                       fmt::format("--dump-on-exit {}: nonzero or never", printable(options.packing.dump_on_exit)));
      add("dump-on-exit", options.packing.dump_on_exit);
    }
    if (!options.packing.user.empty()) {
      const UserAndGroup user = TRY(parse_user(options.packing.user, "--user"));
      add("user", fmt::format("{}:{}", user.user, user.group));
    }
  }
  if (const Network network = TRY(parse_network(options.network)); !network.settings.empty())
    line += " net=" + percent_encode(network.settings);
  if (options.log_console) line += " log=console";
  for (const std::string& argument : options.kernel_arguments) {
    if (argument.find_first_of(" \t\n") != std::string::npos || argument.find('=') == std::string::npos)
      return failure(ErrorKind::BadInput,
                     fmt::format("--kernel-argument '{}': KEY=VALUE, percent-encoded", printable(argument)));
    line += " " + argument;
  }
  if (line.size() >= kMaximumCommandLine)
    return failure(
        ErrorKind::BadInput,
        fmt::format("the kernel's command line would be {} bytes long, at most {} fit: pack arguments into the image",
                    line.size(), kMaximumCommandLine - 1));
  return line;
}

Result<Network> network_of(const RunOptions& options) {
  Network network = TRY(parse_network(options.network));
  if (network.kind != NetworkKind::User && !options.ports.empty())
    return failure(
        ErrorKind::BadInput,
        fmt::format("-p goes with --net user: with --net {} {}", printable(options.network),
                    network.kind == NetworkKind::None ? "there is no network" : "the guest has an address of its own"));
  for (const std::string& port : options.ports) network.ports.push_back(TRY(parse_port_forward(port, "-p")));
  TRY_VOID(check_network(network));
  return network;
}

Result<OnCrash> on_crash_of(const RunOptions& options) {
  if (options.on_crash.empty()) return options.detach && options.record.empty() ? OnCrash::Reboot : OnCrash::Stop;
  if (options.on_crash == "stop") return OnCrash::Stop;
  if (options.on_crash == "reboot") return OnCrash::Reboot;
  if (options.on_crash == "gdb") return OnCrash::Gdb;
  return failure(ErrorKind::BadInput, fmt::format("--on-crash {}: stop, reboot or gdb", printable(options.on_crash)));
}

struct Prepared {
  RunPlan plan;
  Source source;
};

// What cannot be in a recording: whatever comes into the guest past the log.
Result<void> check_recording(const RunOptions& options, const RunPlan& plan) {
  const auto refuse = [](const std::string& why) { return failure(ErrorKind::BadInput, "--record: " + why); };
  if (plan.on_crash != OnCrash::Stop) return refuse("goes with --on-crash stop: a recording ends with the crash");
  if (options.wait) return refuse("not with --wait: gdb comes to the replay");
  if (options.accelerator == "kvm") return refuse("not with --accel kvm: only TCG counts instructions");
  if (plan.machine.network.kind == NetworkKind::Tap) return refuse("goes with --net user or none");
  return check_recording_folder(options.record);
}

// A crash may come after weeks: that its dump has nowhere to go is said now.
Result<void> check_dump_folder(const fs::path& dump) {
  std::error_code ignored;
  if (fs::is_directory(dump, ignored))
    return failure(ErrorKind::BadInput, fmt::format("--dump {}: is a folder; name the file in it", dump.string()));
  const fs::path folder = fs::absolute(dump).parent_path();
  if (access((folder / ".").c_str(), W_OK | X_OK) == 0) return {};  // not a file by that name
  return system_failure("--dump: cannot write into", folder);
}

Result<Prepared> prepare(const RunOptions& options) {
  Prepared ready;
  RunPlan& plan = ready.plan;
  // What costs nothing to check comes first, before anything is packed.
  plan.on_crash = TRY(on_crash_of(options));
  std::string given_memory = options.memory;
  if (!given_memory.empty()) plan.machine.memory = TRY(parse_memory(given_memory, "--memory"));
  if (options.accelerator != "auto" && options.accelerator != "tcg" && options.accelerator != "kvm")
    return failure(ErrorKind::BadInput, fmt::format("--accel {}: auto, tcg or kvm", printable(options.accelerator)));
  if (options.machine != "q35" && options.machine != "pc")
    return failure(ErrorKind::BadInput, fmt::format("--machine {}: q35 or pc", printable(options.machine)));
  if (options.processor != "max" && options.processor != "qemu64")
    return failure(ErrorKind::BadInput, fmt::format("--cpu {}: max or qemu64", printable(options.processor)));
  plan.machine.type = options.machine;
  plan.machine.processor = options.processor;
  if (!options.name.empty() && !is_instance_name(options.name))
    return failure(ErrorKind::BadInput,
                   fmt::format("--name '{}': letters, digits, '.', '_' and '-', at most 64, a letter or digit first",
                               printable(options.name)));
  if (options.json && !options.detach)
    return failure(ErrorKind::BadInput, "--json goes with --detach: stdout is the program's own otherwise");
  plan.machine.network = TRY(network_of(options));
  if (!options.record.empty()) TRY_VOID(check_recording(options, plan));
  if (!options.dump.empty()) TRY_VOID(check_dump_folder(options.dump));
  const SourceKind kind = TRY(kind_of(options.source));
  if (options.keep_in_slot && kind != SourceKind::Image)
    return failure(ErrorKind::BadInput,
                   fmt::format("--keep-in-slot: {} is packed into an image that goes with the run; make one that stays "
                               "with mortem image create",
                               options.source));
  plan.machine.kernel_arguments = TRY(kernel_command_line(options, kind == SourceKind::Image, plan.on_crash));
  plan.machine.qemu = TRY(find_qemu());
  plan.machine.small_firmware = has_small_firmware(plan.machine.qemu);
  plan.machine.kernel = TRY(find_kernel(options.kernel));
  const std::string kernel_id = TRY(module_id(plan.machine.kernel));

  ready.source = TRY(kind == SourceKind::Image ? use_image(options) : pack_program(options));
  if (plan.machine.network.kind == NetworkKind::User)
    plan.machine.network.user_options = TRY(user_network_options(ready.source.network, options.source));
  if (options.ports.empty() && plan.machine.network.kind == NetworkKind::User) {
    for (const std::string& port : ready.source.ports)
      plan.machine.network.ports.push_back(TRY(parse_port_forward(port, options.source + ": port")));
    TRY_VOID(check_network(plan.machine.network));
  }
  if (const std::string why = no_room_for_dump(ready.source.image); !why.empty() && !options.without_dump)
    return failure(ErrorKind::BadInput,
                   fmt::format("{}: a crash would leave no dump: {}; or run it with --no-dump", options.source, why));
  if (plan.machine.memory == 0) plan.machine.memory = ready.source.memory;
  if (plan.machine.memory > ready.source.memory)
    note(fmt::format("--memory: the dump slots of {} were made for {}; a dump may not fit", options.source,
                     human_size(ready.source.memory)));
  // A report needs the symbols of this very kernel later.
  if (auto kept = keep_in_store(plan.machine.kernel); !kept)
    note("the kernel is not kept for later: " + kept.error().message);
  const Accelerator accelerator = TRY(choose_accelerator(options.record.empty() ? options.accelerator : "tcg",
                                                         plan.machine.qemu, plan.machine.kernel, kernel_id));
  if (!accelerator.why.empty()) note("running under TCG: " + accelerator.why);
  plan.machine.accelerator = accelerator.name;
  // A guest that looks for work keeps the only processor from who would bring it.
  cpu_set_t processors;
  if (sched_getaffinity(0, sizeof processors, &processors) == 0 && CPU_COUNT(&processors) == 1)
    plan.machine.kernel_arguments += " idle=halt";
  plan.machine.image = ready.source.image;
  plan.detached = options.detach;
  plan.keep_in_slot = options.keep_in_slot;
  plan.waits_for_gdb = options.wait;

  InstanceFacts& facts = plan.facts;
  facts.image = ready.source.image;
  if (ready.source.temporary) facts.temporary = ready.source.temporary->path();
  facts.source = options.source;
  facts.accelerator = accelerator.name;
  facts.on_crash = on_crash_name(plan.on_crash);
  facts.program = ready.source.program;
  facts.program_id = ready.source.program_id;
  facts.kernel = plan.machine.kernel.string();
  facts.kernel_id = kernel_id;
  facts.memory = plan.machine.memory;
  facts.started = std::time(nullptr);
  facts.detached = options.detach;
  for (const PortForward& forward : plan.machine.network.ports) facts.ports.push_back(forward.text());
  return ready;
}

void give_name(RunPlan& plan, const Instance& instance, const RunOptions& options) {
  plan.machine.name = plan.facts.name = instance.name();
  plan.facts.dump = fs::absolute(options.dump.empty() ? instance.name() + ".core.zst" : options.dump);
}

int finish(const Result<int>& status) {
  return status ? *status : fail(status.error());
}

int run_in_foreground(const RunOptions& options, Prepared ready, Instance instance) {
  give_name(ready.plan, instance, options);
  const bool has_temporary = ready.source.temporary.has_value();
  const fs::path image = ready.source.image;
  int status = kFailed;
  {
    GuestRun run(std::move(ready.plan), instance);
    status = finish(run.run());
    if (has_temporary && run.image_holds_dump()) {
      ready.source.temporary->release();
      note(fmt::format("the image stays at {}", image.string()));
    }
  }
  instance.remove();
  return status;
}

int detach(const RunOptions& options, Prepared ready, Instance instance) {
  give_name(ready.plan, instance, options);
  const std::string name = instance.name(), folder = instance.folder().string();
  auto started = run_detached(std::move(ready.plan), std::move(instance), std::move(ready.source.temporary));
  if (!started) return fail(started.error());
  if (!started->is_ready)
    note(fmt::format("{} runs, but its program did not start within {} s; see mortem logs {}", name,
                     kReadyMilliseconds / 1000, name));
  if (options.json)
    print_json("run", {{"name", name}, {"instance", folder}, {"monitor_pid", started->monitor}});
  else
    write_stdout(name + "\n");
  return kDone;
}

int run(RunOptions& options) {
  catch_interrupts();
  options.source = find_source(options.source).string();
  auto ready = prepare(options);
  if (!ready) return fail(ready.error());
  tell_of_dumps_left();
  auto instance = Instance::create(options.name, ready->source.base_name);
  if (!instance) return fail(instance.error());
  if (auto going = not_interrupted(); !going) {
    instance->remove();
    return fail("interrupted");
  }
  if (!options.record.empty()) {
    ready->plan.facts.name = instance->name();
    auto folder = RecordingFolder::create(options.record);
    auto recorder = folder ? folder->begin(ready->plan.machine, ready->plan.facts)
                           : Result<std::unique_ptr<Recorder>>(tl::unexpected(folder.error()));
    if (!recorder) {
      instance->remove();
      return fail(recorder.error());
    }
    ready->plan.recorder = std::move(*recorder);
  }
  return options.detach ? detach(options, std::move(*ready), std::move(*instance))
                        : run_in_foreground(options, std::move(*ready), std::move(*instance));
}

void add_run(Commands& commands) {
  CLI::App* verb = commands.add(
      nullptr, "run", "Boot a program or an image in a VM",
      "The program's output goes to stdout; exit status is its own, 128 + signal after a crash. A crash leaves a dump "
      "in\n"
      "the current folder and one line on stderr. What the program reads from stdin is ours, through a pipe.\n"
      "Ctrl-C sends SIGTERM to it, a second one ends the VM.\n"
      "Examples:\n"
      "  mortem run ./program -- --verbose input.txt\n"
      "  mortem run program.img --dump crash.core.zst\n"
      "  mortem run ./server -p 8080:80 --detach --name web     then: mortem logs web -f, mortem stop web");
  auto options = std::make_shared<RunOptions>();
  verb->add_option("SOURCE", options->source,
                   "PROGRAM (ELF, or its name in PATH), CONFIG.json, or an image of mortem image create")
      ->required();
  verb->add_option("-p,--port", options->ports,
                   "HOST:GUEST: a TCP port of this host that leads to one of the guest; /udp behind it for UDP, an "
                   "ADDRESS: before it to listen there (default: 127.0.0.1); may be repeated")
      ->allow_extra_args(false);
  verb->add_option(
          "--net", options->network,
          "user (behind QEMU, default), none, or tap=INTERFACE[,mac=ADDRESS][,address=ADDRESS/PREFIX][,gateway=ADDRESS]"
          "[,dns=ADDRESS][,mtu=BYTES]; without address= by DHCP")
      ->capture_default_str();
  verb->add_option("--name", options->name, "Name of the guest (default: from SOURCE)");
  verb->add_option("--memory", options->memory, "Memory of the guest (default: 256M, or as the image says)");
  verb->add_flag("--detach", options->detach, "Leave it running in the background");
  verb->add_option(
      "--on-crash", options->on_crash,
      "stop (default), reboot (default with --detach), or gdb: the program waits for gdb, its dump follows");
  verb->add_flag("--wait", options->wait, "Hold the program at its entry until gdb lets it go; see mortem gdb");
  verb->add_option("--dump", options->dump,
                   "File for the dump of a crash (default: NAME.core.zst); never overwritten: a number is added");
  verb->add_option(
          "--record", options->record,
          "New folder for a recording of the run: mortem replay runs it again, forwards and backwards. What the "
          "program reads from stdin is empty then")
      ->type_name("DIR");
  verb->add_flag("--no-dump", options->without_dump,
                 "Run an image whose slots are full, or that has none, though a crash would leave no dump");
  verb->add_flag("--keep-in-slot", options->keep_in_slot, "Leave dumps in the image that SOURCE is; see mortem pull");
  verb->add_option("--accel", options->accelerator, "auto, tcg or kvm")->capture_default_str();
  verb->add_option("--machine", options->machine, "q35 or pc")->capture_default_str();
  verb->add_option("--cpu", options->processor, "max or qemu64")->capture_default_str();
  verb->add_option("--kernel", options->kernel, "Kernel to boot (default: the one built with this command)");
  verb->add_option("--kernel-argument", options->kernel_arguments,
                   "KEY=VALUE for the kernel's command line; may be repeated")
      ->allow_extra_args(false);
  verb->add_flag("--log-console", options->log_console, "The kernel's log on the console too");
  add_packing_options(verb, options->packing);
  verb->add_flag("--json", options->json, "With --detach: print facts as JSON");
  commands.take_arguments_after_dashes(verb, &options->packing.arguments, &options->dashes);
  commands.on(verb, [options] { return run(*options); });
}

const VerbRegistration run_registration{20, {"run"}, add_run};

}  // namespace

}  // namespace mortem::tools
