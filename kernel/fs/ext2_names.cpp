// What changes directories: files made, linked, renamed and removed. Each is one step of one transaction.
#include "kernel/fs/ext2.h"
#include "kernel/library/log.h"

namespace kernel::ext2 {
namespace {

constexpr uint16_t kMostLinks = 65'000, kMostFolders = 32'000;  // what ext4's and ext3's Linux allow
constexpr size_t kMaximumName = 255;
constexpr uint16_t kSetGroup = 02000;
constexpr char kDotDot[] = {'.', '.'};

// A full disk may have blocks that the next commit sets free: then once more.
template <typename Operation>
auto with_retry(Volume& volume, Operation operation) {
  auto result = operation();
  if (result.is_error() && result.error() == Error::NoSpace && volume.wait_for_freed_blocks()) return operation();
  return result;
}

}  // namespace

Result<void> Ext2Inode::check_name(std::span<const char> name) const {
  if (name.size() > kMaximumName) return Error::NameTooLong;
  if (name.empty()) return Error::NoEntry;
  return {};
}

Result<void> Ext2Inode::begin_names() {
  if (!is_directory()) return Error::NotDirectory;
  TRY(volume_.begin(kNameBlocks));
  return links() == 0 ? Error::NoEntry : Result<void>();  // somebody sits in a directory that was removed
}

Result<Ext2Inode*> Ext2Inode::child(const Place& place) {
  return volume_.find_inode(place.inode, false);
}

Result<void> Ext2Inode::fill_symlink(std::span<const char> target) {
  if (target.size() < kFastSymlinkSize) {
    __builtin_memcpy(disk_.block, target.data(), target.size());
  } else {
    const uint32_t block = TRY(map_or_allocate(0));
    __builtin_memcpy(TRY(volume_.create(block)).data(), target.data(), target.size());
  }
  set_size(target.size());
  return {};
}

Result<Ext2Inode*> Ext2Inode::make_child_once(std::span<const char> name, uint16_t mode, std::span<const char> target,
                                              uint64_t device_number) {
  TRY(check_name(name));
  TRY(begin_names());
  if (auto found = find_place(name); found)
    return Error::Exists;
  else if (found.error() != Error::NoEntry)
    return found.error();
  const uint16_t type = mode & kTypeMask;
  if (type == kDirectory && links() >= kMostFolders) return Error::TooManyLinks;
  const Place place = TRY(make_place(name));
  Ext2Inode& inode = *TRY(volume_.allocate_inode(*this, mode));
  if ((disk_.mode & kSetGroup) != 0) {
    inode.disk_.group = disk_.group;
    inode.disk_.group_high = disk_.group_high;
    if (type == kDirectory) inode.disk_.mode |= kSetGroup;
  }
  Result<void> filled;
  if (type == kDirectory)
    filled = inode.begin_directory(*this);
  else if (type == kSymlink)
    filled = inode.fill_symlink(target);
  else if (type == kCharacter || type == kBlock)
    put_device_number(inode.disk_, device_number);
  if (filled.is_error()) {
    // No block was left for it; nothing names it yet.
    if (filled.error() == Error::NoSpace) TRY(volume_.free_inode(inode));
    return filled.error();
  }
  inode.disk_.links = type == kDirectory ? 2 : 1;
  TRY(inode.store_sized());
  TRY(fill_place(place, name, inode));
  if (type == kDirectory) ++disk_.links;
  touch(Change::Both);
  TRY(store_sized());
  return &inode;
}

Result<Ext2Inode*> Ext2Inode::make_child(std::span<const char> name, uint16_t mode, std::span<const char> target,
                                         uint64_t device_number) {
  return with_retry(volume_, [&] { return make_child_once(name, mode, target, device_number); });
}

Result<Inode*> Ext2Inode::create(std::span<const char> name, FileType type, uint16_t permissions) {
  const auto mode = static_cast<uint16_t>(mode_of_file_type(type) | (permissions & 07777));
  return static_cast<Inode*>(TRY(make_child(name, mode, {}, 0)));
}

Result<Inode*> Ext2Inode::create_symlink(std::span<const char> name, std::span<const char> target) {
  if (target.size() >= volume_.block_size()) return Error::NameTooLong;
  if (target.empty()) return Error::NoEntry;
  return static_cast<Inode*>(TRY(make_child(name, kSymlink | 0777, target, 0)));
}

Result<Inode*> Ext2Inode::create_device(std::span<const char> name, FileType type, uint16_t permissions,
                                        uint64_t device_number) {
  const auto mode = static_cast<uint16_t>(mode_of_file_type(type) | (permissions & 07777));
  return static_cast<Inode*>(TRY(make_child(name, mode, {}, device_number)));
}

Result<Inode*> Ext2Inode::create_unnamed(uint16_t permissions) {
  return with_retry(volume_, [&]() -> Result<Inode*> {
    TRY(begin_names());
    Ext2Inode& inode = *TRY(volume_.allocate_inode(*this, static_cast<uint16_t>(kRegular | (permissions & 07777))));
    inode.is_linkable_ = true;
    TRY(inode.store());
    TRY(volume_.add_orphan(inode));
    return static_cast<Inode*>(&inode);
  });
}

Result<void> Ext2Inode::add_link(std::span<const char> name, Inode& existing) {
  auto& inode = static_cast<Ext2Inode&>(existing);
  return with_retry(volume_, [&]() -> Result<void> {
    TRY(check_name(name));
    TRY(begin_names());
    if (inode.is_directory()) return Error::NotPermitted;
    if (auto found = find_place(name); found)
      return Error::Exists;
    else if (found.error() != Error::NoEntry)
      return found.error();
    if (inode.links() == 0 && !inode.is_linkable_) return Error::NoEntry;
    if (inode.links() >= kMostLinks) return Error::TooManyLinks;
    const Place place = TRY(make_place(name));
    TRY(fill_place(place, name, inode));
    ++inode.disk_.links;
    TRY(volume_.remove_orphan(inode));
    inode.is_linkable_ = false;
    inode.touch(Change::Status);
    TRY(inode.store_sized());
    touch(Change::Both);
    return store_sized();
  });
}

// The name of `child` is gone from this directory. With its last name it is an orphan.
Result<void> Ext2Inode::drop_link(Ext2Inode& child) {
  if (child.is_directory()) {
    child.disk_.links = 0;
    if (disk_.links > 2) --disk_.links;
  } else {
    --child.disk_.links;
  }
  child.touch(Change::Status);
  TRY(child.store_sized());
  return child.links() == 0 ? volume_.add_orphan(child) : Result<void>();
}

Result<void> Ext2Inode::remove_entry(std::span<const char> name) {
  TRY(begin_names());
  const Place place = TRY(find_place(name));
  Ext2Inode& gone = *TRY(child(place));
  if (&gone == this || gone.number() == kRootInode) return Error::Invalid;
  if (gone.is_directory() && !TRY(gone.is_empty())) return Error::NotEmpty;
  TRY(clear_place(place));
  TRY(drop_link(gone));
  touch(Change::Both);
  TRY(store_sized());
  volume_.evict(gone);
  return {};
}

Result<void> Ext2Inode::set_parent(Ext2Inode& parent) {
  return point_to(TRY(find_place(kDotDot)), parent);
}

// Whether this directory is `directory` or stands somewhere below it.
Result<bool> Ext2Inode::is_below(Ext2Inode& directory) {
  Ext2Inode* at = this;
  for (uint32_t depth = 0; at != &directory; ++depth) {
    if (at->number() == kRootInode) return false;
    if (depth > volume_.inode_count()) return damaged("its folders lead round in a circle");
    at = TRY(at->child(TRY(at->find_place(kDotDot))));
  }
  return true;
}

// The name of `target` in `to` is that of `moved` from now on; what had it loses it.
Result<void> Ext2Inode::rename_over(Ext2Inode& moved, Ext2Inode& to, const Place& target) {
  Ext2Inode& replaced = *TRY(to.child(target));
  if (replaced.is_directory() != moved.is_directory())
    return replaced.is_directory() ? Error::IsDirectory : Error::NotDirectory;
  if (replaced.is_directory() && !TRY(replaced.is_empty())) return Error::NotEmpty;
  TRY(to.point_to(target, moved));
  return to.drop_link(replaced);
}

Result<void> Ext2Inode::exchange(const Place& here, Ext2Inode& to, const Place& there) {
  Ext2Inode &mine = *TRY(child(here)), &other = *TRY(to.child(there));
  if (mine.is_directory() && TRY(to.is_below(mine))) return Error::Invalid;
  if (other.is_directory() && TRY(is_below(other))) return Error::Invalid;
  TRY(point_to(here, other));
  TRY(to.point_to(there, mine));
  if (&to != this) {
    if (mine.is_directory()) TRY(mine.set_parent(to));
    if (other.is_directory()) TRY(other.set_parent(*this));
    const int moved = int{mine.is_directory()} - int{other.is_directory()};
    disk_.links = static_cast<uint16_t>(disk_.links - moved);
    to.disk_.links = static_cast<uint16_t>(to.disk_.links + moved);
  }
  for (Ext2Inode* inode : {&mine, &other}) {
    inode->touch(Change::Status);
    TRY(inode->store_sized());
  }
  for (Ext2Inode* inode : {this, &to}) {
    inode->touch(Change::Both);
    TRY(inode->store_sized());
  }
  return {};
}

Result<void> Ext2Inode::rename_once(std::span<const char> name, Ext2Inode& to, std::span<const char> new_name,
                                    std::optional<RenameMode> mode) {
  TRY(check_name(new_name));
  TRY(begin_names());
  if (!to.is_directory()) return Error::NotDirectory;
  if (to.links() == 0) return Error::NoEntry;
  const Place source = TRY(find_place(name));
  auto target = to.find_place(new_name);
  if (target.is_error() && target.error() != Error::NoEntry) return target.error();
  if (mode == RenameMode::NoReplace && target) return Error::Exists;
  if (mode == RenameMode::Exchange) return exchange(source, to, TRY(target));
  Ext2Inode& moved = *TRY(child(source));
  if (target && target.value().inode == moved.number()) return {};
  if (moved.is_directory() && TRY(to.is_below(moved))) return Error::Invalid;
  const bool changes_parent = moved.is_directory() && &to != this;
  Ext2Inode* replaced = nullptr;
  if (target) {
    replaced = TRY(to.child(target.value()));
    TRY(rename_over(moved, to, target.value()));
  } else {
    if (changes_parent && to.links() >= kMostFolders) return Error::TooManyLinks;
    TRY(to.fill_place(TRY(to.make_place(new_name)), new_name, moved));
  }
  // A place made in the same block stands between the old name and the one before it.
  TRY(clear_place(TRY(find_place(name))));
  if (changes_parent) {
    TRY(moved.set_parent(to));
    --disk_.links;
    ++to.disk_.links;
  }
  moved.touch(Change::Status);
  TRY(moved.store_sized());
  for (Ext2Inode* inode : {this, &to}) {
    inode->touch(Change::Both);
    TRY(inode->store_sized());
  }
  if (replaced != nullptr) volume_.evict(*replaced);
  return {};
}

Result<void> Ext2Inode::rename_entry(std::span<const char> name, Inode& to, std::span<const char> new_name) {
  auto& target = static_cast<Ext2Inode&>(to);
  return with_retry(volume_, [&] { return rename_once(name, target, new_name, std::nullopt); });
}

Result<void> Ext2Inode::rename_entry_as(RenameMode mode, std::span<const char> name, Inode& to,
                                        std::span<const char> new_name) {
  auto& target = static_cast<Ext2Inode&>(to);
  return with_retry(volume_, [&] { return rename_once(name, target, new_name, mode); });
}

}  // namespace kernel::ext2
