// open, and the calls that change names. The root is read-only: what would change it is EROFS.
#include <string_view>

#include "kernel/linux/calls.h"
#include "kernel/linux/files.h"

namespace kernel::linux {
namespace {

uint16_t g_creation_mask = 022;

bool is_on_root(const InodeStatus& status) {
  auto root = root_inode()->status();
  return root && root.value().device == status.device;
}

struct Place {  // where a name is to be made or removed
  Inode* parent;
  std::string_view name;
};

// `resolved`: an absolute path from resolve_path; the place's name stands in it.
Result<Place> place_of(const char* resolved) {
  const std::string_view path(resolved);
  if (path == "/") return Error::Exists;
  const size_t slash = path.rfind('/');
  const std::string_view parent(resolved, slash == 0 ? 1 : slash);
  return Place{TRY(find_inode(root_inode(), {parent.data(), parent.size()}, FollowLast::Yes)), std::string_view(resolved + slash + 1)};
}

std::span<const char> span_of(std::string_view text) {
  return {text.data(), text.size()};
}

Result<uint64_t> open_again(int descriptor, int flags) {
  OpenFile* file = TRY(open_file(descriptor));
  if (file->inode() == nullptr) {
    file->retain();
    return install(file, (flags & kOpenCloseOnExec) != 0);
  }
  return install(TRY(make_inode_file(*file->inode(), flags & ~kOpenCloseOnExec, file->path())),
                 (flags & kOpenCloseOnExec) != 0);
}

Result<uint64_t> open_path(int directory, uint64_t user_path, int flags, uint16_t permissions) {
  UserPath path;
  TRY(path.read(user_path));
  if (path.empty()) return Error::NoEntry;
  const bool writes = (flags & kOpenAccessMask) != kOpenReadOnly && (flags & kOpenPath) == 0;
  const bool creates = (flags & kOpenCreate) != 0 && (flags & kOpenPath) == 0;
  const bool exclusive = creates && (flags & kOpenExclusive) != 0;
  if ((flags & kOpenTemporary) == kOpenTemporary) return Error::NotSupported;
  const FollowLast follow = (flags & kOpenNoFollow) != 0 || exclusive ? FollowLast::No : FollowLast::Yes;

  char resolved[kMaximumPath];
  TRY(resolve_path(directory, path.text(), follow, resolved));
  if (const int descriptor = descriptor_of_path(resolved); descriptor >= 0 && follow == FollowLast::Yes)
    return open_again(descriptor, flags);

  auto found = find_inode(root_inode(), {resolved, __builtin_strlen(resolved)}, FollowLast::No);
  if (found.is_error() && (found.error() != Error::NoEntry || !creates)) return found.error();
  Inode* inode;
  if (found.is_error()) {
    const Place place = TRY(place_of(resolved));
    inode = TRY(place.parent->create(span_of(place.name), FileType::Regular,
                                     static_cast<uint16_t>(permissions & 07777 & ~g_creation_mask)));
  } else {
    if (exclusive) return Error::Exists;
    inode = found.value();
    const InodeStatus status = TRY(inode->status());
    if (status.type == FileType::Symlink && (flags & kOpenPath) == 0) return Error::Loop;
    const bool slash_at_end = path.text()[path.length() - 1] == '/';
    if (((flags & kOpenDirectory) != 0 || slash_at_end) && status.type != FileType::Directory)
      return Error::NotDirectory;
    if (status.type == FileType::Directory && (writes || creates)) return Error::IsDirectory;
    if (status.type == FileType::Fifo || status.type == FileType::Socket) return Error::NoDevice;  // nobody at its end
    if (status.type == FileType::Regular && (writes || (flags & kOpenTruncate) != 0) && is_on_root(status))
      return Error::ReadOnly;
    // Files of /proc and /sys have no length to lose.
    if (status.type == FileType::Regular && (flags & kOpenTruncate) != 0 && is_tmpfs(status.device))
      TRY(inode->resize(0));
  }
  constexpr int kOnlyAtOpen = kOpenCreate | kOpenExclusive | kOpenTruncate | 0400 /* O_NOCTTY */ | kOpenCloseOnExec;
  return install(TRY(make_inode_file(*inode, flags & ~kOnlyAtOpen, resolved)), (flags & kOpenCloseOnExec) != 0);
}

Result<uint64_t> make_node(int directory, uint64_t user_path, FileType type, uint16_t permissions,
                           const char* target = nullptr) {
  UserPath path;
  TRY(path.read(user_path));
  if (path.empty()) return Error::NoEntry;
  char resolved[kMaximumPath];
  TRY(resolve_path(directory, path.text(), FollowLast::No, resolved));
  if (find_inode(root_inode(), {resolved, __builtin_strlen(resolved)}, FollowLast::No)) return Error::Exists;
  const Place place = TRY(place_of(resolved));
  Inode* inode =
      TRY(place.parent->create(span_of(place.name), type, static_cast<uint16_t>(permissions & ~g_creation_mask)));
  if (target != nullptr) TRY(inode->write(0, {reinterpret_cast<const uint8_t*>(target), __builtin_strlen(target)}));
  return 0;
}

Result<uint64_t> remove_name(int directory, uint64_t user_path, bool is_directory) {
  UserPath path;
  TRY(path.read(user_path));
  if (path.empty()) return Error::NoEntry;
  char resolved[kMaximumPath];
  TRY(resolve_path(directory, path.text(), FollowLast::No, resolved));
  Inode* inode = TRY(find_inode(root_inode(), {resolved, __builtin_strlen(resolved)}, FollowLast::No));
  const FileType type = TRY(inode->status()).type;
  if (is_directory && type != FileType::Directory) return Error::NotDirectory;
  if (!is_directory && type == FileType::Directory) return Error::IsDirectory;
  auto place = place_of(resolved);
  if (place.is_error()) return Error::Busy;
  TRY(place.value().parent->remove_entry(span_of(place.value().name)));
  return 0;
}

Result<uint64_t> rename(int old_directory, uint64_t old_path, int new_directory, uint64_t new_path) {
  char from[kMaximumPath], to[kMaximumPath];
  {
    UserPath path;
    TRY(path.read(old_path));
    if (path.empty()) return Error::NoEntry;
    TRY(resolve_path(old_directory, path.text(), FollowLast::No, from));
    TRY(path.read(new_path));
    if (path.empty()) return Error::NoEntry;
    TRY(resolve_path(new_directory, path.text(), FollowLast::No, to));
  }
  TRY(find_inode(root_inode(), {from, __builtin_strlen(from)}, FollowLast::No));
  const size_t length = __builtin_strlen(from);
  if (std::string_view(to).starts_with(from) && to[length] == '/') return Error::Invalid;  // into itself
  const Place source = TRY(place_of(from)), target = TRY(place_of(to));
  if (TRY(source.parent->status()).device != TRY(target.parent->status()).device) return Error::CrossDevice;
  TRY(source.parent->rename_entry(span_of(source.name), *target.parent, span_of(target.name)));
  return 0;
}

Result<uint64_t> change_permissions(Inode& inode, uint16_t permissions) {
  TRY(inode.set_permissions(permissions & 07777));
  return 0;
}

Result<Inode*> inode_at(int directory, uint64_t user_path, FollowLast follow) {
  UserPath path;
  TRY(path.read(user_path));
  return find_user_inode(directory, path, follow);
}

Result<uint64_t> resize(Inode& inode, uint64_t size) {
  if (static_cast<int64_t>(size) < 0) return Error::Invalid;
  const InodeStatus status = TRY(inode.status());
  if (status.type == FileType::Directory) return Error::IsDirectory;
  if (status.type != FileType::Regular) return Error::Invalid;
  TRY(inode.resize(size));
  return 0;
}

// Owners exist in name only: everything runs as root.
Result<uint64_t> change_owner(Inode& inode) {
  return is_on_root(TRY(inode.status())) ? Result<uint64_t>(Error::ReadOnly) : 0;
}

}  // namespace

uint16_t file_creation_mask() {
  return g_creation_mask;
}

MORTEM_CALL(open) {
  return open_path(kAtWorkingDirectory, argument[0], argument.number(1), static_cast<uint16_t>(argument[2]));
}
MORTEM_CALL(openat) {
  return open_path(argument.number(0), argument[1], argument.number(2), static_cast<uint16_t>(argument[3]));
}
MORTEM_CALL(creat) {
  return open_path(kAtWorkingDirectory, argument[0], kOpenCreate | kOpenWriteOnly | kOpenTruncate,
                   static_cast<uint16_t>(argument[1]));
}
MORTEM_CALL(umask) {
  const uint16_t old = g_creation_mask;
  g_creation_mask = argument[0] & 0777;
  return old;
}
MORTEM_CALL(mkdir) {
  return make_node(kAtWorkingDirectory, argument[0], FileType::Directory, argument[1] & 01777);
}
MORTEM_CALL(mkdirat) {
  return make_node(argument.number(0), argument[1], FileType::Directory, argument[2] & 01777);
}
MORTEM_CALL(symlink) {
  UserPath target;
  TRY(target.read(argument[0]));
  return make_node(kAtWorkingDirectory, argument[1], FileType::Symlink, 0777, target.text());
}
MORTEM_CALL(symlinkat) {
  UserPath target;
  TRY(target.read(argument[0]));
  return make_node(argument.number(1), argument[2], FileType::Symlink, 0777, target.text());
}
MORTEM_CALL(link) {
  return Error::NotPermitted;
}  // link(2): the file system has no hard links
MORTEM_CALL(linkat) {
  return Error::NotPermitted;
}
MORTEM_CALL(unlink) {
  return remove_name(kAtWorkingDirectory, argument[0], false);
}
MORTEM_CALL(rmdir) {
  return remove_name(kAtWorkingDirectory, argument[0], true);
}
MORTEM_CALL(unlinkat) {
  if ((argument.number(2) & ~kAtRemoveDirectory) != 0) return Error::Invalid;
  return remove_name(argument.number(0), argument[1], (argument.number(2) & kAtRemoveDirectory) != 0);
}
MORTEM_CALL(rename) {
  return rename(kAtWorkingDirectory, argument[0], kAtWorkingDirectory, argument[1]);
}
MORTEM_CALL(renameat) {
  return rename(argument.number(0), argument[1], argument.number(2), argument[3]);
}
MORTEM_CALL(renameat2) {
  if (argument[4] != 0) return Error::Invalid;
  return rename(argument.number(0), argument[1], argument.number(2), argument[3]);
}
MORTEM_CALL(truncate) {
  return resize(*TRY(inode_at(kAtWorkingDirectory, argument[0], FollowLast::Yes)), argument[1]);
}
MORTEM_CALL(ftruncate) {
  OpenFile* file = TRY(open_file(argument.number(0)));
  if (!file->can_write() || file->inode() == nullptr) return Error::Invalid;
  return resize(*file->inode(), argument[1]);
}
MORTEM_CALL(chmod) {
  return change_permissions(*TRY(inode_at(kAtWorkingDirectory, argument[0], FollowLast::Yes)),
                            static_cast<uint16_t>(argument[1]));
}
MORTEM_CALL(fchmod) {
  OpenFile* file = TRY(open_file(argument.number(0)));
  return file->inode() == nullptr ? Result<uint64_t>(0)
                                  : change_permissions(*file->inode(), static_cast<uint16_t>(argument[1]));
}
MORTEM_CALL(fchmodat) {
  return change_permissions(*TRY(inode_at(argument.number(0), argument[1], FollowLast::Yes)),
                            static_cast<uint16_t>(argument[2]));
}
MORTEM_CALL(chown) {
  return change_owner(*TRY(inode_at(kAtWorkingDirectory, argument[0], FollowLast::Yes)));
}
MORTEM_CALL(lchown) {
  return change_owner(*TRY(inode_at(kAtWorkingDirectory, argument[0], FollowLast::No)));
}
MORTEM_CALL(fchown) {
  OpenFile* file = TRY(open_file(argument.number(0)));
  return file->inode() == nullptr ? Result<uint64_t>(0) : change_owner(*file->inode());
}
MORTEM_CALL(fchownat) {
  return change_owner(*TRY(inode_at(argument.number(0), argument[1],
                                    (argument.number(4) & kAtNoFollow) != 0 ? FollowLast::No : FollowLast::Yes)));
}
MORTEM_CALL(utimensat) {
  if (argument[1] == 0) {
    TRY(open_file(argument.number(0)));
    return 0;
  }
  Inode* inode = TRY(inode_at(argument.number(0), argument[1],
                              (argument.number(3) & kAtNoFollow) != 0 ? FollowLast::No : FollowLast::Yes));
  return is_on_root(TRY(inode->status())) ? Result<uint64_t>(Error::ReadOnly) : 0;
}

}  // namespace kernel::linux
