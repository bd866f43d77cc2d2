// What there is to know about files, and directories' entries.
#include <string_view>

#include "kernel/linux/calls.h"
#include "kernel/linux/files.h"
#include "kernel/linux/socket.h"
#include "kernel/memory/heap.h"
#include "kernel/memory/physical.h"

namespace kernel::linux {
namespace {

struct Stat {  // struct stat of x86-64
  uint64_t device, inode, links;
  uint32_t mode, user, group, padding;
  uint64_t device_number;
  int64_t size, block_size, blocks;
  TimeSpecification access, modify, change;
  int64_t unused[3];
};
static_assert(sizeof(Stat) == 144);

struct StatxTime {
  int64_t seconds;
  uint32_t nanoseconds, padding;
};
struct Statx {  // struct statx
  uint32_t mask, block_size;
  uint64_t attributes;
  uint32_t links, user, group;
  uint16_t mode, padding;
  uint64_t inode, size, blocks, attributes_mask;
  StatxTime access, birth, change, modify;
  uint32_t device_number_major, device_number_minor, device_major, device_minor;
  uint64_t spare[14];
};
static_assert(sizeof(Statx) == 256);

constexpr int64_t kBlockSize = 4096;

uint32_t mode_of(const InodeStatus& status) {
  constexpr uint32_t kTypes[] = {0100000, 0040000, 0120000, 0020000, 0060000, 0010000, 0140000, 0};  // S_IF*
  return kTypes[static_cast<int>(status.type)] | status.permissions;
}

Result<uint64_t> write_stat(const InodeStatus& status, uint64_t to) {
  const Stat out{.device = status.device,
                 .inode = status.inode,
                 .links = status.links,
                 .mode = mode_of(status),
                 .user = status.user,
                 .group = status.group,
                 .padding = 0,
                 .device_number = status.device_number,
                 .size = static_cast<int64_t>(status.size),
                 .block_size = kBlockSize,
                 .blocks = static_cast<int64_t>(status.blocks),
                 .access = {status.access_s, status.access_ns},
                 .modify = {status.modify_s, status.modify_ns},
                 .change = {status.change_s, status.change_ns},
                 .unused = {}};
  TRY(write_user(to, out));
  return 0;
}

Result<InodeStatus> status_at(int directory, uint64_t user_path, int flags) {
  UserPath path;
  TRY(path.read(user_path));
  if (path.empty() && (flags & kAtEmptyPath) != 0) {
    if (directory == kAtWorkingDirectory) return working_directory().inode->status();
    return TRY(open_file(directory))->status();
  }
  const FollowLast follow = (flags & kAtNoFollow) != 0 ? FollowLast::No : FollowLast::Yes;
  // /dev/stdout and its like lead to open files that have no name.
  if (follow == FollowLast::Yes && path.length() > 4 && path.text()[0] == '/' &&
      (std::string_view(path.text()).starts_with("/dev/") || std::string_view(path.text()).starts_with("/proc/"))) {
    char resolved[kMaximumPath];
    TRY(resolve_path(directory, path.text(), follow, resolved));
    if (const int descriptor = descriptor_of_path(resolved); descriptor >= 0)
      return TRY(open_file(descriptor))->status();
  }
  return TRY(find_user_inode(directory, path, follow))->status();
}

Result<uint64_t> check_access(int directory, uint64_t user_path, int mode, int flags) {
  constexpr int kExecute = 1, kWrite = 2, kRead = 4;
  if ((mode & ~(kExecute | kWrite | kRead)) != 0) return Error::Invalid;
  const InodeStatus status = TRY(status_at(directory, user_path, flags));
  if ((mode & kWrite) != 0 && status.device == TRY(root_inode()->status()).device) {
    // Writing to what is only a name for a device or a pipe changes no file system.
    const bool is_content =
        status.type == FileType::Regular || status.type == FileType::Directory || status.type == FileType::Symlink;
    if (is_content && TRY(root_inode()->file_system()).read_only) return Error::ReadOnly;
  }
  // As root on Linux: everything but executing a file that nobody may execute.
  if ((mode & kExecute) != 0 && status.type != FileType::Directory && (status.permissions & 0111) == 0)
    return Error::AccessDenied;
  return 0;
}

Result<uint64_t> read_link_at(int directory, uint64_t user_path, uint64_t to, uint64_t size) {
  if (static_cast<int64_t>(size) <= 0) return Error::Invalid;
  UserPath path;
  TRY(path.read(user_path));
  Inode* inode;
  if (path.empty() && directory != kAtWorkingDirectory) {
    inode = TRY(open_file(directory))->inode();
    if (inode == nullptr) return Error::NoEntry;
  } else {
    inode = TRY(find_user_inode(directory, path, FollowLast::No));
  }
  char target[kMaximumPath];
  const size_t length = TRY(inode->read_link(target));
  const size_t count = length < size ? length : size;
  TRY(copy_to_user(to, target, count));
  return count;
}

// linux_dirent64 entries into one kernel buffer.
struct EntryWriter {
  uint8_t* buffer;
  size_t size, used;
  uint64_t next_cursor;
  bool too_small;
};

bool add_entry(const DirectoryEntry& entry, void* context) {
  auto& writer = *static_cast<EntryWriter*>(context);
  constexpr size_t kHeader = 19;  // d_ino, d_off, d_reclen, d_type
  const size_t length = (kHeader + entry.name_length + 1 + 7) & ~size_t{7};
  if (length > writer.size - writer.used) {
    writer.too_small = writer.used == 0;
    return false;
  }
  constexpr uint8_t kTypes[] = {8, 4, 10, 2, 6, 1, 12};  // DT_*
  uint8_t* to = writer.buffer + writer.used;
  __builtin_memset(to, 0, length);
  __builtin_memcpy(to, &entry.inode, 8);
  __builtin_memcpy(to + 8, &entry.next_cursor, 8);
  const auto short_length = static_cast<uint16_t>(length);
  __builtin_memcpy(to + 16, &short_length, 2);
  to[18] = kTypes[static_cast<int>(entry.type)];
  __builtin_memcpy(to + kHeader, entry.name, entry.name_length);
  writer.used += length;
  writer.next_cursor = entry.next_cursor;
  return true;
}

struct FileSystemStatus {  // struct statfs
  int64_t type, block_size;
  uint64_t blocks, free, available, files, free_files;
  int32_t id[2];
  int64_t name_length, fragment_size, flags, spare[4];
};
static_assert(sizeof(FileSystemStatus) == 120);

Result<uint64_t> write_statfs(Inode* inode, uint64_t to) {
  constexpr int64_t kExt2 = 0xEF53, kProc = 0x9fa0, kTmpfs = 0x01021994, kReadOnlyFlag = 1, kValidFlag = 0x20;
  FileSystemStatus out{};
  out.block_size = out.fragment_size = kBlockSize;
  out.name_length = 255;
  const uint64_t device = inode != nullptr ? TRY(inode->status()).device : 0;
  if (inode != nullptr && device == TRY(root_inode()->status()).device) {
    const FileSystemFacts facts = TRY(inode->file_system());
    constexpr int64_t kNoAccessTimes = 0x400;
    out.type = kExt2;
    out.flags = kValidFlag | kNoAccessTimes | (facts.read_only ? kReadOnlyFlag : 0);
    out.block_size = out.fragment_size = static_cast<int64_t>(facts.block_size);
    out.blocks = facts.blocks;
    out.free = out.available = facts.free_blocks;
    out.files = facts.inodes;
    out.free_files = facts.free_inodes;
  } else if (inode != nullptr && (is_tmpfs(device) || inode->memory() != nullptr)) {
    const FileSystemFacts facts = TRY(inode->file_system());
    out.type = kTmpfs;
    out.flags = kValidFlag;
    out.blocks = facts.blocks;
    out.free = out.available = facts.free_blocks;
    out.files = facts.inodes;
    out.free_files = facts.free_inodes;
  } else {
    out.type = kProc;
    out.flags = kValidFlag;
  }
  TRY(write_user(to, out));
  return 0;
}

}  // namespace

MORTEM_CALL(stat) {
  return write_stat(TRY(status_at(kAtWorkingDirectory, argument[0], 0)), argument[1]);
}
MORTEM_CALL(lstat) {
  return write_stat(TRY(status_at(kAtWorkingDirectory, argument[0], kAtNoFollow)), argument[1]);
}
MORTEM_CALL(fstat) {
  return write_stat(TRY(TRY(open_file(argument.number(0)))->status()), argument[1]);
}
MORTEM_CALL(newfstatat) {
  constexpr int kNoAutomount = 0x800;
  if ((argument.number(3) & ~(kAtNoFollow | kAtEmptyPath | kNoAutomount)) != 0) return Error::Invalid;
  return write_stat(TRY(status_at(argument.number(0), argument[1], argument.number(3))), argument[2]);
}

MORTEM_CALL(statx) {
  constexpr int kNoAutomount = 0x800, kForceSync = 0x2000, kDontSync = 0x4000;
  constexpr uint32_t kReserved = 0x80000000;
  const int flags = argument.number(2);
  if ((flags & ~(kAtNoFollow | kAtEmptyPath | kNoAutomount | kForceSync | kDontSync)) != 0 ||
      (flags & (kForceSync | kDontSync)) == (kForceSync | kDontSync) || (argument[3] & kReserved) != 0)
    return Error::Invalid;
  const InodeStatus status = TRY(status_at(argument.number(0), argument[1], argument.number(2)));
  constexpr uint32_t kBasicStats = 0x7FF;
  Statx out{};
  out.mask = kBasicStats;
  out.block_size = kBlockSize;
  out.links = status.links;
  out.user = status.user;
  out.group = status.group;
  out.mode = static_cast<uint16_t>(mode_of(status));
  out.inode = status.inode;
  out.size = status.size;
  out.blocks = status.blocks;
  out.access.seconds = status.access_s;
  out.change.seconds = status.change_s;
  out.modify.seconds = status.modify_s;
  out.access.nanoseconds = status.access_ns;
  out.change.nanoseconds = status.change_ns;
  out.modify.nanoseconds = status.modify_ns;
  out.device_number_major = static_cast<uint32_t>(status.device_number >> 8 & 0xFFF);
  out.device_number_minor = static_cast<uint32_t>(status.device_number & 0xFF);
  out.device_major = static_cast<uint32_t>(status.device >> 8 & 0xFFF);
  out.device_minor = static_cast<uint32_t>(status.device & 0xFF);
  TRY(write_user(argument[4], out));
  return 0;
}

MORTEM_CALL(access) {
  return check_access(kAtWorkingDirectory, argument[0], argument.number(1), 0);
}
MORTEM_CALL(faccessat) {
  return check_access(argument.number(0), argument[1], argument.number(2), 0);
}
MORTEM_CALL(faccessat2) {
  return check_access(argument.number(0), argument[1], argument.number(2), argument.number(3));
}

MORTEM_CALL(readlink) {
  return read_link_at(kAtWorkingDirectory, argument[0], argument[1], argument[2]);
}
MORTEM_CALL(readlinkat) {
  return read_link_at(argument.number(0), argument[1], argument[2], argument[3]);
}

MORTEM_CALL(getdents64) {
  OpenFile* file = TRY(open_file(argument.number(0)));
  if (file->inode() == nullptr || TRY(file->status()).type != FileType::Directory) return Error::NotDirectory;
  constexpr size_t kLargest = 32768;
  const size_t size = argument[2] < kLargest ? argument[2] : kLargest;
  auto* buffer = static_cast<uint8_t*>(heap_allocate(size + 8));
  if (buffer == nullptr) return Error::NoMemory;
  constexpr int kSet = 0, kCurrent = 1;
  auto cursor = file->seek(0, kCurrent);
  EntryWriter writer{buffer, size, 0, cursor ? cursor.value() : 0, false};
  auto listed = file->inode()->list(writer.next_cursor, add_entry, &writer);
  const uint64_t used = writer.used;
  const auto copied = copy_to_user(argument[1], buffer, used);
  heap_free(buffer);
  TRY(listed);
  if (writer.too_small) return Error::Invalid;
  if (copied.is_error()) return Error::Fault;
  TRY(file->seek(static_cast<int64_t>(writer.next_cursor), kSet));
  return used;
}

MORTEM_CALL(getcwd) {
  const char* path = working_directory().path;
  const size_t size = __builtin_strlen(path) + 1;
  if (size > argument[1]) return Error::Range;
  TRY(copy_to_user(argument[0], path, size));
  return size;
}
MORTEM_CALL(chdir) {
  UserPath path;
  TRY(path.read(argument[0]));
  if (path.empty()) return Error::NoEntry;
  TRY(change_directory(path.text()));
  return 0;
}
MORTEM_CALL(fchdir) {
  OpenFile* file = TRY(open_file(argument.number(0)));
  if (TRY(file->status()).type != FileType::Directory) return Error::NotDirectory;
  TRY(change_directory(file->path()));
  return 0;
}

MORTEM_CALL(statfs) {
  UserPath path;
  TRY(path.read(argument[0]));
  return write_statfs(TRY(find_user_inode(kAtWorkingDirectory, path, FollowLast::Yes)), argument[1]);
}
MORTEM_CALL(fstatfs) {
  return write_statfs(TRY(open_file(argument.number(0)))->inode(), argument[1]);
}

MORTEM_CALL(fadvise64) {
  constexpr int kLastAdvice = 5;  // POSIX_FADV_NOREUSE
  const FileType type = TRY(TRY(open_file(argument.number(0)))->status()).type;
  if (type == FileType::Fifo) return Error::IllegalSeek;
  if (static_cast<int64_t>(argument[2]) < 0 || argument.number(3) < 0 || argument.number(3) > kLastAdvice)
    return Error::Invalid;
  return 0;
}
MORTEM_CALL(readahead) {
  OpenFile* file = TRY(open_file(argument.number(0)));
  if ((file->flags() & kOpenAccessMask) == kOpenWriteOnly || (file->flags() & kOpenPath) != 0)
    return Error::BadDescriptor;
  const FileType type = TRY(file->status()).type;
  if (type != FileType::Regular && type != FileType::BlockDevice) return Error::Invalid;
  return 0;
}

MORTEM_CALL(ioctl) {
  constexpr uint32_t kBytesUnsent = 0x5411, kBytesAvailable = 0x541B, kNonBlocking = 0x5421, kCloseOnExec = 0x5451,
                     kNoCloseOnExec = 0x5450;
  Descriptor* found = descriptor_at(argument.number(0));
  if (found == nullptr) return Error::BadDescriptor;
  switch (static_cast<uint32_t>(argument[1])) {
    case kBytesAvailable:
      TRY(write_user(argument[2], TRY(found->file->bytes_available())));
      return 0;
    case kBytesUnsent:
      TRY(write_user(argument[2], TRY(found->file->bytes_unsent())));
      return 0;
    case kNonBlocking: {
      const bool on = TRY(read_user<int32_t>(argument[2])) != 0;
      const int flags = found->file->flags();
      found->file->set_status_flags(on ? flags | kOpenNonBlock : flags & ~kOpenNonBlock);
      return 0;
    }
    case kCloseOnExec:
      found->close_on_exec = true;
      return 0;
    case kNoCloseOnExec:
      found->close_on_exec = false;
      return 0;
    default:
      if (found->file->kind() == OpenFileKind::Socket)
        return static_cast<Socket*>(found->file)->control(static_cast<uint32_t>(argument[1]), argument[2]);
      return Error::NotTerminal;  // nothing here is a terminal
  }
}

}  // namespace kernel::linux
