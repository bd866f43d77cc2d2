#include "tools/qemu/machine.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "snapshot/format/control.h"
#include "tools/child_program.h"
#include "tools/files.h"
#include "tools/local_store.h"
#include "tools/qemu/qemu_option.h"

namespace mortem::tools {

namespace fs = std::filesystem;

namespace {

constexpr const char* kSmallFirmware = "qboot.rom";

}  // namespace

Result<fs::path> find_qemu() {
  if (auto found = find_program("qemu-system-x86_64")) return *found;
  return failure(ErrorKind::NotFound, "qemu-system-x86_64 is not installed: apt-get install qemu-system-x86");
}

namespace {

// Of a file that was not changed since: asking QEMU itself takes a sixth of a clone's start.
std::string version_key(const fs::path& qemu) {
  struct stat facts;
  if (stat(qemu.c_str(), &facts) != 0) return {};
  return fmt::format("{} {} {}.{:09}", qemu.string(), facts.st_size, facts.st_mtim.tv_sec, facts.st_mtim.tv_nsec);
}

std::string kept_version(const fs::path& cache, const std::string& key) {
  const auto text = read_text_file(cache, 8192);
  if (!text || key.empty() || !text->starts_with(key + "\n")) return {};
  const std::string version = text->substr(key.size() + 1, text->find('\n', key.size() + 1) - key.size() - 1);
  return version.find_first_not_of("0123456789.") == std::string::npos ? version : std::string();
}

}  // namespace

Result<std::string> qemu_version(const fs::path& qemu) {
  const fs::path cache = local_store() / "qemu-version";
  const std::string key = version_key(qemu);
  if (std::string kept = kept_version(cache, key); !kept.empty()) return kept;
  const auto run = TRY(
      run_program({.arguments = {qemu.string(), "--version"}, .environment = {}, .input = {}, .timeout_ms = 10000}));
  const std::string wanted = "version ";
  const size_t at = run.output.find(wanted);
  if (run.exit_status != 0 || at == std::string::npos)
    return failure(ErrorKind::System,
                   fmt::format("{} --version: {}", qemu.string(), last_line(run.errors + run.output)));
  const size_t start = at + wanted.size();
  const std::string version = run.output.substr(start, run.output.find_first_of(" \n", start) - start);
  std::error_code ignored;
  fs::create_directories(cache.parent_path(), ignored);
  (void)write_file_atomically(cache, key + "\n" + version + "\n");  // without it QEMU is asked each time
  return version;
}

bool has_small_firmware(const fs::path& qemu) {
  std::error_code ignored;
  const fs::path real = fs::canonical(qemu, ignored);
  for (const fs::path& prefix : {real.parent_path().parent_path(), fs::path("/usr"), fs::path("/usr/local")})
    if (access((prefix / "share" / "qemu" / kSmallFirmware).c_str(), R_OK) == 0) return true;
  return false;
}

Result<fs::path> find_kernel(const fs::path& given) {
  std::vector<fs::path> candidates = {given};
  if (given.empty()) {
    const fs::path here = program_folder();
    candidates = {here / "kernel" / "mortem-kernel.elf", here.parent_path() / "lib" / "mortem" / "mortem-kernel.elf"};
  }
  for (const fs::path& candidate : candidates)
    if (access(candidate.c_str(), R_OK) == 0) return fs::absolute(candidate);
  if (!given.empty()) return system_failure("cannot read", given);
  return failure(ErrorKind::NotFound,
                 fmt::format("no kernel at {}: build it (cmake --build), or --kernel FILE", candidates[0].string()));
}

namespace {

// Time by instructions, the log, and nothing that the host's clock or its order of events could get into: no eventfds
// (QEMU's main loop would serve them whenever it comes round), a clock of the guest's own.
std::vector<std::string> recorded_options(const RecordedExecution& recorded) {
  return {"-icount",
          fmt::format("shift={},rr={},rrfile={}", recorded.shift,
                      recorded.mode == Determinism::Record ? "record" : "replay", option_value(recorded.log.string())),
          "-rtc", fmt::format("base={},clock=vm", recorded.start_time),
          // Its reset, which is a part of loading a moment, waits for the processor's thread, and that at times for
          // what loads (hw/i386/kvmvapic.c).
          "-global", "apic-common.vapic=off",
          // At its end the guest stands still: where that was has to be asked for.
          "-no-shutdown", "-chardev", fmt::format("socket,id=keeper,fd={}", recorded.keeper), "-mon",
          "chardev=keeper,mode=control"};
}

std::vector<std::string> recorded_disk(const Machine& machine) {
  const RecordedExecution& recorded = machine.recorded;
  std::string file = fmt::format("driver={},node-name={},file.driver=file,file.filename={}", machine.image_format,
                                 kRecordedDiskNode, option_value(machine.image->string()));
  if (!recorded.overlay.empty())
    file = fmt::format(
        "driver=qcow2,node-name={},cache.no-flush=on,file.driver=file,file.filename={},backing.driver={},"
        "backing.read-only=on,backing.file.driver=file,backing.file.filename={}",
        kRecordedDiskNode, option_value(recorded.overlay.string()), machine.image_format,
        option_value(machine.image->string()));
  return {"-blockdev", file,
          "-blockdev", fmt::format("driver=blkreplay,node-name=disk,image={}", kRecordedDiskNode),
          "-device",   "virtio-blk-pci,id=blk,drive=disk,disable-legacy=on,ioeventfd=off"};
}

// The options of the ports, the disk and the network card of a guest that is recorded or replayed.
std::vector<std::string> recorded_devices(const Machine& machine) {
  const bool replays = machine.recorded.mode == Determinism::Replay;
  // What comes in at serial ports stands in the log; what goes out must always be taken at once, which a file does and
  // a pipe as far as the guest's few messages go. virtio-console has no port: after loading a moment of a replay, QEMU
  // would wait for a timer of it that is not in the log (hw/char/virtio-serial-bus.c).
  std::vector<std::string> line = {
      "-chardev", replays ? "file,id=control,path=/dev/null" : fmt::format("pipe,id=control,path={}", kControlPipe),
      "-chardev", "file,id=console,path=console.log",
      "-serial",  "chardev:console",
      "-serial",  "chardev:control"};
  auto add = [&](const std::vector<std::string>& more) { line.insert(line.end(), more.begin(), more.end()); };
  add({"-qmp", "unix:qmp,server=on,wait=off", "-gdb", "unix:qemu-gdb,server=on,wait=off"});
  add({"-device", "virtio-serial-pci,disable-legacy=on,max_ports=4,ioeventfd=off", "-device",
       "virtio-rng-pci,disable-legacy=on,ioeventfd=off"});
  if (machine.image)
    add(recorded_disk(machine));
  else if (replays)
    add({"-blockdev", fmt::format("driver=qcow2,node-name={},file.driver=file,file.filename={}", kRecordedDiskNode,
                                  option_value(machine.recorded.overlay.string()))});
  // When its gdb stub is first connected to, QEMU takes a snapshot of all disks if they let it, and waits for ever with
  // it for a flush of blkreplay's that is not in the log. A disk that cannot have one keeps it from trying; snapshots
  // of single nodes do not ask it.
  if (replays) add({"-blockdev", "driver=null-co,node-name=no-snapshots"});
  add(recorded_network_options(machine.network));
  return line;
}

}  // namespace

std::vector<std::string> qemu_command_line(const Machine& machine) {
  // Without q35's AHCI and SMBus controllers, which no guest uses, the firmware has a quarter less to do.
  const std::string type = (machine.type == "q35" ? "q35,sata=off,smbus=off" : machine.type) + ",memory-backend=pc.ram";
  // Not reserved: the host gives a page when the guest touches it, and a guest of 64 GiB may touch few.
  std::string memory = fmt::format("memory-backend-ram,id=pc.ram,reserve=off,size={}K", machine.memory >> 10);
  if (!machine.memory_file.empty())
    memory = fmt::format("memory-backend-file,id=pc.ram,reserve=off,share=off,mem-path={},size={}K",
                         option_value(machine.memory_file.string()), machine.memory >> 10);
  if (machine.recorded.memory >= 0)
    memory = fmt::format("memory-backend-file,id=pc.ram,share=on,mem-path=/proc/self/fd/{},size={}K",
                         machine.recorded.memory, machine.memory >> 10);
  std::vector<std::string> line = {machine.qemu.string(), "-name", option_value("mortem-" + machine.name), "-machine",
                                   type, "-accel", machine.accelerator, "-cpu", machine.processor,
                                   // maxcpus=2: with a single possible processor QEMU's TCG leaves memory barriers out,
                                   // while its device thread runs beside the guest; virtio interrupts get lost.
                                   "-smp", "1,maxcpus=2", "-m", fmt::format("{}K", machine.memory >> 10), "-object",
                                   memory, "-nodefaults", "-no-user-config", "-display", "none", "-kernel",
                                   (machine.recorded.boot.empty() ? machine.kernel : machine.recorded.boot).string(),
                                   "-append", machine.kernel_arguments};
  auto add = [&](std::initializer_list<std::string> more) { line.insert(line.end(), more); };
  if (machine.small_firmware) add({"-bios", kSmallFirmware});
  if (machine.exit_on_reset) add({"-no-reboot"});
  if (machine.incoming >= 0) add({"-incoming", fmt::format("fd:{}", machine.incoming), "-S"});
  if (machine.recorded.mode != Determinism::None) {
    for (const auto& options : {recorded_options(machine.recorded), recorded_devices(machine)})
      line.insert(line.end(), options.begin(), options.end());
    if (machine.recorded.mode == Determinism::Replay) add({"-S"});
    return line;
  }
  if (machine.control < 0) {  // a bare machine that prints to our pipe: the probe
    add({"-serial", "stdio", "-monitor", "none"});
    return line;
  }
  if (machine.console_on_stdout)
    add({"-chardev", "stdio,id=console,signal=off,logfile=console.log"});
  else
    add({"-chardev", "file,id=console,path=console.log"});
  add({"-serial", "chardev:console", "-qmp", "unix:qmp,server=on,wait=off", "-gdb",
       "unix:qemu-gdb,server=on,wait=off"});
  add({"-device", "virtio-serial-pci,id=ports,disable-legacy=on,max_ports=4,ioeventfd=off"});
  add({"-chardev", fmt::format("socket,id=control,fd={}", machine.control), "-device",
       fmt::format("virtserialport,bus=ports.0,nr=1,chardev=control,name={}", format::kControlPortName)});
  add({"-chardev", fmt::format("socket,id=stub,fd={},server=on,wait=off", machine.stub), "-device",
       fmt::format("virtserialport,bus=ports.0,nr=2,chardev=stub,name={}", format::kStubPortName)});
  if (machine.input >= 0)
    add({"-chardev", fmt::format("socket,id=input,fd={}", machine.input), "-device",
         fmt::format("virtserialport,bus=ports.0,nr=3,chardev=input,name={}", format::kInputPortName)});
  if (machine.input < 0 && machine.has_input)
    add({"-chardev", "null,id=input", "-device",
         fmt::format("virtserialport,bus=ports.0,nr=3,chardev=input,name={}", format::kInputPortName)});
  add({"-device", "virtio-rng-pci,disable-legacy=on"});
  if (machine.image) {
    // Else QEMU 7.2 opens the file anew when a copy of the guest's memory is complete, under the hands of the job that
    // copies the disk: a read then meets a closed descriptor, or one that is a socket meanwhile.
    const char* stays_open = access(machine.image->c_str(), W_OK) == 0 ? ",auto-read-only=off" : "";
    add({"-drive",
         fmt::format("if=none,id=disk,format={}{},cache=writeback{},file={}", machine.image_format,
                     machine.keeps_image ? "" : ",snapshot=on", machine.keeps_image ? stays_open : "",
                     option_value(machine.image->string())),
         "-device", "virtio-blk-pci,drive=disk,disable-legacy=on"});
  }
  for (const std::string& option : qemu_network_options(machine.network, machine.name)) line.push_back(option);
  return line;
}

}  // namespace mortem::tools
