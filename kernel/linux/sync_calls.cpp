// What was written reaches the disk: fsync and its kin.
#include "kernel/linux/calls.h"
#include "kernel/linux/files.h"

namespace kernel::linux {
namespace {

Result<uint64_t> sync_file(int descriptor, SyncKind kind) {
  OpenFile* file = TRY(open_file(descriptor));
  Inode* inode = file->inode();
  if (inode == nullptr || (file->flags() & kOpenPath) != 0)
    return inode == nullptr ? Error::Invalid : Error::BadDescriptor;
  const FileType type = TRY(inode->status()).type;
  if (type != FileType::Regular && type != FileType::Directory && type != FileType::BlockDevice) return Error::Invalid;
  const InodeHold hold(inode);  // another thread may close the descriptor meanwhile
  TRY(inode->sync(kind));
  return 0;
}

}  // namespace

MORTEM_CALL(fsync) {
  return sync_file(argument.number(0), SyncKind::Everything);
}
MORTEM_CALL(fdatasync) {
  return sync_file(argument.number(0), SyncKind::ContentAndSize);
}
MORTEM_CALL(syncfs) {
  OpenFile* file = TRY(open_file(argument.number(0)));
  if (file->inode() == nullptr) return 0;
  if (TRY(file->status()).device == TRY(root_inode()->status()).device) TRY(sync_root());
  return 0;
}
MORTEM_CALL(sync) {
  (void)sync_root().is_error();  // sync(2) has no errors
  return 0;
}
// Less than asked would be wrong, more is not: the whole file's content is written, and waited for.
MORTEM_CALL(sync_file_range) {
  constexpr uint32_t kWaitBefore = 1, kWrite = 2, kWaitAfter = 4;
  const auto offset = static_cast<int64_t>(argument[1]), length = static_cast<int64_t>(argument[2]);
  const auto flags = static_cast<uint32_t>(argument[3]);
  OpenFile* file = TRY(open_file(argument.number(0)));
  if ((flags & ~(kWaitBefore | kWrite | kWaitAfter)) != 0 || offset < 0 || length < 0 || length > INT64_MAX - offset)
    return Error::Invalid;
  const FileType type = TRY(file->status()).type;
  if (file->inode() == nullptr || (type != FileType::Regular && type != FileType::Directory &&
                                   type != FileType::BlockDevice && type != FileType::Symlink))
    return Error::IllegalSeek;
  const InodeHold hold(file->inode());
  if (flags != 0) TRY(file->inode()->sync(SyncKind::Content));
  return 0;
}

}  // namespace kernel::linux
