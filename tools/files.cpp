#include "tools/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <vector>

namespace mortem::tools {

namespace fs = std::filesystem;

void Descriptor::reset() {
  if (number_ >= 0) close(std::exchange(number_, -1));
}

void close_descriptors_but(std::vector<int> kept) {
  auto close_between = [](int first, int last) {
    if (first > last || close_range(unsigned(first), unsigned(last), 0) == 0) return;
    for (int number = first; number <= std::min(last, 65535); ++number) close(number);
  };
  int first = STDERR_FILENO + 1;
  std::sort(kept.begin(), kept.end());
  for (const int one : kept) {
    if (one < first) continue;
    close_between(first, one - 1);
    first = one + 1;
  }
  close_between(first, std::numeric_limits<int>::max());
}

tl::unexpected<Error> system_failure(std::string_view what, const fs::path& path, int number) {
  return failure(number == ENOENT ? ErrorKind::NotFound : ErrorKind::System,
                 fmt::format("{} {}: {}", what, path.string(), std::strerror(number)));
}

Result<std::string> read_text_file(const fs::path& path, size_t bound) {
  Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return system_failure("cannot read", path);
  std::string text;
  std::vector<char> part(64 << 10);
  for (;;) {
    ssize_t got = read(file.get(), part.data(), part.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return system_failure("cannot read", path);
    if (got == 0) return text;
    text.append(part.data(), static_cast<size_t>(got));
    if (text.size() > bound)
      return failure(ErrorKind::BadInput, fmt::format("{}: larger than {} bytes", path.string(), bound));
  }
}

Result<void> write_all(int descriptor, std::string_view bytes, const fs::path& name) {
  while (!bytes.empty()) {
    ssize_t written = write(descriptor, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return system_failure("cannot write", name);
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return {};
}

Result<void> write_file_atomically(const fs::path& path, std::string_view text) {
  std::string beside = path.string() + ".XXXXXX";
  Descriptor file(mkostemp(beside.data(), O_CLOEXEC));
  if (!file) return system_failure("cannot write", path);
  Result<void> written = write_all(file.get(), text, path);
  if (written && rename(beside.c_str(), path.c_str()) != 0) written = system_failure("cannot write", path);
  if (!written) unlink(beside.c_str());
  return written;
}

Result<void> copy_file_content(const fs::path& from, const fs::path& to, unsigned mode,
                               const std::function<void(uint64_t)>& progress) {
  Descriptor source(open(from.c_str(), O_RDONLY | O_CLOEXEC));
  if (!source) return system_failure("cannot read", from);
  Descriptor target(open(to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!target) return system_failure("cannot write", to);
  struct stat facts;
  if (fstat(source.get(), &facts) != 0) return system_failure("cannot read", from);
  if (!S_ISREG(facts.st_mode))
    return failure(ErrorKind::BadInput, fmt::format("{}: not a regular file", from.string()));

  std::vector<char> part(1 << 20);
  off_t at = 0;
  while (at < facts.st_size) {
    off_t data = lseek(source.get(), at, SEEK_DATA);
    if (data < 0 && errno == ENXIO) break;  // a hole up to the end
    if (data < 0) data = at;                // a file system that does not tell holes
    off_t end = lseek(source.get(), data, SEEK_HOLE);
    if (end < 0) end = facts.st_size;
    for (at = data; at < end;) {
      ssize_t got = pread(source.get(), part.data(), std::min<off_t>(end - at, off_t(part.size())), at);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return system_failure("cannot read", from);
      if (got == 0) return failure(ErrorKind::System, fmt::format("{}: shrank while it was read", from.string()));
      for (ssize_t done = 0; done < got;) {
        ssize_t written = pwrite(target.get(), part.data() + done, size_t(got - done), at + done);
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return system_failure("cannot write", to);
        done += written;
      }
      at += got;
      if (progress) progress(uint64_t(got));
    }
  }
  if (ftruncate(target.get(), facts.st_size) != 0 || fchmod(target.get(), mode) != 0)
    return system_failure("cannot write", to);
  return {};
}

namespace {

constexpr const char* kTemporaryName = "mortem-XXXXXX";
// Locked as long as a process holds the folder. Without this file a folder is nobody's leftover.
constexpr const char* kOwnerName = "owner";

void remove_with_content(const fs::path& folder) {
  std::error_code ignored;
  // Copied folders may be without write permission; that must not keep what is below them.
  for (fs::recursive_directory_iterator at(folder, fs::directory_options::skip_permission_denied, ignored), end;
       at != end && !ignored; at.increment(ignored))
    if (at->is_directory(ignored) && !at->is_symlink(ignored))
      fs::permissions(at->path(), fs::perms::owner_all, fs::perm_options::add, ignored);
  fs::remove_all(folder, ignored);
}

void remove_leftovers(const fs::path& parent) {
  std::error_code error;
  for (fs::directory_iterator at(parent, error), end; !error && at != end; at.increment(error)) {
    const std::string name = at->path().filename();
    if (name.size() != std::strlen(kTemporaryName) || !name.starts_with("mortem-")) continue;
    const Descriptor owner(open((at->path() / kOwnerName).c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
    struct stat facts {};
    if (!owner || fstat(owner.get(), &facts) != 0 || facts.st_uid != geteuid()) continue;
    if (flock(owner.get(), LOCK_EX | LOCK_NB) == 0) remove_with_content(at->path());
  }
}

}  // namespace

Result<TemporaryFolder> TemporaryFolder::create() {
  const char* variable = std::getenv("TMPDIR");
  const fs::path parent = variable && *variable ? variable : "/tmp";
  remove_leftovers(parent);
  while (true) {
    std::string path = parent / kTemporaryName;
    if (mkdtemp(path.data()) == nullptr) return system_failure("cannot make a temporary folder", path);
    const fs::path owner = fs::path(path) / kOwnerName;
    Descriptor lock(open(owner.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!lock || flock(lock.get(), LOCK_EX) != 0) {
      auto failed = system_failure("cannot lock", owner);
      remove_with_content(path);
      return failed;
    }
    // Another process may have taken it for a leftover before it was locked.
    struct stat facts {};
    if (fstat(lock.get(), &facts) == 0 && facts.st_nlink != 0) return TemporaryFolder(path, std::move(lock));
  }
}

fs::path TemporaryFolder::release() {
  if (!path_.empty()) keep_if_killed(path_);
  return std::exchange(path_, {});
}

void TemporaryFolder::keep_if_killed(const fs::path& path) {
  std::error_code ignored;
  fs::remove(path / kOwnerName, ignored);
}

TemporaryFolder::~TemporaryFolder() {
  if (!path_.empty()) remove_with_content(path_);
}

fs::path program_folder() {
  std::error_code ignored;
  return fs::read_symlink("/proc/self/exe", ignored).parent_path();
}

}  // namespace mortem::tools
