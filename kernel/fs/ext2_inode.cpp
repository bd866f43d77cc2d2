#include "kernel/arch/x86_64/interrupts.h"
#include "kernel/fs/ext2.h"
#include "kernel/library/log.h"

namespace kernel::ext2 {
namespace {

constexpr size_t kMaximumSymlinkSize = 4095;  // PATH_MAX without its NUL

// The device number of a device node: the old 16-bit form in the first word, else the new one in the second.
uint64_t device_number(const DiskInode& disk) {
  uint32_t major, minor;
  if (disk.block[0] != 0) {
    major = (disk.block[0] >> 8) & 0xFF;
    minor = disk.block[0] & 0xFF;
  } else {
    major = (disk.block[1] >> 8) & 0xFFF;
    minor = (disk.block[1] & 0xFF) | ((disk.block[1] >> 12) & 0xFFF00);
  }
  return (uint64_t{major & 0xFFF} << 8) | (minor & 0xFF) | (uint64_t{minor & ~0xFFu} << 12);
}

int64_t seconds_of(uint32_t low, uint32_t extra) {
  return static_cast<int32_t>(low) + (int64_t{extra & 3} << 32);
}

constexpr size_t kChangeExtraEnd = offsetof(ExtraInode, change_time) + 4,
                 kModifyExtraEnd = offsetof(ExtraInode, modify_time) + 4,
                 kAccessExtraEnd = offsetof(ExtraInode, access_time) + 4;

}  // namespace

// The words of a device number as Linux writes them: the short form where it suffices.
void put_device_number(DiskInode& disk, uint64_t number) {
  const auto major = static_cast<uint32_t>(number >> 8 & 0xFFF);
  const auto minor = static_cast<uint32_t>((number & 0xFF) | (number >> 12 & 0xFFF00));
  if (major < 256 && minor < 256) {
    disk.block[0] = major << 8 | minor;
  } else {
    disk.block[0] = 0;
    disk.block[1] = (minor & 0xFF) | major << 8 | (minor & ~0xFFu) << 12;
  }
}

FileType file_type_of_mode(uint16_t mode) {
  switch (mode & kTypeMask) {
    case kDirectory:
      return FileType::Directory;
    case kSymlink:
      return FileType::Symlink;
    case kCharacter:
      return FileType::CharacterDevice;
    case kBlock:
      return FileType::BlockDevice;
    case kFifo:
      return FileType::Fifo;
    case kSocket:
      return FileType::Socket;
    default:
      return FileType::Regular;
  }
}

uint16_t mode_of_file_type(FileType type) {
  constexpr uint16_t kModes[] = {kRegular, kDirectory, kSymlink, kCharacter, kBlock, kFifo, kSocket, kRegular};
  return kModes[static_cast<int>(type)];
}

void Ext2Inode::load(std::span<const uint8_t> bytes) {
  __builtin_memcpy(&disk_, bytes.data(), sizeof disk_);
  extra_ = {};
  if (bytes.size() < sizeof disk_ + sizeof extra_) return;
  __builtin_memcpy(&extra_, bytes.data() + sizeof disk_, sizeof extra_);
  // Words behind the size that the inode gives are not times.
  if (extra_.size < sizeof extra_)
    __builtin_memset(reinterpret_cast<uint8_t*>(&extra_) + (extra_.size < 4 ? 4 : extra_.size), 0,
                     sizeof extra_ - (extra_.size < 4 ? 4 : extra_.size));
}

Result<void> Ext2Inode::store() {
  auto bytes = TRY(volume_.modify_inode(number_));
  __builtin_memcpy(bytes.data(), &disk_, sizeof disk_);
  if (bytes.size() >= sizeof disk_ + sizeof extra_) {
    const size_t size = extra_.size < sizeof extra_ ? extra_.size : sizeof extra_;
    __builtin_memcpy(bytes.data() + sizeof disk_, &extra_, size);
  }
  changed_sequence_ = volume_.journal().running_sequence();
  was_changed_ = true;
  return {};
}

Result<void> Ext2Inode::store_sized() {
  TRY(store());
  sized_sequence_ = changed_sequence_;
  was_sized_ = true;
  return {};
}

void Ext2Inode::set_size(uint64_t size) {
  disk_.size = static_cast<uint32_t>(size);
  if (type() == kRegular) disk_.size_high = static_cast<uint32_t>(size >> 32);
}

void Ext2Inode::set_time(uint32_t& seconds, uint32_t& extra, int64_t now_ns, size_t extra_end) {
  int64_t whole = now_ns / 1'000'000'000, part = now_ns % 1'000'000'000;
  if (part < 0) part += 1'000'000'000, --whole;
  seconds = static_cast<uint32_t>(whole);
  if (extra_.size < extra_end) return;
  const auto epoch = static_cast<uint32_t>((whole - static_cast<int32_t>(whole)) >> 32 & 3);
  extra = static_cast<uint32_t>(part) << 2 | epoch;
}

void Ext2Inode::touch(Change change) {
  const int64_t now = wall_clock_ns();
  if (change != Change::Status) set_time(disk_.modify_time, extra_.modify_time, now, kModifyExtraEnd);
  set_time(disk_.change_time, extra_.change_time, now, kChangeExtraEnd);
}

Result<void> Ext2Inode::set_times(const NewTimes& times) {
  TRY(volume_.begin(1));
  if (times.access_ns) set_time(disk_.access_time, extra_.access_time, *times.access_ns, kAccessExtraEnd);
  if (times.modify_ns) set_time(disk_.modify_time, extra_.modify_time, *times.modify_ns, kModifyExtraEnd);
  touch(Change::Status);
  return store();
}

Result<void> Ext2Inode::set_permissions(uint16_t permissions) {
  TRY(volume_.begin(1));
  disk_.mode = static_cast<uint16_t>(type() | (permissions & 07777));
  touch(Change::Status);
  return store();
}

Result<void> Ext2Inode::set_owner(uint32_t user, uint32_t group) {
  TRY(volume_.begin(1));
  constexpr uint32_t kKeep = ~0u;
  if (user != kKeep) {
    disk_.user = static_cast<uint16_t>(user);
    disk_.user_high = static_cast<uint16_t>(user >> 16);
  }
  if (group != kKeep) {
    disk_.group = static_cast<uint16_t>(group);
    disk_.group_high = static_cast<uint16_t>(group >> 16);
  }
  // chown(2): what gave its runner the owner's rights does so no more, if it can be run at all.
  constexpr uint16_t kSetUser = 04000, kSetGroup = 02000, kGroupExecute = 010;
  if (!is_directory()) {
    disk_.mode &= static_cast<uint16_t>(~kSetUser);
    if ((disk_.mode & kGroupExecute) != 0) disk_.mode &= static_cast<uint16_t>(~kSetGroup);
  }
  touch(Change::Status);
  return store();
}

Result<void> Ext2Inode::sync(SyncKind kind) {
  return volume_.sync(this, kind);
}

void Ext2Inode::closed() {
  if (--open_count_ == 0 && disk_.links == 0) volume_.evict(*this);
}

Error Ext2Inode::damaged(const char* what) const {
  log(LogLevel::Warning, "ext2: inode %u: %s", number_, what);
  return Error::Io;
}

uint64_t Ext2Inode::size() const {
  // Only regular files have the upper half (a directory keeps something else there).
  return disk_.size | (type() == kRegular ? uint64_t{disk_.size_high} << 32 : 0);
}

Result<void> Ext2Inode::check() const {
  switch (type()) {
    case kFifo:
    case kCharacter:
    case kDirectory:
    case kBlock:
    case kRegular:
    case kSymlink:
    case kSocket:
      break;
    default:
      return damaged("not in use, or of a type that does not exist");
  }
  if (disk_.links == 0) return damaged("deleted, but a directory names it");
  if (disk_.flags & (kCompressed | kEncrypted | kExtents | kInlineData))
    return damaged("compressed, encrypted, with extents or with inline data: not supported");
  if (number_ == kRootInode && type() != kDirectory) return damaged("the root is not a directory");
  if (type() == kDirectory && (size() > volume_.bytes() || size() % volume_.block_size() != 0))
    return damaged("impossible size of a directory");
  if (type() == kSymlink && (size() == 0 || size() > kMaximumSymlinkSize))
    return damaged("impossible size of a symbolic link");
  return {};
}

Result<InodeStatus> Ext2Inode::status() {
  const bool device = type() == kCharacter || type() == kBlock;
  return InodeStatus{
      .device = 0x801,  // 8:1, as a first disk's first partition is known
      .inode = number_,
      .type = file_type_of_mode(disk_.mode),
      .permissions = static_cast<uint16_t>(disk_.mode & 07777),
      .links = disk_.links,
      .user = disk_.user | uint32_t{disk_.user_high} << 16,
      .group = disk_.group | uint32_t{disk_.group_high} << 16,
      .size = device ? 0 : size(),
      .blocks = disk_.sectors,
      .device_number = device ? device_number(disk_) : 0,
      .access_s = seconds_of(disk_.access_time, extra_.access_time),  // signed: 1901 to 2038, or to 2446
      .modify_s = seconds_of(disk_.modify_time, extra_.modify_time),
      .change_s = seconds_of(disk_.change_time, extra_.change_time),
      .access_ns = extra_.access_time >> 2,
      .modify_ns = extra_.modify_time >> 2,
      .change_ns = extra_.change_time >> 2,
  };
}

// A short target stands in the inode itself; then no block belongs to it but one of extended attributes.
bool Ext2Inode::is_fast_symlink() const {
  const uint32_t attribute_sectors = disk_.attribute_block != 0 ? volume_.block_size() / 512 : 0;
  return type() == kSymlink && size() < kFastSymlinkSize && disk_.sectors <= attribute_sectors;
}

Result<size_t> Ext2Inode::read_link(std::span<char> to) {
  if (type() != kSymlink) return Error::Invalid;
  const size_t length = size() < to.size() ? size() : to.size();
  if (is_fast_symlink()) {
    __builtin_memcpy(to.data(), disk_.block, length);
  } else {
    for (size_t at = 0; at < length;) {
      const Run run = TRY(map(at / volume_.block_size(), 1));
      if (run.block == 0) return damaged("hole in a symbolic link");
      const size_t part = length - at < volume_.block_size() ? length - at : volume_.block_size();
      __builtin_memcpy(to.data() + at, TRY(volume_.view(run.block)).data(), part);
      at += part;
    }
  }
  if (__builtin_memchr(to.data(), '\0', length) != nullptr) return damaged("NUL in a symbolic link");
  return length;
}

}  // namespace kernel::ext2
