// Path walk, mount points and the mounting of the root.
#include <string_view>

#include "kernel/drivers/block_device.h"
#include "kernel/fs/device_files.h"
#include "kernel/fs/inode.h"
#include "kernel/library/log.h"
#include "kernel/memory/heap.h"
#include "snapshot/format/slot.h"

namespace kernel {
namespace {

constexpr size_t kMaximumPath = 4096;  // PATH_MAX, its NUL included
constexpr size_t kMaximumName = 255;
constexpr int kMaximumLinks = 40;
constexpr size_t kMaximumMounts = 8;

struct Mount {
  const char* name;  // in the root directory
  Inode* root;
};
Inode* g_root = nullptr;
Mount g_mounts[kMaximumMounts];
size_t g_mount_count = 0;

bool is_mount_root(const Inode* inode) {
  for (size_t index = 0; index < g_mount_count; ++index)
    if (g_mounts[index].root == inode) return true;
  return false;
}

Result<Inode*> step(Inode* directory, std::string_view name) {
  if (name.size() > kMaximumName) return Error::NameTooLong;
  if (name == ".." && (directory == g_root || is_mount_root(directory))) return g_root;
  if (directory == g_root)
    for (size_t index = 0; index < g_mount_count; ++index)
      if (name == g_mounts[index].name) return g_mounts[index].root;
  // "." of anything but a directory is an error too.
  return directory->lookup({name.data(), name.size()});
}

// The text of a link with the rest of the path behind it; grows a heap buffer only when there is a link.
class PendingPath {
 public:
  ~PendingPath() { heap_free(buffer_); }

  // Replaces `rest` by the target of `link`, a slash and `rest`.
  Result<std::string_view> expand(Inode& link, std::string_view rest) {
    if (buffer_ == nullptr) {
      buffer_ = static_cast<char*>(heap_allocate(2 * kMaximumPath));
      if (buffer_ == nullptr) return Error::NoMemory;
    }
    // `rest` may stand in one half of the buffer: the new path is made in the other.
    char* to = buffer_ + (upper_ ? 0 : kMaximumPath);
    upper_ = !upper_;
    size_t length = TRY(link.read_link({to, kMaximumPath}));
    if (length == 0) return Error::NoEntry;
    if (length + rest.size() >= kMaximumPath) return Error::NameTooLong;
    // `rest` starts with the slash behind the link's name, if anything stands there.
    if (!rest.empty()) __builtin_memcpy(to + length, rest.data(), rest.size());
    return std::string_view{to, length + rest.size()};
  }

 private:
  char* buffer_ = nullptr;
  bool upper_ = true;  // the half that is in use
};

Result<FileType> type_of(Inode* inode) {
  return TRY(inode->status()).type;
}

}  // namespace

Inode* root_inode() {
  return g_root;
}

void set_root_inode(Inode* root) {
  g_root = root;
}

Result<void> mount_at(const char* name, Inode* root) {
  for (size_t index = 0; index < g_mount_count; ++index) {
    if (std::string_view(g_mounts[index].name) != name) continue;
    g_mounts[index].root = root;
    return {};
  }
  if (g_mount_count == kMaximumMounts) return Error::NoSpace;
  g_mounts[g_mount_count++] = {name, root};
  return {};
}

Result<Inode*> find_inode(Inode* start, std::span<const char> path, FollowLast follow) {
  std::string_view rest{path.data(), path.size()};
  if (rest.empty()) return Error::NoEntry;
  if (rest.size() >= kMaximumPath) return Error::NameTooLong;
  PendingPath pending;
  int links = 0;
  Inode* at = rest.front() == '/' ? g_root : start;
  while (true) {
    if (at == nullptr) return Error::NoEntry;
    const size_t name_start = rest.find_first_not_of('/');
    if (name_start == rest.npos) {
      // Nothing left; slashes behind the last name ask for a directory.
      if (!rest.empty() && TRY(type_of(at)) != FileType::Directory) return Error::NotDirectory;
      return at;
    }
    rest.remove_prefix(name_start);
    size_t length = rest.find('/');
    if (length == rest.npos) length = rest.size();
    const std::string_view name = rest.substr(0, length);
    rest.remove_prefix(length);

    Inode* next = TRY(step(at, name));
    if (TRY(type_of(next)) == FileType::Symlink && (follow == FollowLast::Yes || !rest.empty())) {
      if (++links > kMaximumLinks) return Error::Loop;
      rest = TRY(pending.expand(*next, rest));
      if (rest.front() == '/') at = g_root;
      continue;
    }
    at = next;
  }
}

Result<void> mount_root() {
  BlockDevice* device = disk();
  if (device == nullptr) {
    log(LogLevel::Warning, "root: no disk; give the guest one (virtio-blk) that `mortem image create` made");
    return Error::NoDevice;
  }
  Partition partition{0, device->size()};
  if (auto found = find_partition(mortem::format::kRootPartitionType); found) {
    partition = found.value();
  } else if (found.error() != Error::NoDevice) {
    log(LogLevel::Warning, "root: the disk's partition table cannot be used (error %d); make the image again",
        static_cast<int>(found.error()));
    return found.error();
  } else {
    log(LogLevel::Info, "root: no root partition, taking the whole disk for a file system");
  }
  auto root = mount_ext2(*device, partition.offset, partition.length);
  if (root.is_error()) {
    log(LogLevel::Warning, "root: no usable file system at byte %lu of the disk (error %d); make the image again",
        static_cast<unsigned long>(partition.offset), static_cast<int>(root.error()));
    return root.error();
  }
  set_root_inode(root.value());
  return mount_at("dev", TRY(make_device_files()));
}

}  // namespace kernel
