#include "tools/qemu/foreign_command.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "tools/output.h"
#include "tools/qemu/qemu_option.h"

namespace mortem::tools {

namespace fs = std::filesystem;

namespace {

// What becomes of an option of the original (QEMU's qemu-options.hx, 7.1 and newer).
enum class Treatment : uint8_t {
  Keep,      // as it is
  KeepWord,  // the same of one without a value
  File,      // its value is a file, which may be the clone's
  Drop,      // it is about the original's surroundings
  DropWord,
  Disk,     // -hda and the like
  Special,  // has its own function below
};

const std::map<std::string, Treatment>& treatments() {
  using enum Treatment;
  static const std::map<std::string, Treatment> all = [] {
    std::map<std::string, Treatment> table;
    const auto put = [&](Treatment what, std::initializer_list<const char*> names) {
      for (const char* name : names) table[name] = what;
    };
    put(Keep, {"cpu",       "accel",         "smp", "numa",     "global",          "rtc",    "smbios",
               "acpitable", "boot",          "vga", "uuid",     "fw_cfg",          "L",      "append",
               "m",         "overcommit",    "k",   "watchdog", "watchdog-action", "action", "soundhw",
               "compat",    "no-kvm-irqchip"});
    put(KeepWord, {"nodefaults", "no-user-config", "no-acpi", "no-hpet", "no-fd-bootchk", "enable-kvm", "usb",
                   "win2k-hack", "no-reboot", "no-shutdown"});
    put(File, {"kernel", "initrd", "dtb", "bios"});
    put(Drop, {"name",   "pidfile", "D",       "d",      "trace",    "dfilter",    "runas",  "chroot",   "incoming",
               "loadvm", "gdb",     "sandbox", "add-fd", "qmp",      "qmp-pretty", "mon",    "monitor",  "display",
               "vnc",    "spice",   "msg",     "echr",   "mem-path", "plugin",     "rotate", "run-with", "seed"});
    put(DropWord, {"S", "s", "daemonize", "snapshot", "curses", "full-screen", "alt-grab", "ctrl-grab", "no-frame",
                   "no-quit", "sdl", "portrait", "preconfig", "only-migratable", "singlestep", "mem-prealloc"});
    put(Disk, {"hda", "hdb", "hdc", "hdd", "cdrom", "fda", "fdb", "pflash"});
    put(Special, {"machine", "M", "drive", "blockdev", "netdev", "nic", "net", "chardev", "serial", "parallel",
                  "debugcon", "audiodev", "object", "device", "usbdevice", "icount", "nographic"});
    return table;
  }();
  return all;
}

tl::unexpected<Error> refuse(const std::string& what) {
  return failure(
      ErrorKind::Unsupported,
      fmt::format("its QEMU has {}, which a copy cannot have: it can be looked into (mortem bt), not started",
                  printable(what)));
}

struct Word {
  std::string name, value;  // without dashes; what stands alone is a disk: `hda`
  Treatment treatment;
};

Result<std::vector<Word>> words_of(const std::vector<std::string>& command) {
  std::vector<Word> words;
  for (size_t index = 0; index < command.size(); ++index) {
    const std::string& text = command[index];
    if (!text.starts_with('-')) {
      words.push_back({"hda", text, Treatment::Disk});
      continue;
    }
    const std::string name = text.substr(text.starts_with("--") ? 2 : 1);
    const auto known = treatments().find(name);
    if (known == treatments().end()) return refuse("-" + name);
    const bool is_word =
        known->second == Treatment::KeepWord || known->second == Treatment::DropWord || name == "nographic";
    if (!is_word && index + 1 == command.size())
      return failure(ErrorKind::BadInput, fmt::format("its QEMU's -{} has no value", name));
    words.push_back({name, is_word ? std::string() : command[++index], known->second});
  }
  return words;
}

// -hda FILE and its like, as the -drive that QEMU makes of it.
Result<QemuOption> drive_of(const Word& word) {
  if (word.name == "drive") return QemuOption::parse(word.value, "");
  QemuOption drive = TRY(QemuOption::parse("", ""));
  drive.set("file", word.value);
  if (word.name == "pflash") {
    drive.set("if", "pflash");
    drive.set("format", "raw");
  } else if (word.name == "cdrom") {
    drive.set("index", "2");
    drive.set("media", "cdrom");
  } else {
    if (word.name.starts_with("fd")) drive.set("if", "floppy");
    drive.set("index", std::to_string(word.name.back() - 'a'));
  }
  return drive;
}

bool is_drive(const Word& word) {
  return word.name == "drive" || word.treatment == Treatment::Disk;
}

// The names that QEMU gives to drives without one (blockdev.c, drive_new).
class DriveNames {
 public:
  explicit DriveNames(bool is_q35) : is_q35_(is_q35) {}

