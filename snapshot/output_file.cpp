#include "snapshot/output_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace mortem::snapshot {
namespace {

Error exists_error(const std::filesystem::path& path) {
  return {ErrorKind::System,
          fmt::format("{}: exists already; give another name", path.string())};
}

}  // namespace

tl::unexpected<Error> OutputFile::system_failure(int error) const {
  return failure(ErrorKind::System, fmt::format("{}: {}", path_.string(), std::strerror(error)));
}

Result<OutputFile> OutputFile::create(const std::filesystem::path& path, Existing existing) {
  struct stat status {};
  if (stat(path.c_str(), &status) == 0) {
    if (!S_ISREG(status.st_mode))
      return failure(ErrorKind::System, fmt::format("{}: not a regular file: it is not replaced", path.string()));
    if (existing == Existing::Keep) return tl::unexpected(exists_error(path));
  }
  std::string temporary = (path.parent_path() / fmt::format(".{}.XXXXXX", path.filename().string())).string();
  const int descriptor = mkostemp(temporary.data(), O_CLOEXEC);  // makes it 0600
  if (descriptor < 0)
    return failure(ErrorKind::System, fmt::format("{}: cannot be made: {}", path.string(), std::strerror(errno)));
  return OutputFile(path, std::move(temporary), descriptor, existing);
}

OutputFile::OutputFile(OutputFile&& other) noexcept
    : path_(std::move(other.path_)),
      temporary_(std::exchange(other.temporary_, {})),
      descriptor_(std::exchange(other.descriptor_, -1)),
      existing_(other.existing_) {}

OutputFile::~OutputFile() {
  if (descriptor_ >= 0) close(descriptor_);
  if (!temporary_.empty()) unlink(temporary_.c_str());
}

Result<void> OutputFile::write(uint64_t offset, std::span<const uint8_t> bytes) {
  while (!bytes.empty()) {
    const ssize_t put = pwrite(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return system_failure(put < 0 ? errno : ENOSPC);
    bytes = bytes.subspan(static_cast<size_t>(put));
    offset += static_cast<uint64_t>(put);
  }
  return {};
}

Result<void> OutputFile::set_size(uint64_t size) {
  if (ftruncate(descriptor_, static_cast<off_t>(size)) != 0) return system_failure(errno);
  return {};
}

Result<void> OutputFile::synchronize() {
  if (fdatasync(descriptor_) != 0) return system_failure(errno);
  return {};
}

Result<void> OutputFile::commit() {
  const int closed = close(std::exchange(descriptor_, -1));
  if (closed != 0) return system_failure(errno);  // a network file system reports a full disk here
  if (existing_ == Existing::Replace) {
    if (rename(temporary_.c_str(), path_.c_str()) != 0) return system_failure(errno);
  } else if (renameat2(AT_FDCWD, temporary_.c_str(), AT_FDCWD, path_.c_str(), RENAME_NOREPLACE) != 0) {
    if (errno == EEXIST) return tl::unexpected(exists_error(path_));  // made by another meanwhile
    if (errno != EINVAL) return system_failure(errno);
    // A file system without RENAME_NOREPLACE: a hard link does not replace either.
    if (link(temporary_.c_str(), path_.c_str()) != 0)
      return errno == EEXIST ? tl::unexpected(exists_error(path_)) : system_failure(errno);
    unlink(temporary_.c_str());
  }
  temporary_.clear();
  return {};
}

}  // namespace mortem::snapshot
