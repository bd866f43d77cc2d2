// open, and the calls that change names.
#include <string_view>

#include "kernel/linux/calls.h"
#include "kernel/linux/files.h"
#include "kernel/linux/inotify.h"

namespace kernel::linux {
namespace {

uint16_t g_creation_mask = 022;

// Whether the file's file system takes no changes: the call fails with EROFS before anything else is asked.
bool is_read_only(Inode& inode) {
  auto facts = inode.file_system();
  return facts && facts.value().read_only;
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
  Inode* const folder = TRY(find_inode(root_inode(), {parent.data(), parent.size()}, FollowLast::Yes));
  if (TRY(folder->status()).type != FileType::Directory) return Error::NotDirectory;
  return Place{folder, std::string_view(resolved + slash + 1)};
}

std::span<const char> span_of(std::string_view text) {
  return {text.data(), text.size()};
}

Result<uint64_t> open_again(int descriptor, int flags) {
  OpenFile* file = TRY(open_file(descriptor));
  const bool changes = (flags & kOpenAccessMask) != kOpenReadOnly || (flags & kOpenTruncate) != 0;
  if (changes && is_running_program(file->inode())) return Error::TextBusy;
  if (file->inode() == nullptr) {
    file->retain();
    return install(file, (flags & kOpenCloseOnExec) != 0);
  }
  return install(TRY(make_inode_file(*file->inode(), flags & ~kOpenCloseOnExec, file->path())),
                 (flags & kOpenCloseOnExec) != 0);
}

constexpr int kOnlyAtOpen = kOpenCreate | kOpenExclusive | kOpenTruncate | 0400 /* O_NOCTTY */ | kOpenCloseOnExec;

// O_TMPFILE: a file in that directory's file system that has no name.
Result<uint64_t> open_unnamed(int directory, const UserPath& path, int flags, uint16_t permissions) {
  if ((flags & kOpenAccessMask) == kOpenReadOnly) return Error::Invalid;
  char resolved[kMaximumPath];
  TRY(resolve_path(directory, path.text(), FollowLast::Yes, resolved));
  Inode* folder = TRY(find_inode(root_inode(), {resolved, __builtin_strlen(resolved)}, FollowLast::Yes));
  if (TRY(folder->status()).type != FileType::Directory) return Error::NotDirectory;
  const InodeHold hold(folder);
  Inode* inode = TRY(folder->create_unnamed(static_cast<uint16_t>(permissions & 07777 & ~g_creation_mask)));
  const InodeHold file_hold(inode);
  return install(TRY(make_inode_file(*inode, flags & ~kOnlyAtOpen & ~(kOpenTemporary & ~kOpenDirectory), resolved)),
                 (flags & kOpenCloseOnExec) != 0);
}

Result<uint64_t> open_path(int directory, uint64_t user_path, int flags, uint16_t permissions) {
  UserPath path;
  TRY(path.read(user_path));
  if (path.empty()) return Error::NoEntry;
  const bool writes = (flags & kOpenAccessMask) != kOpenReadOnly && (flags & kOpenPath) == 0;
  const bool creates = (flags & kOpenCreate) != 0 && (flags & kOpenPath) == 0;
  const bool exclusive = creates && (flags & kOpenExclusive) != 0;
  if ((flags & kOpenTemporary) == kOpenTemporary) return open_unnamed(directory, path, flags, permissions);
  const FollowLast follow = (flags & kOpenNoFollow) != 0 || exclusive ? FollowLast::No : FollowLast::Yes;

  char resolved[kMaximumPath];
  TRY(resolve_path(directory, path.text(), follow, resolved));
  if (const int descriptor = descriptor_of_path(resolved); descriptor >= 0 && follow == FollowLast::Yes)
    return open_again(descriptor, flags);

  auto found = find_inode(root_inode(), {resolved, __builtin_strlen(resolved)}, FollowLast::No);
  if (found.is_error() && (found.error() != Error::NoEntry || !creates)) return found.error();
  const bool slash_at_end = path.text()[path.length() - 1] == '/';
  Inode* inode;
  bool is_cut = false;
  if (found.is_error()) {
    if (slash_at_end) return Error::IsDirectory;
    const Place place = TRY(place_of(resolved));
    const InodeHold hold(place.parent);
    auto made = place.parent->create(span_of(place.name), FileType::Regular,
                                     static_cast<uint16_t>(permissions & 07777 & ~g_creation_mask));
    // Another thread may have made it while this one waited for the disk.
    if (made) {
      inode = made.value();
      tell_of_name(*place.parent, span_of(place.name), file_event::kCreate, NamedThing::File);
    } else if (made.error() == Error::Exists && !exclusive) {
      inode = TRY(place.parent->lookup(span_of(place.name)));
    } else {
      return made.error();
    }
  } else {
    if (exclusive) return Error::Exists;
    inode = found.value();
    const InodeStatus status = TRY(inode->status());
    if (status.type == FileType::Symlink && (flags & kOpenPath) == 0) return Error::Loop;
    if (((flags & kOpenDirectory) != 0 || slash_at_end) && status.type != FileType::Directory)
      return Error::NotDirectory;
    if (status.type == FileType::Directory && (writes || creates)) return Error::IsDirectory;
    if (status.type == FileType::Fifo || status.type == FileType::Socket) return Error::NoDevice;  // nobody at its end
    const bool changes = writes || (flags & kOpenTruncate) != 0;
    if (status.type == FileType::Regular && changes && is_read_only(*inode)) return Error::ReadOnly;
    if (changes && is_running_program(inode)) return Error::TextBusy;
    // Files of /proc and /sys have no length to lose.
    const bool has_length = status.device != kProcDevice && status.device != kSysDevice;
    if (status.type == FileType::Regular && (flags & kOpenTruncate) != 0 && (flags & kOpenPath) == 0 && has_length &&
        status.size > 0) {
      const InodeHold hold(inode);
      TRY(inode->resize(0));
      is_cut = true;
    }
  }
  OpenFile* file = TRY(make_inode_file(*inode, flags & ~kOnlyAtOpen, resolved));
  if (somebody_watches() && (flags & kOpenPath) == 0) tell_of_file(*inode, resolved, file_event::kOpen);
  if (is_cut) tell_of_file(*inode, resolved, file_event::kModify);
  return install(file, (flags & kOpenCloseOnExec) != 0);
}

// What a name is made for: a folder, a symbolic link with its target, a device with its number.
struct NewNode {
  FileType type;
  uint16_t permissions = 0777;
  const char* target = nullptr;
  uint64_t device_number = 0;
};

Result<uint64_t> make_node(int directory, uint64_t user_path, const NewNode& node) {
  UserPath path;
  TRY(path.read(user_path));
  if (path.empty()) return Error::NoEntry;
  char resolved[kMaximumPath];
  TRY(resolve_path(directory, path.text(), FollowLast::No, resolved));
  if (find_inode(root_inode(), {resolved, __builtin_strlen(resolved)}, FollowLast::No)) return Error::Exists;
  const bool slash_at_end = path.text()[path.length() - 1] == '/';
  if (slash_at_end && node.type != FileType::Directory) return Error::NoEntry;
  const Place place = TRY(place_of(resolved));
  const InodeHold hold(place.parent);
  const auto permissions = static_cast<uint16_t>(node.permissions & ~g_creation_mask);
  if (node.type == FileType::Symlink)
    TRY(place.parent->create_symlink(span_of(place.name), span_of(node.target)));
  else if (node.type == FileType::CharacterDevice || node.type == FileType::BlockDevice)
    TRY(place.parent->create_device(span_of(place.name), node.type, permissions, node.device_number));
  else
    TRY(place.parent->create(span_of(place.name), node.type, permissions));
  tell_of_name(*place.parent, span_of(place.name), file_event::kCreate,
               node.type == FileType::Directory ? NamedThing::Directory : NamedThing::File);
  return 0;
}

Result<uint64_t> make_symlink(uint64_t user_target, int directory, uint64_t user_path) {
  UserPath target;
  TRY(target.read(user_target));
  if (target.empty()) return Error::NoEntry;
  return make_node(directory, user_path, {.type = FileType::Symlink, .target = target.text()});
}

Result<uint64_t> make_special(int directory, uint64_t user_path, uint32_t mode, uint32_t device) {
  NewNode node{.type = FileType::Regular, .permissions = static_cast<uint16_t>(mode & 07777)};
  constexpr uint32_t kTypeMask = 0170000, kRegular = 0100000, kCharacter = 0020000, kBlock = 0060000, kFifo = 0010000,
                     kSocket = 0140000, kDirectory = 0040000;
  switch (mode & kTypeMask) {
    case 0:
    case kRegular:
      break;
    case kFifo:
      node.type = FileType::Fifo;
      break;
    case kSocket:
      node.type = FileType::Socket;
      break;
    case kCharacter:
    case kBlock:
      node.type = (mode & kTypeMask) == kBlock ? FileType::BlockDevice : FileType::CharacterDevice;
      node.device_number = device;
      break;
    case kDirectory:
      return Error::NotPermitted;
    default:
      return Error::Invalid;
  }
  return make_node(directory, user_path, node);
}

Result<uint64_t> make_link(int old_directory, uint64_t old_path, int new_directory, uint64_t new_path, int flags) {
  if ((flags & ~(kAtFollow | kAtEmptyPath)) != 0) return Error::Invalid;
  Inode* inode = nullptr;
  UserPath path;
  TRY(path.read(old_path));
  char resolved[kMaximumPath];
  if (path.empty() && (flags & kAtEmptyPath) != 0) {
    inode = TRY(open_file(old_directory))->inode();
    if (inode == nullptr) return Error::CrossDevice;
  } else {
    const FollowLast follow = (flags & kAtFollow) != 0 ? FollowLast::Yes : FollowLast::No;
    if (path.empty()) return Error::NoEntry;
    TRY(resolve_path(old_directory, path.text(), follow, resolved));
    const int descriptor = follow == FollowLast::Yes ? descriptor_of_path(resolved) : -1;
    inode = descriptor >= 0 ? TRY(open_file(descriptor))->inode() : TRY(find_user_inode(old_directory, path, follow));
    if (inode == nullptr) return Error::CrossDevice;
  }
  const InodeHold hold(inode);
  TRY(path.read(new_path));
  if (path.empty()) return Error::NoEntry;
  TRY(resolve_path(new_directory, path.text(), FollowLast::No, resolved));
  if (find_inode(root_inode(), {resolved, __builtin_strlen(resolved)}, FollowLast::No)) return Error::Exists;
  const Place place = TRY(place_of(resolved));
  const InodeHold parent_hold(place.parent);
  const InodeStatus status = TRY(inode->status());
  if (status.device != TRY(place.parent->status()).device) return Error::CrossDevice;
  if (status.type == FileType::Directory) return Error::NotPermitted;
  TRY(place.parent->add_link(span_of(place.name), *inode));
  tell_of_inode(*inode, file_event::kAttributes);
  tell_of_name(*place.parent, span_of(place.name), file_event::kCreate, NamedThing::File);
  return 0;
}

// The last name of a path as it was written: "." and ".." cannot be removed or renamed.
std::string_view last_name(const UserPath& path) {
  std::string_view text(path.text(), path.length());
  while (text.size() > 1 && text.ends_with('/')) text.remove_suffix(1);
  if (const size_t slash = text.rfind('/'); slash != text.npos) text.remove_prefix(slash + 1);
  return text;
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
  if (is_directory && last_name(path) == ".") return Error::Invalid;
  if (is_directory && last_name(path) == "..") return Error::NotEmpty;
  if (!is_directory && type != FileType::Directory && path.text()[path.length() - 1] == '/') return Error::NotDirectory;
  if (!is_directory && type == FileType::Directory) return Error::IsDirectory;
  auto place = place_of(resolved);
  if (place.is_error()) return Error::Busy;
  const InodeHold hold(place.value().parent), removed_hold(inode);
  TRY(place.value().parent->remove_entry(span_of(place.value().name)));
  if (somebody_watches()) {
    if (!is_directory) tell_of_inode(*inode, file_event::kAttributes);
    tell_if_gone(*inode);
    tell_of_name(*place.value().parent, span_of(place.value().name), file_event::kDelete,
                 is_directory ? NamedThing::Directory : NamedThing::File);
  }
  return 0;
}

void tell_of_move(const Place& source, const Place& target, Inode& moved, Inode* replaced) {
  if (!somebody_watches()) return;
  auto status = moved.status();
  const NamedThing thing =
      status && status.value().type == FileType::Directory ? NamedThing::Directory : NamedThing::File;
  const uint32_t cookie = next_rename_cookie();
  tell_of_name(*source.parent, span_of(source.name), file_event::kMovedFrom, thing, cookie);
  tell_of_name(*target.parent, span_of(target.name), file_event::kMovedTo, thing, cookie);
  if (replaced != nullptr) tell_of_inode(*replaced, file_event::kAttributes);
  tell_of_inode(moved, file_event::kMoveSelf);
  if (replaced != nullptr) tell_if_gone(*replaced);
}

Result<uint64_t> rename(int old_directory, uint64_t old_path, int new_directory, uint64_t new_path,
                        uint32_t flags = 0) {
  constexpr uint32_t kNoReplace = 1, kExchange = 2, kWhiteout = 4;
  if ((flags & ~(kNoReplace | kExchange | kWhiteout)) != 0 || (flags & kWhiteout) != 0 ||
      (flags & (kNoReplace | kExchange)) == (kNoReplace | kExchange))
    return Error::Invalid;
  bool has_slash = false;
  char from[kMaximumPath], to[kMaximumPath];
  {
    UserPath path;
    TRY(path.read(old_path));
    if (path.empty()) return Error::NoEntry;
    if (last_name(path) == "." || last_name(path) == "..") return Error::Busy;
    has_slash = path.text()[path.length() - 1] == '/';
    TRY(resolve_path(old_directory, path.text(), FollowLast::No, from));
    TRY(path.read(new_path));
    if (path.empty()) return Error::NoEntry;
    if (last_name(path) == "." || last_name(path) == "..")
      return (flags & kNoReplace) != 0 ? Error::Exists : Error::Busy;
    has_slash |= path.text()[path.length() - 1] == '/';
    TRY(resolve_path(new_directory, path.text(), FollowLast::No, to));
  }
  Inode* moved = TRY(find_inode(root_inode(), {from, __builtin_strlen(from)}, FollowLast::No));
  if (has_slash && TRY(moved->status()).type != FileType::Directory) return Error::NotDirectory;
  const size_t length = __builtin_strlen(from);
  if (std::string_view(to).starts_with(from) && to[length] == '/') return Error::Invalid;  // into itself
  const std::string_view target_path(to);
  if (std::string_view(from).starts_with(target_path) && from[target_path.size()] == '/') {
    // Over a folder that it stands in, which is not empty then.
    return (flags & kNoReplace) != 0 ? Error::Exists : ((flags & kExchange) != 0 ? Error::Invalid : Error::NotEmpty);
  }
  if (std::string_view(from) == "/" || target_path == "/") return Error::Busy;
  const Place source = TRY(place_of(from)), target = TRY(place_of(to));
  const InodeHold source_hold(source.parent), target_hold(target.parent);
  if (TRY(source.parent->status()).device != TRY(target.parent->status()).device) return Error::CrossDevice;
  if (flags == 0) {
    auto replaced = somebody_watches() ? target.parent->lookup(span_of(target.name)) : Result<Inode*>(Error::NoEntry);
    Inode* gone = replaced && replaced.value() != moved ? replaced.value() : nullptr;
    const bool is_same = replaced && replaced.value() == moved;  // two names of one file stay as they are
    const InodeHold moved_hold(moved), gone_hold(gone);
    TRY(source.parent->rename_entry(span_of(source.name), *target.parent, span_of(target.name)));
    if (!is_same) tell_of_move(source, target, *moved, gone);
    return 0;
  }
  TRY(source.parent->rename_entry_as(
      (flags & kExchange) != 0 ? Inode::RenameMode::Exchange : Inode::RenameMode::NoReplace, span_of(source.name),
      *target.parent, span_of(target.name)));
  if ((flags & kNoReplace) != 0) tell_of_move(source, target, *moved, nullptr);
  return 0;
}

Result<uint64_t> change_permissions(Inode& inode, uint16_t permissions) {
  const InodeHold hold(&inode);
  TRY(inode.set_permissions(permissions & 07777));
  return 0;
}

Result<Inode*> inode_at(int directory, uint64_t user_path, FollowLast follow) {
  UserPath path;
  TRY(path.read(user_path));
  return find_user_inode(directory, path, follow);
}

Result<uint64_t> change_permissions_at(int directory, uint64_t path, uint16_t permissions) {
  Inode* inode = TRY(inode_at(directory, path, FollowLast::Yes));
  TRY(change_permissions(*inode, permissions));
  tell_of_user_path(directory, path, FollowLast::Yes, *inode, file_event::kAttributes);
  return 0;
}

Result<uint64_t> resize(Inode& inode, uint64_t size) {
  if (static_cast<int64_t>(size) < 0) return Error::Invalid;
  const InodeStatus status = TRY(inode.status());
  if (status.type == FileType::Directory) return Error::IsDirectory;
  if (status.type != FileType::Regular) return Error::Invalid;
  if (is_running_program(&inode)) return Error::TextBusy;
  const InodeHold hold(&inode);
  TRY(inode.resize(size));
  return 0;
}

// What a file's owner lent to who runs it does not pass on to the next one (chown(2)).
Result<void> take_back_owner_rights(Inode& inode) {
  constexpr uint16_t kSetUser = 04000, kSetGroup = 02000, kGroupExecutes = 010;
  const InodeStatus status = TRY(inode.status());
  const auto group = static_cast<uint16_t>((status.permissions & kGroupExecutes) != 0 ? kSetGroup : 0);
  const auto lent = static_cast<uint16_t>(status.permissions & (kSetUser | group));
  if (status.type == FileType::Directory || status.type == FileType::Symlink || lent == 0) return {};
  return inode.set_permissions(static_cast<uint16_t>(status.permissions & ~lent));
}

Result<uint64_t> change_owner(Inode& inode, uint64_t user, uint64_t group) {
  const InodeHold hold(&inode);
  TRY(take_back_owner_rights(inode));
  TRY(inode.set_owner(static_cast<uint32_t>(user), static_cast<uint32_t>(group)));
  return 0;
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
  return make_node(kAtWorkingDirectory, argument[0],
                   {.type = FileType::Directory, .permissions = static_cast<uint16_t>(argument[1] & 01777)});
}
MORTEM_CALL(mkdirat) {
  return make_node(argument.number(0), argument[1],
                   {.type = FileType::Directory, .permissions = static_cast<uint16_t>(argument[2] & 01777)});
}
MORTEM_CALL(mknod) {
  return make_special(kAtWorkingDirectory, argument[0], static_cast<uint32_t>(argument[1]),
                      static_cast<uint32_t>(argument[2]));
}
MORTEM_CALL(mknodat) {
  return make_special(argument.number(0), argument[1], static_cast<uint32_t>(argument[2]),
                      static_cast<uint32_t>(argument[3]));
}
MORTEM_CALL(symlink) {
  return make_symlink(argument[0], kAtWorkingDirectory, argument[1]);
}
MORTEM_CALL(symlinkat) {
  return make_symlink(argument[0], argument.number(1), argument[2]);
}
MORTEM_CALL(link) {
  return make_link(kAtWorkingDirectory, argument[0], kAtWorkingDirectory, argument[1], 0);
}
MORTEM_CALL(linkat) {
  return make_link(argument.number(0), argument[1], argument.number(2), argument[3], argument.number(4));
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
  return rename(argument.number(0), argument[1], argument.number(2), argument[3], static_cast<uint32_t>(argument[4]));
}
MORTEM_CALL(truncate) {
  Inode* inode = TRY(inode_at(kAtWorkingDirectory, argument[0], FollowLast::Yes));
  TRY(resize(*inode, argument[1]));
  tell_of_user_path(kAtWorkingDirectory, argument[0], FollowLast::Yes, *inode, file_event::kModify);
  return 0;
}
MORTEM_CALL(ftruncate) {
  OpenFile* file = TRY(open_file(argument.number(0)));
  if (!file->can_write() || file->inode() == nullptr) return Error::Invalid;
  TRY(resize(*file->inode(), argument[1]));
  tell_of_file(*file->inode(), file->path(), file_event::kModify);
  return 0;
}
MORTEM_CALL(chmod) {
  return change_permissions_at(kAtWorkingDirectory, argument[0], static_cast<uint16_t>(argument[1]));
}
MORTEM_CALL(fchmod) {
  OpenFile* file = TRY(open_file(argument.number(0)));
  if (file->inode() == nullptr) return 0;
  TRY(change_permissions(*file->inode(), static_cast<uint16_t>(argument[1])));
  tell_of_file(*file->inode(), file->path(), file_event::kAttributes);
  return 0;
}
MORTEM_CALL(fchmodat) {
  return change_permissions_at(argument.number(0), argument[1], static_cast<uint16_t>(argument[2]));
}
MORTEM_CALL(chown) {
  return change_owner(*TRY(inode_at(kAtWorkingDirectory, argument[0], FollowLast::Yes)), argument[1], argument[2]);
}
MORTEM_CALL(lchown) {
  return change_owner(*TRY(inode_at(kAtWorkingDirectory, argument[0], FollowLast::No)), argument[1], argument[2]);
}
MORTEM_CALL(fchown) {
  OpenFile* file = TRY(open_file(argument.number(0)));
  return file->inode() == nullptr ? Result<uint64_t>(0) : change_owner(*file->inode(), argument[1], argument[2]);
}
MORTEM_CALL(fchownat) {
  if ((argument.number(4) & ~(kAtNoFollow | kAtEmptyPath)) != 0) return Error::Invalid;
  UserPath path;
  TRY(path.read(argument[1]));
  if (path.empty() && (argument.number(4) & kAtEmptyPath) != 0) {
    OpenFile* file = TRY(open_file(argument.number(0)));
    return file->inode() == nullptr ? Result<uint64_t>(0) : change_owner(*file->inode(), argument[2], argument[3]);
  }
  const FollowLast follow = (argument.number(4) & kAtNoFollow) != 0 ? FollowLast::No : FollowLast::Yes;
  return change_owner(*TRY(find_user_inode(argument.number(0), path, follow)), argument[2], argument[3]);
}

}  // namespace kernel::linux