  std::string name_of(const QemuOption& drive) {
    const std::string interface = drive.get("if").value_or("ide");
    const unsigned units = interface == "ide" ? (is_q35_ ? 1 : 2) : interface == "scsi" ? 7 : 0;
    const auto number = [&](const char* key) { return unsigned(std::atoi(drive.get(key).value_or("0").c_str())); };
    unsigned bus = number("bus"), unit = number("unit");
    if (drive.get("index")) {
      bus = units ? number("index") / units : 0;
      unit = units ? number("index") % units : number("index");
    } else if (!drive.get("unit")) {
      while (taken_.contains({interface, bus, unit}))
        if (++unit == units) ++bus, unit = 0;
    }
    taken_.insert({interface, bus, unit});
    if (const auto id = drive.get("id")) return *id;
    const bool is_cdrom = drive.get("media").value_or("") == "cdrom";
    const char* const media = units == 0 ? "" : is_cdrom ? "-cd" : "-hd";
    return units ? fmt::format("{}{}{}{}", interface, bus, media, unit) : fmt::format("{}{}", interface, unit);
  }

 private:
  const bool is_q35_;
  std::set<std::tuple<std::string, unsigned, unsigned>> taken_;
};

class Rewriting {
 public:
  explicit Rewriting(const ForeignCopy& copy)
      : copy_(copy), drives_(copy.machine_type.find("q35") != std::string::npos) {
    constexpr std::string_view kPath = "/objects/";
    memory_is_path_ = copy.memory_block.starts_with(kPath);
    memory_id_ = memory_is_path_ ? copy.memory_block.substr(kPath.size()) : copy.memory_block;
  }

  Result<ForeignCommand> run(const std::vector<Word>& words) {
    begin();
    for (const Word& word : words) TRY_VOID(take(word));
    TRY_VOID(put_nodes());
    if (!has_network_ && !has_no_defaults_) add("-nic", user_network("user"));
    for (const ForeignDisk& disk : copy_.disks)
      if (!found_.contains(disk.name))
        return failure(
            ErrorKind::Unsupported,
            fmt::format("its disk {} is not on its QEMU's command line (plugged in later?): it can be looked "
                        "into (mortem bt), not started",
                        printable(disk.name)));
    return std::move(made_);
  }

 private:
  void add(const std::string& option, const std::string& value) {
    made_.line.push_back(option);
    made_.line.push_back(value);
  }

  void begin() {
    add("-name", option_value("mortem-" + copy_.name));
    add("-machine", fmt::format("{},memory-backend={}", copy_.machine_type, option_value(memory_id_)));
    add("-object",
        fmt::format("memory-backend-file,id={},reserve=off,share=off,mem-path={},size={}K{}", option_value(memory_id_),
                    option_value(copy_.memory_file.string()), copy_.memory_bytes >> 10,
                    memory_is_path_ ? "" : ",x-use-canonical-path-for-ramblock-id=off"));
    add("-display", "none");
    add("-monitor", "none");
    add("-qmp", "unix:qmp,server=on,wait=off");
    add("-gdb", "unix:gdb,server=on,wait=off");
    add("-incoming", fmt::format("fd:{}", copy_.state));
    made_.line.push_back("-S");
  }

  Result<void> take(const Word& word) {
    has_no_defaults_ |= word.name == "nodefaults";
    switch (word.treatment) {
      case Treatment::Keep:
        return keep(word);
      case Treatment::KeepWord:
        made_.line.push_back("-" + word.name);
        return {};
      case Treatment::File:
        add("-" + word.name, TRY(boot_file(word.value, word.name == "bios")));
        return {};
      case Treatment::Drop:
      case Treatment::DropWord:
        return {};
      case Treatment::Disk:
        return put_drive(TRY(drive_of(word)));
      case Treatment::Special:
        return special(word);
    }
    return {};
  }

