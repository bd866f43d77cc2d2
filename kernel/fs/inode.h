// What every file system gives: inodes. The root is ext3; small trees of ours stand in /dev, /proc, /sys and /tmp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
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
  uint32_t access_ns = 0, modify_ns = 0, change_ns = 0;
};

// statfs(2), in blocks of `block_size` bytes.
struct FileSystemFacts {
  uint64_t block_size, blocks, free_blocks, inodes, free_inodes;
  bool read_only;
};

// Unix time; nothing: it stays as it is.
struct NewTimes {
  std::optional<int64_t> access_ns, modify_ns;
};

// Content: what was written. ContentAndSize: also what it takes to find it (fdatasync). Everything: fsync.
enum class SyncKind : uint8_t { Content, ContentAndSize, Everything };

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

// Inodes are kept by their file system for as long as the guest runs (a root is small); pointers stay valid. One whose
// last name and last opener are gone may become another file of the same number.
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
  // The same page if it is in memory already (retained for the caller); 0: it is not, or is none. Never waits: a fault
  // on one page maps its neighbours too.
  virtual PhysicalAddress cached_page(uint64_t index) { return (void)index, 0; }
  // An open file or a mapping begins and ends to hold it; for inodes that stand for something that goes away.
  virtual void opened() {}
  virtual void closed() {}

  // What changes a file system; by default it is refused. `device_number`: of a device node.
  virtual Result<Inode*> create(std::span<const char> name, FileType type, uint16_t permissions) {
    return (void)name, (void)type, (void)permissions, Error::ReadOnly;
  }
  virtual Result<Inode*> create_symlink(std::span<const char> name, std::span<const char> target) {
    Inode* link = TRY(create(name, FileType::Symlink, 0777));
    TRY(link->write(0, {reinterpret_cast<const uint8_t*>(target.data()), target.size()}));
    return link;
  }
  virtual Result<Inode*> create_device(std::span<const char> name, FileType type, uint16_t permissions,
                                       uint64_t device_number) {
    return (void)name, (void)type, (void)permissions, (void)device_number, Error::NotPermitted;
  }
  virtual Result<Inode*> create_unnamed(uint16_t permissions) { return (void)permissions, Error::NotSupported; }
  // One more name for a file of the same file system.
  virtual Result<void> add_link(std::span<const char> name, Inode& inode) {
    return (void)name, (void)inode, Error::NotPermitted;
  }
  virtual Result<void> remove_entry(std::span<const char> name) { return (void)name, Error::ReadOnly; }
  // `to` is a directory of the same file system; an entry of that name there is replaced.
  virtual Result<void> rename_entry(std::span<const char> name, Inode& to, std::span<const char> new_name) {
    return (void)name, (void)to, (void)new_name, Error::ReadOnly;
  }
  enum class RenameMode : uint8_t { NoReplace, Exchange };
  virtual Result<void> rename_entry_as(RenameMode mode, std::span<const char> name, Inode& to,
                                       std::span<const char> new_name) {
    if (mode == RenameMode::Exchange) return Error::Invalid;
    if (to.lookup(new_name)) return Error::Exists;
    return rename_entry(name, to, new_name);
  }
  // fallocate(2): room for [offset, offset + length), zeros where nothing was; the size stays. NoSpace changes nothing.
  virtual Result<void> allocate(uint64_t offset, uint64_t length) {
    return (void)offset, (void)length, Error::NotSupported;
  }
  virtual Result<void> punch_hole(uint64_t offset, uint64_t length) {
    return (void)offset, (void)length, Error::NotSupported;
  }
  // From `offset`, which is below the size: where data, or a hole, begins (lseek(2): SEEK_DATA, SEEK_HOLE); at the
  // latest the end of the file.
  virtual uint64_t next_data(uint64_t offset, uint64_t size) { return (void)size, offset; }
  virtual uint64_t next_hole(uint64_t offset, uint64_t size) { return (void)offset, size; }
  // fcntl(2): F_SEAL_...; only files in memory have them.
  virtual Result<uint32_t> seals() { return Error::Invalid; }
  virtual Result<void> add_seals(uint32_t seals) { return (void)seals, Error::Invalid; }
  // Where the pages of a file in memory stand, for the crash path.
  virtual const class PageTree* memory() const { return nullptr; }
  virtual Result<void> resize(uint64_t size) { return (void)size, Error::ReadOnly; }
  virtual Result<void> set_permissions(uint16_t permissions) { return (void)permissions, Error::ReadOnly; }
  // ~0: stays as it is. Owners exist in name only: everything runs as root.
  virtual Result<void> set_owner(uint32_t user, uint32_t group) { return (void)user, (void)group, Result<void>(); }
  virtual Result<void> set_times(const NewTimes& times) { return (void)times, Result<void>(); }
  // Returns when it is on the disk; where there is no disk, at once.
  virtual Result<void> sync(SyncKind kind) { return (void)kind, Result<void>(); }
  virtual Result<FileSystemFacts> file_system() { return Error::NoSyscall; }
};

// Holds an inode for as long as a call works with it; null is allowed.
class InodeHold {
 public:
  explicit InodeHold(Inode* inode) : inode_(inode) {
    if (inode_ != nullptr) inode_->opened();
  }
  ~InodeHold() {
    if (inode_ != nullptr) inode_->closed();
  }
  InodeHold(const InodeHold&) = delete;
  InodeHold& operator=(const InodeHold&) = delete;

 private:
  Inode* inode_;
};

Result<Inode*> mount_ext2(class BlockDevice& device, uint64_t offset, uint64_t length);  // the root inode
// All that was changed on the root is on the disk. Unmount: and nothing changes it any more; for a clean end.
Result<void> sync_root();
void unmount_root();
// In a guest that was resumed from a dump: what the dump does not hold is read again, and a disk that is not as the
// dump left it is not written to.
void resume_root();
// Pages of its files that are in memory, and of those what is not on the disk yet.
struct CachedPages {
  uint64_t all, dirty;
};
CachedPages cached_pages();

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
