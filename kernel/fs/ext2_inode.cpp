#include "kernel/fs/ext2.h"
#include "kernel/library/log.h"

namespace kernel::ext2 {
namespace {

constexpr size_t kFastSymlinkSize = sizeof(DiskInode::block);
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

}  // namespace

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
      .access_s = static_cast<int32_t>(disk_.access_time),  // signed: 1901 to 2038
      .modify_s = static_cast<int32_t>(disk_.modify_time),
      .change_s = static_cast<int32_t>(disk_.change_time),
  };
}

// Where the block `index` of the file is, and how many after it (at most `limit` in all) follow it on the disk.
Result<Ext2Inode::Run> Ext2Inode::map(uint64_t index, uint32_t limit) {
  const uint32_t each = volume_.block_size() / 4;
  std::span<const uint32_t> table{disk_.block, kDirectBlocks};
  if (index >= kDirectBlocks) {
    index -= kDirectBlocks;
    uint64_t covered = each;  // blocks below one pointer of the inode
    int depth = 1;
    while (index >= covered) {
      index -= covered;
      if (++depth > 3) return damaged("larger than three levels of block pointers reach");
      covered *= each;
    }
    uint32_t block = disk_.block[kDirectBlocks + depth - 1];
    for (;; --depth) {
      covered /= each;
      if (block == 0) {
        // Nothing below this pointer: a hole up to its end.
        const uint64_t left = covered * each - index;
        return Run{0, left < limit ? static_cast<uint32_t>(left) : limit};
      }
      table = TRY(volume_.pointers(block));
      if (depth == 1) break;
      block = table[index / covered];
      index %= covered;
    }
  }
  Run run{table[index], 1};
  if (run.block != 0) TRY(volume_.block_offset(run.block));
  while (run.count < limit && index + run.count < table.size()) {
    const uint32_t next = table[index + run.count];
    if (next != (run.block == 0 ? 0 : run.block + run.count)) break;
    if (next != 0) TRY(volume_.block_offset(next));
    ++run.count;
  }
  return run;
}

Result<size_t> Ext2Inode::read_data(uint64_t offset, std::span<uint8_t> to) {
  if (offset >= size()) return size_t{0};
  if (to.size() > size() - offset) to = to.first(size() - offset);
  const uint32_t block_size = volume_.block_size();
  size_t done = 0;
  // One read of the disk for as many blocks as stand side by side, also across tables of pointers.
  uint64_t start = 0, length = 0;
  const auto read_collected = [&]() -> Result<void> {
    if (length > 0) TRY(volume_.cache().read(start, to.subspan(done, length)));
    done += length;
    length = 0;
    return {};
  };
  while (done + length < to.size()) {
    const uint64_t at = offset + done + length;
    const size_t left = to.size() - done - length;
    const uint32_t in_block = at % block_size;
    const uint64_t blocks = (in_block + uint64_t{left} + block_size - 1) / block_size;
    const Run run = TRY(map(at / block_size, blocks < ~0u ? static_cast<uint32_t>(blocks) : ~0u));
    const uint64_t bytes = uint64_t{run.count} * block_size - in_block;
    const size_t part = bytes < left ? bytes : left;
    if (run.block == 0) {
      TRY(read_collected());
      __builtin_memset(to.data() + done, 0, part);
      done += part;
      continue;
    }
    const uint64_t place = uint64_t{run.block} * block_size + in_block;
    if (length == 0 || start + length != place) {
      TRY(read_collected());
      start = place;
    }
    length += part;
  }
  TRY(read_collected());
  return done;
}

Result<size_t> Ext2Inode::read(uint64_t offset, std::span<uint8_t> to) {
  if (type() == kDirectory) return Error::IsDirectory;
  if (type() != kRegular) return Error::Invalid;
  return read_data(offset, to);
}

Result<size_t> Ext2Inode::read_link(std::span<char> to) {
  if (type() != kSymlink) return Error::Invalid;
  const size_t length = size() < to.size() ? size() : to.size();
  // A short target stands in the inode itself; then no block belongs to it but one of extended attributes.
  const uint32_t attribute_sectors = disk_.attribute_block != 0 ? volume_.block_size() / 512 : 0;
  if (size() < kFastSymlinkSize && disk_.sectors <= attribute_sectors) {
    __builtin_memcpy(to.data(), disk_.block, length);
  } else {
    const size_t got = TRY(read_data(0, {reinterpret_cast<uint8_t*>(to.data()), length}));
    if (got != length) return damaged("symbolic link cut short");
  }
  if (__builtin_memchr(to.data(), '\0', length) != nullptr) return damaged("NUL in a symbolic link");
  return length;
}

}  // namespace kernel::ext2