  Result<void> special(const Word& word) {
    if (word.name == "machine" || word.name == "M") return put_machine(word.value);
    if (word.name == "drive") return put_drive(TRY(drive_of(word)));
    if (word.name == "netdev" || word.name == "nic" || word.name == "net") return put_network(word);
    if (word.name == "object") return put_object(word.value);
    if (word.name == "device" || word.name == "usbdevice") return put_device(word);
    if (word.name == "blockdev") {
      nodes_.push_back(TRY(QemuOption::parse(word.value, "driver")));
    } else if (word.name == "chardev" || word.name == "audiodev") {
      const QemuOption option = TRY(QemuOption::parse(word.value, word.name == "chardev" ? "backend" : "driver"));
      const auto id = option.get("id");
      if (!id) return failure(ErrorKind::BadInput, fmt::format("its QEMU's -{} has no id", word.name));
      add("-" + word.name, fmt::format("{},id={}", word.name == "chardev" ? "null" : "none", option_value(*id)));
    } else if (word.name == "icount") {
      QemuOption clock = TRY(QemuOption::parse(word.value, "shift"));
      clock.keep_only({"shift", "align", "sleep"});  // nothing is recorded
      add("-icount", clock.text());
    } else if (word.name == "nographic") {
      add("-machine", "graphics=off");
    } else if (word.value == "none" || word.value.starts_with("chardev:")) {
      add("-" + word.name, word.value);
    } else {
      const bool is_console = word.name == "serial" && !std::exchange(has_console_, true);
      add("-" + word.name, is_console ? "file:console.log" : "null");
    }
    return {};
  }

  Result<void> keep(const Word& word) {
    std::string value = word.value;
    if (word.name == "fw_cfg" || word.name == "smbios" || word.name == "acpitable") {
      QemuOption option = TRY(QemuOption::parse(value, word.name == "fw_cfg" ? "name" : ""));
      for (const char* key : {"file", "data"})
        if (const auto file = option.get(key)) option.set(key, TRY(boot_file(*file, false)));
      value = option.text();
    }
    add("-" + word.name, value);
    return {};
  }

  const fs::path* kept_file(const std::string& named) const {
    const auto found = std::ranges::find(copy_.boot_files, named, &std::pair<std::string, fs::path>::first);
    return found == copy_.boot_files.end() ? nullptr : &found->second;
  }

  // A kernel or firmware, whose content comes from the clone's folder. Firmware without a path is one of QEMU's own.
  Result<std::string> boot_file(const std::string& named, bool may_be_of_qemu) const {
    if (const fs::path* kept = kept_file(named)) return kept->string();
    if (may_be_of_qemu && named.find('/') == std::string::npos) return named;
    return failure(ErrorKind::NotFound,
                   fmt::format("its QEMU started with {}, which is not in the clone's folder", printable(named)));
  }

  // What the guest only reads, a CD: it stays where it is.
  std::string medium(const std::string& named) const {
    if (const fs::path* kept = kept_file(named)) return kept->string();
    const bool has_protocol = named.find(':') < named.find('/');  // nbd:…, json:…
    if (named.empty() || named.starts_with('/') || has_protocol) return named;
    return (copy_.folder / named).lexically_normal().string();
  }

  Result<void> put_machine(const std::string& value) {
    QemuOption machine = TRY(QemuOption::parse(value, "type"));
    for (const char* key : {"type", "memory-backend", "dumpdtb"}) machine.erase(key);
    if (const std::string text = machine.text(); !text.empty()) add("-machine", text);
    return {};
  }

  std::string disk_text(const ForeignDisk& disk) const {
    return fmt::format(
        "driver=qcow2,cache.no-flush=on,file.driver=file,file.filename={},backing.driver=qcow2,backing.read-only=on,"
        "backing.file.driver=file,backing.file.filename={}",
        option_value(disk.overlay.string()), option_value(disk.image.string()));
  }

  const ForeignDisk* find_disk(const std::string& name) {
    const auto found = std::ranges::find(copy_.disks, name, &ForeignDisk::name);
    if (found == copy_.disks.end()) return nullptr;
    found_.insert(name);
    return &*found;
  }

