// Instances: guests that run on this host, each a folder $XDG_RUNTIME_DIR/mortem/NAME (0700) with instance.json, the
// sockets qmp, gdb (the stub), qemu-gdb (QEMU's own) and control, console.log and qemu.log. Whoever looks after the
// guest (`mortem run`, or the monitor that --detach leaves) holds a lock on the folder; an instance is dead when nobody
// holds it and its QEMU is gone.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "snapshot/result.h"
#include "tools/files.h"

namespace mortem::tools {

struct ProcessIdentity {
  pid_t id = 0;
  uint64_t start_time = 0;  // clock ticks after boot (proc_pid_stat(5), field 22): tells a reused id
};
ProcessIdentity identify_process(pid_t id);  // start_time 0: there is none
bool is_running(const ProcessIdentity& process);

struct InstanceFacts {
  std::string name;
  ProcessIdentity qemu;
  ProcessIdentity keeper;           // the mortem that looks after it
  std::filesystem::path image;      // absolute
  std::filesystem::path temporary;  // folder to delete with the instance, empty: none
  std::string source;               // what was given to `run`
  std::string accelerator;          // tcg, kvm
  std::string on_crash;
  std::filesystem::path dump;  // where dumps go
  std::string program, program_id, kernel, kernel_id;
  uint64_t memory = 0;
  int64_t started = 0;  // Unix seconds
  bool detached = false;
  uint64_t crashes = 0;            // since it was started
  std::string last_crash;          // one line, empty: none
  std::vector<std::string> ports;  // HOST:GUEST
  std::string machine;             // JSON (machine_json.h), empty: of a replay, whose QEMUs come and go
  bool is_foreign = false;  // a copy of a guest that is not ours: QEMU's stub is at `gdb`, nobody listens at `control`
  bool is_replay() const { return machine.empty() && !is_foreign; }
};

// A name as it is allowed: letters, digits, `.`, `_`, `-`; begins with a letter or digit; at most 64 characters.
bool is_instance_name(const std::string& name);
std::string instance_name_from(const std::string& file_name);  // others become `-`

Result<std::filesystem::path> instances_folder();  // made if it is not there, checked for owner and mode

class Instance {
 public:
  // Makes and locks a new one. With `wanted` empty the name comes from `base`: base, base-2, …
  static Result<Instance> create(const std::string& wanted, const std::string& base);

  const std::string& name() const { return name_; }
  const std::filesystem::path& folder() const { return folder_; }
  Result<void> write(const InstanceFacts& facts) const;
  void remove();  // the folder and all in it
  // A copy of this process took it over (fork): leave the folder alone here.
  void disown() { lock_.reset(); }

 private:
  Instance(std::string name, std::filesystem::path folder, Descriptor lock)
      : name_(std::move(name)), folder_(std::move(folder)), lock_(std::move(lock)) {}
  std::string name_;
  std::filesystem::path folder_;
  Descriptor lock_;
};

struct RunningInstance {
  InstanceFacts facts;
  std::filesystem::path folder;
};
// All that live, by name; removes what is dead on the way, but for what died with a dump in its temporary image.
Result<std::vector<RunningInstance>> running_instances();
// Those, by name. They go once their dumps are pulled with --release.
Result<std::vector<RunningInstance>> instances_with_dumps();
// One line on stderr about each of them.
void tell_of_dumps_left();
// NotFound when there is none of that name.
Result<RunningInstance> find_instance(const std::string& name);

inline constexpr const char* kQemuGdbSocket = "qemu-gdb";
// A Unix stream socket in an instance's folder, whatever the length of its path.
Result<Descriptor> connect_to(const std::filesystem::path& folder, const std::string& socket);
// To the stub of a guest, or what stands for it. Unsupported: it is recorded, and nothing may come into it.
Result<void> check_for_stub(const RunningInstance& instance);
Result<Descriptor> connect_to_stub(const RunningInstance& instance);
Result<Descriptor> listen_at(const std::filesystem::path& folder, const std::string& socket);

}  // namespace mortem::tools
