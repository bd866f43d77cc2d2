#include "tools/local_store.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <vector>

#include "tools/elf_file.h"
#include "tools/files.h"

namespace mortem::tools {

namespace fs = std::filesystem;

namespace {

constexpr uint64_t kDefaultBound = 4ull << 30;  // bytes

uint64_t store_bound() {
  const char* bound = std::getenv("MORTEM_STORE_BYTES");  // for tests and small disks
  return bound ? std::strtoull(bound, nullptr, 10) : kDefaultBound;
}

struct Kept {
  fs::path path;
  uint64_t size;
  timespec used;
};

// Deletes the files used least recently (modification time: keep_in_store touches it) until the rest fits; `spare`
// stays in any case.
void shrink_store(const fs::path& store, const fs::path& spare) {
  std::vector<Kept> files;
  uint64_t total = 0;
  std::error_code ignored;
  for (fs::recursive_directory_iterator at(store, fs::directory_options::skip_permission_denied, ignored), end;
       at != end && !ignored; at.increment(ignored)) {
    struct stat facts;
    if (lstat(at->path().c_str(), &facts) != 0 || !S_ISREG(facts.st_mode)) continue;
    total += uint64_t(facts.st_size);
    if (at->path() != spare) files.push_back({at->path(), uint64_t(facts.st_size), facts.st_mtim});
  }
  std::sort(files.begin(), files.end(), [](const Kept& a, const Kept& b) {
    return std::pair(a.used.tv_sec, a.used.tv_nsec) < std::pair(b.used.tv_sec, b.used.tv_nsec);
  });
  for (const Kept& file : files) {
    if (total <= store_bound()) return;
    if (unlink(file.path.c_str()) == 0) total -= file.size;
  }
}

}  // namespace

fs::path local_store() {
  // XDG Base Directory Specification: relative paths are to be ignored.
  if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache && *cache == '/') return fs::path(cache) / "mortem";
  const char* home = std::getenv("HOME");
  return fs::path(home && *home ? home : "/tmp") / ".cache" / "mortem";
}

fs::path path_in_store(const std::string& id) {
  return local_store() / "build-id" / id.substr(0, 2) / id.substr(2);
}

Result<fs::path> keep_in_store(const fs::path& elf) {
  const std::string id = TRY(module_id(elf));
  if (id.size() < 4) return failure(ErrorKind::BadInput, elf.string() + ": its build id is shorter than two bytes");
  const fs::path kept = path_in_store(id), folder = kept.parent_path();
  struct stat there, here;
  // A build id names the code, not the file: a file that was stripped of its symbols never replaces a larger one.
  if (stat(kept.c_str(), &there) == 0 && stat(elf.c_str(), &here) == 0 && there.st_size >= here.st_size) {
    utimensat(AT_FDCWD, kept.c_str(), nullptr, 0);
    return kept;
  }
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) return system_failure("cannot make the local store", folder, error.value());
  const fs::path beside = folder / fmt::format(".{}.{}", id.substr(2), getpid());
  unlink(beside.c_str());
  Result<void> copied = copy_file_content(elf, beside, 0600);
  if (copied && rename(beside.c_str(), kept.c_str()) != 0) copied = system_failure("cannot write", kept);
  if (!copied) {
    unlink(beside.c_str());
    return tl::unexpected<Error>(copied.error());
  }
  shrink_store(local_store() / "build-id", kept);
  return kept;
}

fs::path record_debug_file(const std::string& id) {
  if (id.size() < 4) return {};
  const fs::path name = fs::path(id.substr(0, 2)) / (id.substr(2) + ".debug");
  const fs::path debug = fs::path("/usr/lib/debug/.build-id") / name;
  const fs::path record = local_store() / "build-id" / name;
  std::error_code error;
  if (!fs::is_regular_file(debug, error)) return {};
  fs::create_directories(record.parent_path(), error);
  if (fs::read_symlink(record, error) == debug) return debug;
  unlink(record.c_str());
  fs::create_symlink(debug, record, error);
  return debug;
}

}  // namespace mortem::tools