  Result<void> put_drive(QemuOption drive) {
    const std::string name = drives_.name_of(drive);
    const auto node = drive.get("node-name");
    const ForeignDisk* disk = find_disk(name);
    if (!disk && node) disk = find_disk(*node);
    if (disk) {
      drive.keep_only({"if", "id", "index", "bus", "unit", "media", "werror", "rerror", "node-name"});
      const std::string kept = drive.text();
      add("-drive", kept + (kept.empty() ? "" : ",") + disk_text(*disk));
      return {};
    }
    // Nothing that the guest could write to: the clone would have it. The copy must not write to it either.
    const bool is_firmware = drive.get("if").value_or("") == "pflash";
    for (const char* key : {"snapshot", "cache", "aio", "discard", "detect-zeroes"}) drive.erase(key);
    if (const auto file = drive.get("file"))
      drive.set("file", is_firmware ? TRY(boot_file(*file, false)) : medium(*file));
    for (const char* key : {"read-only", "readonly"}) drive.erase(key);
    drive.set("read-only", "on");
    if (is_firmware) drive.set("auto-read-only", "off");
    add("-drive", drive.text());
    return {};
  }

  // The graph of -blockdev: nodes of the clone's disks in the place of what they stood on.
  Result<void> put_nodes() {
    std::map<std::string, std::vector<std::string>> below;
    std::set<std::string> has_parent, stays;
    const auto name_of = [](const QemuOption& node) { return node.get("node-name").value_or(""); };
    for (const QemuOption& node : nodes_)
      for (const char* key : {"file", "backing", "data-file"})
        if (const auto child = node.get(key)) {
          below[name_of(node)].push_back(*child);
          has_parent.insert(*child);
        }
    const std::function<void(const std::string&)> keep = [&](const std::string& node) {
      if (find_disk(node) || !stays.insert(node).second) return;
      for (const std::string& child : below[node]) keep(child);
    };
    for (const QemuOption& node : nodes_)
      if (!has_parent.contains(name_of(node))) keep(name_of(node));
    for (QemuOption& node : nodes_) {
      const std::string name = name_of(node);
      if (const ForeignDisk* disk = find_disk(name)) {
        add("-blockdev", fmt::format("{},node-name={}", disk_text(*disk), option_value(name)));
        continue;
      }
      if (!stays.contains(name)) continue;
      if (const auto file = node.get("filename")) node.set("filename", medium(*file));
      for (const char* key : {"auto-read-only", "discard"}) node.erase(key);
      node.set_flag("read-only", true);
      add("-blockdev", node.text());
    }
    return {};
  }

  std::string user_network(const std::string& kept) {
    std::string text = kept + ",restrict=" + (copy_.reaches_host ? "off" : "on");
    if (!std::exchange(has_forwards_, true))
      for (const std::string& forward : copy_.forwards) text += ",hostfwd=" + forward;
    return text;
  }

  Result<void> put_network(const Word& word) {
    has_network_ = true;
    QemuOption network = TRY(QemuOption::parse(word.value, "type"));
    const std::string type = network.get("type").value_or("");
    const auto id = network.get("id");
    if (type == "none" || type == "hubport" || type == "nic") {
      add("-" + word.name, word.value);
      return {};
    }
    if (type.starts_with("vhost-"))
      return failure(ErrorKind::Unsupported,
                     fmt::format("its network is {}, whose state is another program's: it can be looked into (mortem "
                                 "bt), not started",
                                 printable(type)));
    if (word.name == "netdev" && id) made_.netdevs.push_back(*id);
    network.keep_only({"id", "model", "mac", "macaddr", "addr", "vectors", "net", "host", "dhcpstart", "dns", "ipv4",
                       "ipv6", "ipv6-net", "ipv6-host", "ipv6-dns", "ipv6-prefix", "ipv6-prefixlen", "queues", "fds"});
    if (type == "tap" || type == "bridge") {
      if (network.get("fds") || network.get("queues").value_or("1") != "1")
        return failure(ErrorKind::Unsupported,
                       "its network card has several queues: it can be looked into (mortem bt), not started");
      network.erase("queues");
      const std::string kept = network.plain_text();
      // It may send with the header that such a device takes, which QEMU's own network does not.
      add("-" + word.name, fmt::format("tap{}{},fd={}", kept.empty() ? "" : ",", kept, TRY(copy_.open_tap())));
      return {};
    }
    if (type != "user") network.keep_only({"id", "model", "mac", "macaddr", "addr", "vectors"});
    const std::string kept = network.plain_text();
    add("-" + word.name, user_network(kept.empty() ? "user" : "user," + kept));
    return {};
  }

