#include "tools/qemu/new_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/random.h>
#include <unistd.h>

#include <cstdio>

#include "tools/files.h"

namespace mortem::tools {

namespace fs = std::filesystem;

Result<NewFolder> NewFolder::create(const fs::path& wanted) {
  std::error_code ignored;
  if (fs::exists(wanted, ignored))
    return failure(ErrorKind::BadInput, fmt::format("{}: exists already; give another name", wanted.string()));
  const fs::path absolute = fs::absolute(wanted).lexically_normal();
  if (!fs::is_directory(absolute.parent_path(), ignored))
    return failure(ErrorKind::NotFound, fmt::format("{}: there is no folder to make it in", wanted.string()));
  uint64_t number = 0;
  if (getrandom(&number, sizeof number, 0) != sizeof number) return system_failure("no random number for", wanted);
  return NewFolder(absolute.parent_path() / fmt::format(".{}.{:016x}", absolute.filename().string(), number), absolute);
}

NewFolder::~NewFolder() {
  std::error_code ignored;
  if (!path_.empty()) fs::remove_all(path_, ignored);
}

Result<void> NewFolder::commit() {
  if (renameat2(AT_FDCWD, path_.c_str(), AT_FDCWD, wanted_.c_str(), RENAME_NOREPLACE) != 0)
    return system_failure("cannot make", wanted_);
  path_.clear();
  return {};
}

}  // namespace mortem::tools
