// memfd_create: files in memory without a name in any file system.
#include "kernel/library/log.h"
#include "kernel/linux/calls.h"
#include "kernel/linux/files.h"
#include "kernel/linux/memory_file.h"

namespace kernel::linux {

MORTEM_CALL(memfd_create) {
  constexpr uint64_t kCloseOnExec = 1, kAllowSealing = 2;  // MFD_HUGETLB: there are no huge pages
  constexpr size_t kLongestName = 249;                     // NAME_MAX without "memfd:"
  if ((argument[1] & ~(kCloseOnExec | kAllowSealing)) != 0) return Error::Invalid;
  char name[kLongestName + 1];
  auto length = copy_string_from_user(name, argument[0], sizeof name);
  if (length.is_error()) return length.error() == Error::NameTooLong ? Error::Invalid : length.error();
  char path[sizeof name + 32];
  format_text(path, sizeof path, "/memfd:%s (deleted)", name);
  MemoryFile* file = TRY(make_memory_file(0777));
  const InodeHold hold(file);
  if ((argument[1] & kAllowSealing) != 0) file->allow_seals();
  return install(TRY(make_inode_file(*file, kOpenReadWrite, path)), (argument[1] & kCloseOnExec) != 0);
}

}  // namespace kernel::linux
