#include "tools/qemu/clone_disks.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "tools/qemu/clone_guard.h"
#include "tools/qemu/empty_qcow2.h"

namespace mortem::tools {

using nlohmann::json;

namespace {

std::string job_name(size_t index) {
  return kCloneJob + std::to_string(index);
}
std::string node_name(size_t index) {
  return kCloneNode + std::to_string(index);
}

// Slow until the guest runs again: its first piece would else be copied inside of the pause.
constexpr int kSlowly = 1 << 16;

}  // namespace

Result<std::vector<ClonedDisk>> prepare_disks(Qmp& qmp, const std::filesystem::path& folder) {
  std::vector<ClonedDisk> disks;
  const json devices = TRY(qmp.execute("query-block"));
  for (const json& device : devices) {
    if (!device.contains("inserted") || device["inserted"].value("ro", true)) continue;
    const json& inserted = device["inserted"];
    ClonedDisk disk;
    disk.device = device.value("device", "");
    if (disk.device.empty()) disk.device = inserted.value("node-name", "");
    disk.size = inserted.at("image").value("virtual-size", uint64_t{0});
    const size_t index = disks.size();
    disk.name = index == 0 ? "disk.qcow2" : fmt::format("disk-{}.qcow2", index);
    disk.file = Descriptor(open((folder / disk.name).c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!disk.file) return system_failure("cannot write", folder / disk.name);
    TRY_VOID(write_empty_qcow2(disk.file.get(), disk.size));
    TRY(qmp.execute("add-fd", {{"fdset-id", kCloneFirstFdSet + int(index)}}, disk.file.get()));
    disks.push_back(std::move(disk));
  }
  return disks;
}

Result<void> begin_disks(Qmp& qmp, const std::vector<ClonedDisk>& disks) {
  if (disks.empty()) return {};
  json actions = json::array();
  for (size_t index = 0; index < disks.size(); ++index) {
    // Only now: a node that is there when the migration ends is made inactive with the guest's own.
    TRY_VOID(qmp.send(
        "blockdev-add",
        {{"driver", "qcow2"},
         {"node-name", node_name(index)},
         {"discard", "unmap"},
         {"cache", {{"no-flush", true}}},
         {"file", {{"driver", "file"}, {"filename", fmt::format("/dev/fdset/{}", kCloneFirstFdSet + int(index))}}}}));
    actions.push_back({{"type", "blockdev-backup"},
                       {"data",
                        {{"job-id", job_name(index)},
                         {"device", disks[index].device},
                         {"target", node_name(index)},
                         {"sync", "full"},
                         {"speed", kSlowly},
                         {"on-target-error", "report"},
                         {"auto-dismiss", false}}}});
  }
  return qmp.send("transaction", {{"actions", actions}});
}

Result<void> begun_disks(Qmp& qmp, const std::vector<ClonedDisk>& disks) {
  if (disks.empty()) return {};
  for (size_t index = 0; index < disks.size(); ++index) TRY(qmp.answer("blockdev-add"));
  TRY(qmp.answer("transaction"));
  return {};
}

Result<void> finish_disks(Qmp& qmp, const std::vector<ClonedDisk>& disks, const std::function<Result<void>()>& go_on) {
  for (size_t index = 0; index < disks.size(); ++index)  // one that has ended already refuses
    (void)qmp.execute("block-job-set-speed", {{"device", job_name(index)}, {"speed", 0}});
  for (size_t index = 0; index < disks.size(); ++index) {
    bool ended = false;
    while (!ended) {
      TRY_VOID(go_on());
      bool found = false;
      const json jobs = TRY(qmp.execute("query-jobs"));
      for (const json& job : jobs) {
        if (job.value("id", "") != job_name(index)) continue;
        found = true;
        if (job.value("status", "") != "concluded") continue;
        ended = true;
        const std::string error = job.value("error", "");
        TRY(qmp.execute("job-dismiss", {{"id", job_name(index)}}));
        if (!error.empty())
          return failure(ErrorKind::System, fmt::format("copying disk {}: {}", disks[index].device, error));
      }
      if (!found) return failure(ErrorKind::System, fmt::format("the copy of disk {} is gone", disks[index].device));
      if (!ended) TRY(qmp.next_event(20));
    }
    TRY(qmp.execute("blockdev-del", {{"node-name", node_name(index)}}));
    TRY(qmp.execute("remove-fd", {{"fdset-id", kCloneFirstFdSet + int(index)}}));
  }
  return {};
}

}  // namespace mortem::tools
