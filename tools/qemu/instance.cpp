#include "tools/qemu/instance.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tools/output.h"
#include "tools/qemu/dump_collector.h"

namespace mortem::tools {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

namespace {

constexpr const char* kSchema = "mortem.instance/1";

std::string facts_to_json(const InstanceFacts& facts) {
  ordered_json document = {{"schema", kSchema},
                           {"name", facts.name},
                           {"pid", facts.qemu.id},
                           {"pid_start_time", facts.qemu.start_time},
                           {"keeper_pid", facts.keeper.id},
                           {"keeper_start_time", facts.keeper.start_time},
                           {"image", facts.image.string()},
                           {"temporary", facts.temporary.string()},
                           {"source", facts.source},
                           {"accelerator", facts.accelerator},
                           {"on_crash", facts.on_crash},
                           {"dump", facts.dump.string()},
                           {"program", facts.program},
                           {"program_id", facts.program_id},
                           {"kernel", facts.kernel},
                           {"kernel_id", facts.kernel_id},
                           {"memory_bytes", facts.memory},
                           {"started", facts.started},
                           {"detached", facts.detached},
                           {"crashes", facts.crashes},
                           {"last_crash", facts.last_crash},
                           {"ports", facts.ports},
                           {"foreign", facts.is_foreign},
                           {"machine", facts.machine.empty() ? ordered_json() : ordered_json::parse(facts.machine)}};
  return document.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

std::optional<InstanceFacts> facts_from_json(const std::string& text) {
  try {
    const ordered_json document = ordered_json::parse(text);
    if (document.at("schema") != kSchema) return std::nullopt;
    InstanceFacts facts;
    facts.name = document.at("name");
    facts.qemu = {document.at("pid"), document.at("pid_start_time")};
    facts.keeper = {document.at("keeper_pid"), document.at("keeper_start_time")};
    facts.image = document.at("image").get<std::string>();
    facts.temporary = document.at("temporary").get<std::string>();
    facts.source = document.at("source");
    facts.accelerator = document.at("accelerator");
    facts.on_crash = document.at("on_crash");
    facts.dump = document.at("dump").get<std::string>();
    facts.program = document.at("program");
    facts.program_id = document.at("program_id");
    facts.kernel = document.at("kernel");
    facts.kernel_id = document.at("kernel_id");
    facts.memory = document.at("memory_bytes");
    facts.started = document.at("started");
    facts.detached = document.at("detached");
    facts.crashes = document.at("crashes");
    facts.last_crash = document.at("last_crash");
    facts.ports = document.at("ports").get<std::vector<std::string>>();
    if (const auto machine = document.find("machine"); machine != document.end() && machine->is_object())
      facts.machine = machine->dump();
    facts.is_foreign = document.value("foreign", false);
    return facts;
  } catch (const ordered_json::exception&) {
    return std::nullopt;
  }
}

Result<Descriptor> lock_folder(const fs::path& folder) {
  Descriptor file(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!file) return system_failure("cannot open", folder);
  if (flock(file.get(), LOCK_EX | LOCK_NB) != 0) return failure(ErrorKind::Unavailable, folder.string() + ": in use");
  return file;
}

std::optional<InstanceFacts> read_facts(const fs::path& folder) {
  auto text = read_text_file(folder / "instance.json", 1 << 20);
  return text ? facts_from_json(*text) : std::nullopt;
}

void remove_instance(const fs::path& folder, const std::optional<InstanceFacts>& facts) {
  std::error_code ignored;
  // Only a folder that TemporaryFolder made, whatever instance.json says.
  if (facts && facts->temporary.filename().string().starts_with("mortem-")) fs::remove_all(facts->temporary, ignored);
  fs::remove_all(folder, ignored);
}

// The dump of a guest that was killed before it was taken out: nothing else holds it.
bool holds_dump(const std::optional<InstanceFacts>& facts) {
  return facts && !facts->temporary.empty() && find_unpulled_dump(facts->image);
}

struct Instances {
  std::vector<RunningInstance> running, with_dumps;  // by name
};
Result<Instances> look_at_instances() {
  const fs::path all = TRY(instances_folder());
  Instances found;
  std::error_code error;
  for (fs::directory_iterator at(all, error), end; !error && at != end; at.increment(error)) {
    const fs::path folder = at->path();
    auto facts = read_facts(folder);
    if (facts && is_running(facts->qemu)) {
      found.running.push_back({std::move(*facts), folder});
      continue;
    }
    auto lock = lock_folder(folder);
    if (!lock) continue;  // somebody is about to start it or to clean it up
    // Whoever held the lock may have written the file in between.
    facts = read_facts(folder);
    if (facts && is_running(facts->qemu))
      found.running.push_back({std::move(*facts), folder});
    else if (holds_dump(facts))
      found.with_dumps.push_back({std::move(*facts), folder});
    else
      remove_instance(folder, facts);
  }
  if (error) return failure(ErrorKind::System, fmt::format("cannot read {}: {}", all.string(), error.message()));
  for (auto* list : {&found.running, &found.with_dumps})
    std::sort(list->begin(), list->end(), [](auto& a, auto& b) { return a.facts.name < b.facts.name; });
  return found;
}

struct SocketName {
  Descriptor folder;
  sockaddr_un address{};
};
// Through /proc/self/fd, because a socket's path has room for 107 bytes only (unix(7)).
Result<SocketName> socket_name(const fs::path& folder, const std::string& socket) {
  SocketName name;
  name.folder = Descriptor(open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!name.folder) return system_failure("cannot open", folder);
  name.address.sun_family = AF_UNIX;
  const std::string path = fmt::format("/proc/self/fd/{}/{}", name.folder.get(), socket);
  std::strncpy(name.address.sun_path, path.c_str(), sizeof name.address.sun_path - 1);
  return name;
}

Result<Descriptor> unix_socket() {
  Descriptor file(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!file) return system_failure("cannot make", "a socket");
  return file;
}

}  // namespace

ProcessIdentity identify_process(pid_t id) {
  auto text = read_text_file(fmt::format("/proc/{}/stat", id));
  if (!text) return {id, 0};
  // The name in parentheses may hold anything, so count from its end: state is field 3.
  std::stringstream fields(text->substr(text->rfind(')') + 1));
  std::string state, field;
  fields >> state;
  if (state == "Z" || state == "X") return {id, 0};
  uint64_t start_time = 0;
  for (int number = 4; number < 22; ++number) fields >> field;
  fields >> start_time;
  return {id, start_time};
}

bool is_running(const ProcessIdentity& process) {
  return process.id > 0 && process.start_time != 0 && identify_process(process.id).start_time == process.start_time;
}

bool is_instance_name(const std::string& name) {
  return !name.empty() && name.size() <= 64 && std::isalnum(static_cast<unsigned char>(name[0])) &&
         instance_name_from(name) == name;
}

std::string instance_name_from(const std::string& file_name) {
  std::string name = file_name.substr(0, 60);  // room for "-2"
  for (char& character : name) {
    const bool letter = (character >= 'a' && character <= 'z') || (character >= 'A' && character <= 'Z') ||
                        (character >= '0' && character <= '9');
    if (!letter && character != '.' && character != '_' && character != '-') character = '-';
  }
  const size_t start = name.find_first_not_of(".-_");
  return start == std::string::npos ? std::string("guest") : name.substr(start);
}

Result<fs::path> instances_folder() {
  const char* runtime = std::getenv("XDG_RUNTIME_DIR");
  const fs::path by_user = fmt::format("/run/user/{}", getuid());
  std::error_code ignored;
  fs::path folder;
  if (runtime && *runtime == '/')
    folder = fs::path(runtime) / "mortem";
  else if (fs::is_directory(by_user, ignored))
    folder = by_user / "mortem";
  else
    folder = fmt::format("/tmp/mortem-{}", getuid());
  if (mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) return system_failure("cannot make", folder);
  struct stat facts;
  if (lstat(folder.c_str(), &facts) != 0) return system_failure("cannot read", folder);
  // In /tmp others could have made it first.
  if (!S_ISDIR(facts.st_mode) || facts.st_uid != getuid())
    return failure(ErrorKind::System, folder.string() + ": not a folder of yours; set XDG_RUNTIME_DIR to one");
  if ((facts.st_mode & 077) != 0 && chmod(folder.c_str(), 0700) != 0) return system_failure("cannot protect", folder);
  return folder;
}

Result<Instance> Instance::create(const std::string& wanted, const std::string& base) {
  if (!wanted.empty() && !is_instance_name(wanted))
    return failure(ErrorKind::BadInput,
                   fmt::format("--name '{}': letters, digits, '.', '_' and '-', at most 64, a letter or digit first",
                               printable(wanted)));
  TRY_VOID(running_instances().map([](auto&&) {}));  // what is dead gives its name back
  const fs::path all = TRY(instances_folder());
  for (int number = 1; number < 10000; ++number) {
    const std::string name = !wanted.empty() ? wanted : number == 1 ? base : fmt::format("{}-{}", base, number);
    const fs::path folder = all / name;
    if (mkdir(folder.c_str(), 0700) == 0) {
      auto lock = lock_folder(folder);
      if (lock) return Instance(name, folder, std::move(*lock));
      continue;  // `ps` of another terminal took it for dead just now
    }
    if (errno != EEXIST) return system_failure("cannot make", folder);
    if (wanted.empty()) continue;
    const auto left = TRY(instances_with_dumps());
    const bool dead = std::any_of(left.begin(), left.end(), [&](auto& one) { return one.facts.name == name; });
    return failure(
        ErrorKind::BadInput,
        dead ? fmt::format("a guest named {0} was killed and left a dump: mortem pull {0} --release, or another --name",
                           name)
             : fmt::format("a guest named {0} is running already: mortem stop {0}, or another --name", name));
  }
  return failure(ErrorKind::System, fmt::format("{}: no free name below {}", base, all.string()));
}

Result<void> Instance::write(const InstanceFacts& facts) const {
  return write_file_atomically(folder_ / "instance.json", facts_to_json(facts));
}

void Instance::remove() {
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
  lock_.reset();
}

Result<std::vector<RunningInstance>> running_instances() {
  return TRY(look_at_instances()).running;
}

Result<std::vector<RunningInstance>> instances_with_dumps() {
  return TRY(look_at_instances()).with_dumps;
}

void tell_of_dumps_left() {
  const auto left = instances_with_dumps();
  if (!left) return;
  for (const RunningInstance& instance : *left)
    note(fmt::format("{} was killed and left a dump in its image: mortem pull {} --release", instance.facts.name,
                     instance.facts.name));
}

Result<RunningInstance> find_instance(const std::string& name) {
  for (RunningInstance& instance : TRY(running_instances()))
    if (instance.facts.name == name) return std::move(instance);
  return failure(ErrorKind::NotFound, fmt::format("no guest named {} is running; see mortem ps", printable(name)));
}

Result<Descriptor> connect_to(const fs::path& folder, const std::string& socket) {
  const SocketName name = TRY(socket_name(folder, socket));
  Descriptor file = TRY(unix_socket());
  // Whoever hangs takes no connection: a few wait for him, the next one would wait for ever.
  const timeval patience{3, 0}, none{};
  setsockopt(file.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  if (connect(file.get(), reinterpret_cast<const sockaddr*>(&name.address), sizeof name.address) != 0) {
    if (errno == ECONNREFUSED)
      return failure(ErrorKind::NotFound, fmt::format("{}: nobody listens there", (folder / socket).string()));
    if (errno == EAGAIN)
      return failure(ErrorKind::System, fmt::format("{}: whoever listens there does not answer: does it hang?",
                                                    (folder / socket).string()));
    return system_failure("cannot connect to", folder / socket);
  }
  setsockopt(file.get(), SOL_SOCKET, SO_SNDTIMEO, &none, sizeof none);
  return file;
}

Result<void> check_for_stub(const RunningInstance& instance) {
  std::error_code ignored;
  if (fs::exists(instance.folder / "gdb", ignored)) return {};
  return failure(ErrorKind::Unsupported,
                 fmt::format("{0} is being recorded, and cannot be looked into meanwhile: mortem stop {0}, then mortem "
                             "replay its recording",
                             instance.facts.name));
}

Result<Descriptor> connect_to_stub(const RunningInstance& instance) {
  TRY_VOID(check_for_stub(instance));
  return connect_to(instance.folder, "gdb");
}

Result<Descriptor> listen_at(const fs::path& folder, const std::string& socket) {
  const SocketName name = TRY(socket_name(folder, socket));
  Descriptor file = TRY(unix_socket());
  // The mode is the socket's that it gets in the folder (unix(7)).
  if (fchmod(file.get(), 0600) != 0 ||
      bind(file.get(), reinterpret_cast<const sockaddr*>(&name.address), sizeof name.address) != 0 ||
      listen(file.get(), 8) != 0)
    return system_failure("cannot listen at", folder / socket);
  return file;
}

}  // namespace mortem::tools
