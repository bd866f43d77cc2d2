// Paths of the app: copied in, walked, and made absolute (for getcwd, /proc and mappings).
#include <string_view>

#include "kernel/arch/x86_64/user_access.h"
#include "kernel/linux/files.h"
#include "kernel/memory/heap.h"

namespace kernel::linux {
namespace {

WorkingDirectory g_working_directory{nullptr, "/"};
constexpr std::string_view kDescriptorFolder = "/proc/self/fd/";
constexpr int kMaximumLinks = 40;

struct KeptPath {
  KeptPath* next;
  char text[1];
};
KeptPath* g_kept_paths = nullptr;

// Takes the last name off an absolute path.
size_t parent_length(const char* path, size_t length) {
  while (length > 1 && path[length - 1] != '/') --length;
  return length > 1 ? length - 1 : 1;
}

}  // namespace

WorkingDirectory& working_directory() {
  if (g_working_directory.inode == nullptr && root_inode() != nullptr) {
    g_working_directory.inode = root_inode();
    g_working_directory.inode->opened();
  }
  return g_working_directory;
}

Result<void> UserPath::read(uint64_t address) {
  length_ = TRY(copy_string_from_user(text_, address, sizeof text_));
  return {};
}

Result<Inode*> start_inode(int directory, const UserPath& path) {
  if (!path.empty() && path.text()[0] == '/') return root_inode();
  if (directory == kAtWorkingDirectory) return working_directory().inode;
  OpenFile* file = TRY(open_file(directory));
  if (file->inode() == nullptr) return Error::NotDirectory;
  return file->inode();
}

Result<Inode*> find_user_inode(int directory, const UserPath& path, FollowLast follow) {
  if (path.empty()) return Error::NoEntry;
  return find_inode(TRY(start_inode(directory, path)), path.span(), follow);
}

int descriptor_of_path(const char* path) {
  const std::string_view text(path);
  if (!text.starts_with(kDescriptorFolder) || text.size() == kDescriptorFolder.size() ||
      text.size() > kDescriptorFolder.size() + 6)
    return -1;
  int number = 0;
  for (const char digit : std::string_view(path + kDescriptorFolder.size())) {
    if (digit < '0' || digit > '9') return -1;
    number = number * 10 + (digit - '0');
  }
  return number;
}

Result<void> resolve_path(int directory, const char* path, FollowLast follow, char* out) {
  struct Scratch {
    char rest[2 * kMaximumPath];
    char next[2 * kMaximumPath];
  };
  auto* scratch = static_cast<Scratch*>(heap_allocate(sizeof(Scratch)));
  if (scratch == nullptr) return Error::NoMemory;
  struct Free {
    void* memory;
    ~Free() { heap_free(memory); }
  } free{scratch};

  size_t length = 1;
  out[0] = '/';
  if (path[0] != '/') {
    const char* base = working_directory().path;
    if (directory != kAtWorkingDirectory) base = TRY(open_file(directory))->path();
    length = __builtin_strlen(base);
    __builtin_memcpy(out, base, length);
  }
  if (__builtin_strlen(path) >= kMaximumPath) return Error::NameTooLong;
  __builtin_memcpy(scratch->rest, path, __builtin_strlen(path) + 1);
  std::string_view rest(scratch->rest);
  int links = 0;
  while (true) {
    while (rest.starts_with('/')) rest.remove_prefix(1);
    if (rest.empty()) break;
    const size_t end = rest.find('/') == rest.npos ? rest.size() : rest.find('/');
    const std::string_view name = rest.substr(0, end);
    rest.remove_prefix(end);
    const bool last = rest.find_first_not_of('/') == rest.npos;
    if (name == ".") continue;
    if (name == "..") {
      length = parent_length(out, length);
      continue;
    }
    const size_t before = length;
    if (length > 1) out[length++] = '/';
    if (length + name.size() >= kMaximumPath) return Error::NameTooLong;
    __builtin_memcpy(out + length, name.data(), name.size());
    length += name.size();
    out[length] = 0;
    if (last && (follow == FollowLast::No || descriptor_of_path(out) >= 0)) break;
    auto found = find_inode(root_inode(), {out, length}, FollowLast::No);
    if (found.is_error()) {
      if (last && found.error() == Error::NoEntry) break;
      return found.error();
    }
    if (TRY(found.value()->status()).type != FileType::Symlink) continue;
    if (++links > kMaximumLinks) return Error::Loop;
    const size_t target = TRY(found.value()->read_link({scratch->next, kMaximumPath}));
    if (target + rest.size() >= kMaximumPath) return Error::NameTooLong;
    __builtin_memcpy(scratch->next + target, rest.data(), rest.size());
    scratch->next[target + rest.size()] = 0;
    __builtin_memcpy(scratch->rest, scratch->next, target + rest.size() + 1);
    rest = scratch->rest;
    length = rest.starts_with('/') ? 1 : before;
  }
  out[length] = 0;
  return {};
}

Result<void> change_directory(const char* path) {
  char resolved[kMaximumPath];
  TRY(resolve_path(kAtWorkingDirectory, path, FollowLast::Yes, resolved));
  Inode* inode = TRY(find_inode(root_inode(), {resolved, __builtin_strlen(resolved)}, FollowLast::Yes));
  if (TRY(inode->status()).type != FileType::Directory) return Error::NotDirectory;
  inode->opened();
  working_directory().inode->closed();
  working_directory().inode = inode;
  __builtin_memcpy(working_directory().path, resolved, __builtin_strlen(resolved) + 1);
  return {};
}

const char* kept_path(const char* path) {
  for (KeptPath* kept = g_kept_paths; kept != nullptr; kept = kept->next)
    if (__builtin_strcmp(kept->text, path) == 0) return kept->text;
  const size_t length = __builtin_strlen(path);
  auto* kept = static_cast<KeptPath*>(heap_allocate(sizeof(KeptPath) + length));
  if (kept == nullptr) return nullptr;
  __builtin_memcpy(kept->text, path, length + 1);
  kept->next = g_kept_paths;
  g_kept_paths = kept;
  return kept->text;
}

}  // namespace kernel::linux