  // As it is, unless it is a device of the host's: two guests would work with it.
  Result<void> put_device(const Word& word) {
    const QemuOption device = TRY(QemuOption::parse(word.value, "driver"));
    const std::string driver = device.get("driver").value_or(word.value);
    bool leads_out = false;
    for (const char* prefix : {"vfio-", "vhost-", "usb-host", "usb-mtp", "u2f-", "host:", "scsi-block", "scsi-generic",
                               "tpm-", "loader", "xen-"})
      leads_out |= driver.starts_with(prefix);
    for (const char* of_host : {"host", "sysfsdev", "hidraw", "rootdir", "file", "hostdevice", "hostbus"})
      leads_out |= device.get(of_host).has_value();
    if (leads_out) return refuse(fmt::format("-{} {}", word.name, driver));
    add("-" + word.name, word.value);
    return {};
  }

  Result<void> put_object(const std::string& value) {
    const QemuOption object = TRY(QemuOption::parse(value, "qom-type"));
    const std::string type = object.get("qom-type").value_or("");
    if (type.starts_with("memory-backend-") && object.get("id").value_or("") == memory_id_) return {};
    for (const char* prefix : {"secret", "tls-", "authz", "filter-", "input-", "colo-", "pr-manager"})
      if (type.starts_with(prefix)) return {};  // for what the copy does not have
    constexpr std::array kWithinQemu = {
        "iothread",    "main-loop",         "thread-context",           "rng-random",
        "rng-builtin", "rng-egd",           "throttle-group",           "memory-backend-ram",
        "can-bus",     "cryptodev-backend", "cryptodev-backend-builtin"};
    if (std::ranges::find(kWithinQemu, type) == kWithinQemu.end()) return refuse("-object " + type);
    add("-object", value);
    return {};
  }

  const ForeignCopy& copy_;
  ForeignCommand made_;
  DriveNames drives_;
  std::string memory_id_;
  std::vector<QemuOption> nodes_;
  std::set<std::string> found_;  // disks of the clone
  bool memory_is_path_ = false, has_no_defaults_ = false, has_network_ = false, has_console_ = false,
       has_forwards_ = false;
};

}  // namespace

Result<std::vector<std::string>> foreign_boot_files(const std::vector<std::string>& command) {
  std::vector<std::string> files;
  std::vector<QemuOption> nodes;
  std::set<std::string> flash;  // nodes that are firmware, and what they stand on
  for (const Word& word : TRY(words_of(command))) {
    if (word.treatment == Treatment::File) files.push_back(word.value);
    if (word.name == "fw_cfg" || word.name == "smbios" || word.name == "acpitable") {
      const QemuOption option = TRY(QemuOption::parse(word.value, word.name == "fw_cfg" ? "name" : ""));
      for (const char* key : {"file", "data"})
        if (const auto file = option.get(key)) files.push_back(*file);
    } else if (is_drive(word)) {
      const QemuOption drive = TRY(drive_of(word));
      if (const auto file = drive.get("file"); file && drive.get("if").value_or("") == "pflash") files.push_back(*file);
    } else if (word.name == "blockdev") {
      nodes.push_back(TRY(QemuOption::parse(word.value, "driver")));
    } else if (word.name == "machine" || word.name == "M") {
      const QemuOption machine = TRY(QemuOption::parse(word.value, "type"));
      for (const char* key : {"pflash0", "pflash1"})
        if (const auto node = machine.get(key)) flash.insert(*node);
    }
  }
  for (size_t round = 0; round < nodes.size(); ++round)  // a chain is no longer than that
    for (const QemuOption& node : nodes)
      if (flash.contains(node.get("node-name").value_or("")))
        if (const auto child = node.get("file")) flash.insert(*child);
  for (const QemuOption& node : nodes)
    if (const auto file = node.get("filename"); file && flash.contains(node.get("node-name").value_or("")))
      files.push_back(*file);
  return files;
}

Result<ForeignCommand> foreign_copy_command(const std::vector<std::string>& command, const ForeignCopy& copy) {
  return Rewriting(copy).run(TRY(words_of(command)));
}

}  // namespace mortem::tools
