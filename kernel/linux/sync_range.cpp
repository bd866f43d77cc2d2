// sync_file_range(2): to begin to write some bytes of a file, or to have them written. Here it is the whole file, and
// only when the call is to wait for the end: nobody can tell whether writing has begun.
#include "kernel/linux/calls.h"
#include "kernel/linux/files.h"

namespace kernel::linux {

MORTEM_CALL(sync_file_range) {
  constexpr uint32_t kWaitBefore = 1, kWrite = 2, kWaitAfter = 4;
  OpenFile* file = TRY(open_file(argument.number(0)));
  const auto offset = static_cast<int64_t>(argument[1]), length = static_cast<int64_t>(argument[2]);
  const auto flags = static_cast<uint32_t>(argument[3]);
  int64_t end;
  if ((flags & ~(kWaitBefore | kWrite | kWaitAfter)) != 0 || offset < 0 || length < 0 ||
      __builtin_add_overflow(offset, length, &end))
    return Error::Invalid;
  const FileType type = TRY(file->status()).type;
  if (type != FileType::Regular && type != FileType::Directory) return Error::IllegalSeek;
  return (flags & kWaitAfter) != 0 ? call_fsync(argument) : 0;
}

}  // namespace kernel::linux
