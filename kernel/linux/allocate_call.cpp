// fallocate(2).
#include "kernel/linux/calls.h"
#include "kernel/linux/files.h"

namespace kernel::linux {

MORTEM_CALL(fallocate) {
  constexpr int kKeepSize = 1, kPunchHole = 2, kNoHideStale = 4, kCollapse = 8, kZero = 0x10, kInsert = 0x20,
                kUnshare = 0x40, kKnown = 0x7F;
  constexpr uint64_t kLargestFile = 0x7fff'ffff'ffff'ffff;
  const int mode = argument.number(1);
  const uint64_t offset = argument[2], length = argument[3];
  OpenFile& file = *TRY(open_file(argument.number(0)));
  if (static_cast<int64_t>(offset) < 0 || static_cast<int64_t>(length) <= 0) return Error::Invalid;
  if ((mode & ~kKnown) != 0 || (mode & (kNoHideStale | kCollapse | kZero | kInsert | kUnshare)) != 0)
    return Error::NotSupported;
  if ((mode & kPunchHole) != 0 && (mode & kKeepSize) == 0) return Error::NotSupported;
  if (!file.can_write()) return Error::BadDescriptor;
  Inode* inode = file.inode();
  const FileType type = TRY(file.status()).type;
  if (type == FileType::Fifo) return Error::IllegalSeek;
  if (type == FileType::Directory) return Error::IsDirectory;
  if (inode == nullptr || type != FileType::Regular) return Error::NoSuchDevice;
  if (length > kLargestFile - offset) return Error::FileTooLarge;
  const InodeHold hold(inode);
  if ((mode & kPunchHole) != 0) {
    TRY(inode->punch_hole(offset, length));
    return 0;
  }
  TRY(inode->allocate(offset, length));
  if ((mode & kKeepSize) == 0 && TRY(inode->status()).size < offset + length) TRY(inode->resize(offset + length));
  return 0;
}

}  // namespace kernel::linux
