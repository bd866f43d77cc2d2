// What every file system gives: inodes. The root is ext2's layout, read-only; small trees of ours stand in /dev, /proc,
// /sys and /tmp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernel/library/result.h"
#include "kernel/memory/physical.h"

namespace kernel {

enum class FileType : uint8_t {
  Regular,
  Directory,
  Symlink,
  CharacterDevice,
  BlockDevice,
  Fifo,
  Socket,
  Anonymous,  // no type at all, as Linux shows eventfd and its kin
};

struct InodeStatus {
  uint64_t device, inode;
  FileType type;
  uint16_t permissions;  // 07777 bits
  uint32_t links, user, group;
  uint64_t size;                         // bytes
  uint64_t blocks;                       // of 512 bytes
  uint64_t device_number;                // st_rdev
  int64_t access_s, modify_s, change_s;  // Unix time, seconds
};

class Inode;
// Called for each entry of a directory; returns false to stop. `name` has no NUL.
struct DirectoryEntry {
  const char* name;
  size_t name_length;
  uint64_t inode;
  FileType type;
  uint64_t next_cursor;  // give this to list() to go on behind the entry
};
using DirectoryVisitor = bool (*)(const DirectoryEntry& entry, void* context);

// Inodes are kept by their file system for as long as the guest runs (a root is small); pointers stay valid.
class Inode {
 public:
  virtual ~Inode() = default;
  virtual Result<InodeStatus> status() = 0;
  // Returns how many bytes were read; fewer than asked only at the end of the file.
  virtual Result<size_t> read(uint64_t offset, std::span<uint8_t> to) = 0;
  virtual Result<size_t> write(uint64_t offset, std::span<const uint8_t> from) {
    return (void)offset, (void)from, Error::ReadOnly;
  }
  virtual Result<Inode*> lookup(std::span<const char> name) { return (void)name, Error::NotDirectory; }
  virtual Result<void> list(uint64_t cursor, DirectoryVisitor visit, void* context) {
    return (void)cursor, (void)visit, (void)context, Error::NotDirectory;
  }
  virtual Result<size_t> read_link(std::span<char> to) { return (void)to, Error::Invalid; }
  // The page of the content that stands at `index` * 4096, for a mapping that sees what others write: it is retained
  // for the caller, who gives it back with free_pages. Zeros follow the end of the file; a page that lies wholly behind
  // it is Invalid. NotSupported: this file system keeps no pages, a mapping gets a copy of its own.
  enum class PageUse : uint8_t { Read, Write };  // Write: the caller will change it (it has to reach the disk)
  virtual Result<PhysicalAddress> shared_page(uint64_t index, PageUse use) {
    return (void)index, (void)use, Error::NotSupported;
  }
  // An open file begins and ends to hold it; for inodes that stand for something that goes away.
  virtual void opened() {}
  virtual void closed() {}

  // What changes a file system; the root refuses all of it. A symbolic link's target is written into it like bytes.
  virtual Result<Inode*> create(std::span<const char> name, FileType type, uint16_t permissions) {
    return (void)name, (void)type, (void)permissions, Error::ReadOnly;
  }
  virtual Result<void> remove_entry(std::span<const char> name) { return (void)name, Error::ReadOnly; }
  // `to` is a directory of the same file system; an entry of that name there is replaced.
  virtual Result<void> rename_entry(std::span<const char> name, Inode& to, std::span<const char> new_name) {
    return (void)name, (void)to, (void)new_name, Error::ReadOnly;
  }
  virtual Result<void> resize(uint64_t size) { return (void)size, Error::ReadOnly; }
  virtual Result<void> set_permissions(uint16_t permissions) { return (void)permissions, Error::ReadOnly; }
};

Result<Inode*> mount_ext2(class BlockDevice& device, uint64_t offset, uint64_t length);  // the root inode

// Path walk from `start` (or the root for an absolute path), at most 40 symbolic links (Linux: ELOOP), mount points
// for /dev, /proc, /sys and /tmp applied. `path` has no NUL.
enum class FollowLast : bool { No, Yes };
Result<Inode*> find_inode(Inode* start, std::span<const char> path, FollowLast follow);
Inode* root_inode();
void set_root_inode(Inode* root);
Result<void> mount_at(const char* name, Inode* root);  // name: a directory of the root, "dev"

// At boot, after drivers_initialize: finds the root partition of the disk (kRootPartitionType), or takes a disk that is
// one bare ext2 file system; makes it the root; mounts /dev. Each failure is logged with what to do about it.
Result<void> mount_root();

}  // namespace kernel
