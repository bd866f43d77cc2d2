#include "inspector/symbols/index/index_store.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "inspector/symbols/symbol_files.h"

namespace mortem::inspector::index {
namespace fs = std::filesystem;
namespace {

constexpr uint64_t kDefaultBound = 4ull << 30;  // bytes

uint64_t index_bound() {
  const char* bound = std::getenv("MORTEM_INDEX_BYTES");  // for tests and small disks
  return bound ? std::strtoull(bound, nullptr, 10) : kDefaultBound;
}

}  // namespace

std::string IndexStore::discard(const IndexedFiles& files) const {
  const fs::path path = path_of(*files.executable);
  return removed(files, path, fmt::format("{}: is broken", path.string()));
}

std::string IndexStore::removed(const IndexedFiles& files, const fs::path& path, std::string_view what) const {
  unlink(path.c_str());
  const bool begun = make_anew_ && make_anew_(files.executable->name(), files.debug->name());
  return fmt::format("{}{}", what,
                     begun ? " and is made anew in the background" : " and was removed; mortem index makes it anew");
}

fs::path IndexStore::path_of(const ElfImage& executable) const {
  const auto id = executable.build_id();
  if (folder_.empty() || id.size() < 2 || id.size() > sizeof(IndexHeader::build_id)) return {};
  const std::string text = hexadecimal(id);
  return folder_ / "index" / text.substr(0, 2) / text.substr(2);
}

std::unique_ptr<IndexFile> IndexStore::open(const IndexedFiles& files, std::string* complaint) const {
  const ElfImage& executable = *files.executable;
  const fs::path path = path_of(executable);
  if (path.empty()) return nullptr;
  auto file = IndexFile::open(path);
  if (!file) {
    if (file.error().kind == ErrorKind::NotFound) return nullptr;
    *complaint = removed(files, path, file.error().message);
    return nullptr;
  }
  const IndexHeader& header = (*file)->header();
  const auto id = executable.build_id();
  const bool same = header.build_id_size == id.size() && std::memcmp(header.build_id, id.data(), id.size()) == 0 &&
                    header.executable_size == executable.bytes().size() &&
                    header.debug_size == files.debug->bytes().size() &&
                    header.alternate_size == (files.alternate ? files.alternate->bytes().size() : 0);
  if (!same) return nullptr;  // say, the debug information was not there yet when it was made
  utimensat(AT_FDCWD, path.c_str(), nullptr, 0);
  return std::move(*file);
}

void IndexStore::shrink(const fs::path& spare) const {
  struct Kept {
    fs::path path;
    uint64_t size;
    timespec used;
  };
  std::vector<Kept> files;
  uint64_t total = 0;
  std::error_code ignored;
  for (fs::recursive_directory_iterator at(folder_ / "index", fs::directory_options::skip_permission_denied, ignored),
       end;
       at != end && !ignored; at.increment(ignored)) {
    struct stat facts {};
    if (lstat(at->path().c_str(), &facts) != 0 || !S_ISREG(facts.st_mode)) continue;
    total += static_cast<uint64_t>(facts.st_size);
    if (at->path() != spare) files.push_back({at->path(), static_cast<uint64_t>(facts.st_size), facts.st_mtim});
  }
  std::sort(files.begin(), files.end(), [](const Kept& a, const Kept& b) {
    return std::pair(a.used.tv_sec, a.used.tv_nsec) < std::pair(b.used.tv_sec, b.used.tv_nsec);
  });
  for (const Kept& file : files) {
    if (total <= index_bound()) return;
    if (unlink(file.path.c_str()) == 0) total -= file.size;
  }
}

}  // namespace mortem::inspector::index
