#include "tools/qemu/clone_disks.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "tools/qemu/empty_qcow2.h"

namespace mortem::tools {

using nlohmann::json;

namespace {

// Of one disk's nodes.
constexpr const char *kCopy = "-copy", *kKept = "-kept", *kFilter = "-filter", *kMoment = "-moment",
                     *kBacking = "-backing", *kSized = "-sized";
// A host whose disk hangs must not hang the guest: it writes on, and the copy is broken.
constexpr int kLongestWriteSeconds = 10;

std::string node_name(size_t index, const char* which) {
  return kCloneNode + std::to_string(index) + which;
}
std::string job_name(size_t index) {
  return kCloneJob + std::to_string(index);
}
int copy_fdset(size_t index) {
  return kCloneFirstFdSet + 2 * int(index);
}
int kept_fdset(size_t index) {
  return copy_fdset(index) + 1;
}

json file_node(int fdset) {
  return {{"driver", "file"}, {"filename", fmt::format("/dev/fdset/{}", fdset)}};
}

Result<Descriptor> new_file(const std::filesystem::path& path) {
  Descriptor file(open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file) return system_failure("cannot write", path);
  return file;
}

// Until the job is over; its error is ours.
Result<void> wait_for_copy(Qmp& qmp, const std::string& name, const std::string& drive,
                           const std::function<Result<void>()>& go_on, const std::function<void(uint64_t)>& progress) {
  while (true) {
    TRY_VOID(go_on());
    bool is_there = false;
    const json jobs = TRY(qmp.execute("query-jobs"));
    for (const json& job : jobs) {
      if (job.value("id", "") != name) continue;
      is_there = true;
      progress(job.value("current-progress", uint64_t{0}));
      if (job.value("status", "") != "concluded") continue;
      std::string error = job.value("error", "");
      TRY(qmp.execute("job-dismiss", {{"id", name}}));
      if (error.empty()) return {};
      // How QEMU says that the filter could not keep what the guest overwrote.
      if (error == "Permission denied") error = "what the guest overwrites cannot be kept: is there space?";
      return failure(ErrorKind::System, fmt::format("copying disk {}: {}", drive, error));
    }
    if (!is_there) return failure(ErrorKind::System, fmt::format("the copy of disk {} is gone", drive));
    TRY(qmp.next_event(20));
  }
}

struct Backing {
  std::string node;
  uint64_t size = 0;
};

// The image below the topmost of a disk's chain, where that is no filter.
Result<std::optional<Backing>> backing_of(Qmp& qmp, const std::string& top) {
  const auto graph = qmp.execute("x-debug-query-block-graph");
  if (!graph) return std::nullopt;  // of another QEMU: as if there were none
  const auto name_of = [&](const json& id) {
    for (const json& node : graph->at("nodes"))
      if (node.at("id") == id) return node.value("name", "");
    return std::string();
  };
  Backing backing;
  for (const json& edge : graph->at("edges"))
    if (edge.at("name") == "backing" && name_of(edge.at("parent")) == top) backing.node = name_of(edge.at("child"));
  const json nodes = TRY(qmp.execute("query-named-block-nodes", {{"flat", true}}));
  for (const json& node : nodes)
    if (!backing.node.empty() && node.value("node-name", "") == backing.node)
      backing.size = node.at("image").value("virtual-size", uint64_t{0});
  return backing.size > 0 ? std::optional(backing) : std::nullopt;
}

using Progress = std::function<void(uint64_t)>;
using GoOn = std::function<Result<void>()>;

Result<void> run_copy(Qmp& qmp, size_t index, const std::string& drive, const char* from, const char* to,
                      const char* what, const GoOn& go_on, const Progress& progress) {
  TRY(qmp.execute("blockdev-backup", {{"job-id", job_name(index)},
                                      {"device", node_name(index, from)},
                                      {"target", node_name(index, to)},
                                      {"sync", what},
                                      {"auto-dismiss", false}}));
  return wait_for_copy(qmp, job_name(index), drive, go_on, progress);
}

// Nobody writes there. It may be shorter or longer than the disk: a `raw` node on each side cuts it to what is in both.
Result<void> copy_backing(Qmp& qmp, size_t index, const ClonedDisk& disk, const Backing& backing, const GoOn& go_on,
                          const Progress& progress) {
  json from = {
      {"driver", "raw"}, {"node-name", node_name(index, kBacking)}, {"read-only", true}, {"file", backing.node}};
  json to = {{"driver", "raw"}, {"node-name", node_name(index, kSized)}, {"file", node_name(index, kCopy)}};
  if (backing.size > disk.drive.size) from["size"] = disk.drive.size;
  if (backing.size < disk.drive.size) to["size"] = backing.size;
  for (const json& node : {from, to}) TRY(qmp.execute("blockdev-add", node));
  TRY_VOID(run_copy(qmp, index, disk.drive.name, kBacking, kSized, "full", go_on, progress));
  for (const char* which : {kBacking, kSized})
    TRY(qmp.execute("blockdev-del", {{"node-name", node_name(index, which)}}));
  return {};
}

// Of a chain of images in two parts: what stands below its topmost, and over it what that holds itself. Through its
// filter QEMU (7.2 to 9.0 at least, cbw_co_snapshot_block_status) sees the topmost alone, and would read all that was
// never written there, byte by byte and without letting the guest have a turn: seconds for each GiB of it.
Result<void> copy_disk(Qmp& qmp, size_t index, const ClonedDisk& disk, const GoOn& go_on, const Progress& progress) {
  const auto backing = TRY(backing_of(qmp, disk.drive.node));
  TRY(qmp.execute("blockdev-add", {{"driver", "qcow2"},
                                   {"node-name", node_name(index, kCopy)},
                                   {"discard", "unmap"},
                                   {"cache", {{"no-flush", true}}},
                                   {"file", file_node(copy_fdset(index))}}));
  if (backing) TRY_VOID(copy_backing(qmp, index, disk, *backing, go_on, progress));
  TRY(qmp.execute(
      "blockdev-add",
      {{"driver", "snapshot-access"}, {"node-name", node_name(index, kMoment)}, {"file", node_name(index, kFilter)}}));
  return run_copy(qmp, index, disk.drive.name, kMoment, kCopy, backing ? "top" : "full", go_on, progress);
}

}  // namespace

Result<std::vector<GuestDrive>> guest_drives(Qmp& qmp) {
  std::vector<GuestDrive> drives;
  const json devices = TRY(qmp.execute("query-block"));
  for (const json& device : devices) {
    // Without a device of the guest's nobody writes to it.
    if (!device.contains("inserted") || device["inserted"].value("ro", true) || !device.contains("qdev")) continue;
    const json& inserted = device["inserted"];
    GuestDrive drive;
    drive.device = device["qdev"];
    drive.node = inserted.at("node-name");
    if (drive.node.starts_with(kCloneNode))
      return failure(ErrorKind::Unavailable, "another clone of this guest is under way");
    drive.name = device.value("device", "");
    if (drive.name.empty()) drive.name = drive.node;
    drive.size = inserted.at("image").value("virtual-size", uint64_t{0});
    drives.push_back(std::move(drive));
  }
  if (drives.size() > kMostCloneFdSets / 2)
    return failure(ErrorKind::Unsupported, fmt::format("a guest of {} disks", drives.size()));
  return drives;
}

Result<std::vector<ClonedDisk>> prepare_disks(Qmp& qmp, const std::vector<GuestDrive>& drives,
                                              const std::filesystem::path& folder) {
  std::vector<ClonedDisk> disks;
  for (const GuestDrive& drive : drives) {
    const size_t index = disks.size();
    ClonedDisk disk;
    disk.drive = drive;
    disk.name = index == 0 ? "disk.qcow2" : fmt::format("disk-{}.qcow2", index);
    disk.file = TRY(new_file(folder / disk.name));
    TRY_VOID(write_empty_qcow2(disk.file.get(), drive.size));
    const auto kept = folder / (disk.name + ".kept");
    disk.kept = TRY(new_file(kept));
    unlink(kept.c_str());
    if (ftruncate(disk.kept.get(), off_t(drive.size)) != 0) return system_failure("cannot write", kept);
    TRY(qmp.execute("add-fd", {{"fdset-id", copy_fdset(index)}}, disk.file.get()));
    TRY(qmp.execute("add-fd", {{"fdset-id", kept_fdset(index)}}, disk.kept.get()));
    disks.push_back(std::move(disk));
  }
  return disks;
}

Result<void> begin_disks(Qmp& qmp, const std::vector<ClonedDisk>& disks) {
  for (size_t index = 0; index < disks.size(); ++index) {
    // Only now: a node that is there when the migration ends is made inactive with the guest's own.
    json kept = file_node(kept_fdset(index));
    kept["node-name"] = node_name(index, kKept);
    kept["cache"] = {{"no-flush", true}};
    TRY_VOID(qmp.send("blockdev-add", kept));
    TRY_VOID(qmp.send("blockdev-add", {{"driver", "copy-before-write"},
                                       {"node-name", node_name(index, kFilter)},
                                       {"file", disks[index].drive.node},
                                       {"target", node_name(index, kKept)},
                                       {"on-cbw-error", "break-snapshot"},
                                       {"cbw-timeout", kLongestWriteSeconds}}));
    TRY_VOID(qmp.send(
        "qom-set", {{"path", disks[index].drive.device}, {"property", "drive"}, {"value", node_name(index, kFilter)}}));
  }
  return {};
}

Result<void> begun_disks(Qmp& qmp, const std::vector<ClonedDisk>& disks) {
  Result<void> all;
  for (size_t index = 0; index < disks.size(); ++index)
    for (const char* command : {"blockdev-add", "blockdev-add", "qom-set"})
      if (auto answer = qmp.answer(command); !answer && all) all = tl::unexpected(answer.error());
  return all;
}

Result<void> finish_disks(Qmp& qmp, const std::vector<ClonedDisk>& disks, const std::function<Result<void>()>& go_on,
                          const std::function<void(uint64_t)>& progress) {
  uint64_t before = 0;
  for (size_t index = 0; index < disks.size(); ++index) {
    TRY_VOID(copy_disk(qmp, index, disks[index], go_on, [&](uint64_t done) { progress(before + done); }));
    before += disks[index].drive.size;
    TRY_VOID(take_filters_away(qmp, {disks[index].drive}));
    for (const char* which : {kFilter, kKept, kCopy})
      TRY(qmp.execute("blockdev-del", {{"node-name", node_name(index, which)}}));
    for (const int fdset : {copy_fdset(index), kept_fdset(index)}) TRY(qmp.execute("remove-fd", {{"fdset-id", fdset}}));
  }
  return {};
}

Result<void> take_filters_away(Qmp& qmp, const std::vector<GuestDrive>& drives) {
  // While something reads the moment, the filter lets nobody else write to the disk.
  const json nodes = TRY(qmp.execute("query-named-block-nodes", {{"flat", true}}));
  for (const json& node : nodes) {
    const std::string name = node.value("node-name", "");
    if (name.starts_with(kCloneNode) && name.ends_with(kMoment))
      TRY(qmp.execute("blockdev-del", {{"node-name", name}}));
  }
  const json devices = TRY(qmp.execute("query-block"));
  for (const json& device : devices) {
    if (!device.contains("inserted") || !device.contains("qdev")) continue;
    const std::string node = device["inserted"].value("node-name", "");
    if (!node.starts_with(kCloneNode)) continue;
    for (const GuestDrive& drive : drives)
      if (device["qdev"] == drive.device)
        TRY(qmp.execute("qom-set", {{"path", drive.device}, {"property", "drive"}, {"value", drive.node}}));
  }
  return {};
}

}  // namespace mortem::tools
