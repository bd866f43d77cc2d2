// /tmp: directories are lists of names, files are lists of pages. Inodes stay for as long as the guest runs (inode.h);
// the pages of a removed file that nobody can have open any more would be known only by counting opens, so they stay
// too until the file is truncated.
#include "kernel/linux/temporary_files.h"

#include <string_view>

#include "kernel/arch/x86_64/interrupts.h"
#include "kernel/linux/files.h"
#include "kernel/memory/heap.h"
#include "kernel/memory/physical.h"

namespace kernel::linux {
namespace {

uint64_t g_next_number = 1;

class TemporaryInode : public Inode {
 public:
  TemporaryInode(FileType type, uint16_t permissions, TemporaryInode* parent) : parent_(parent) {
    status_.device = kTmpfsDevice;
    status_.inode = g_next_number++;
    status_.type = type;
    status_.permissions = permissions;
    status_.links = type == FileType::Directory ? 2 : 1;
    touch();
    status_.access_s = status_.modify_s;
  }

  Result<InodeStatus> status() override { return status_; }

  Result<size_t> read(uint64_t offset, std::span<uint8_t> to) override {
    if (status_.type == FileType::Directory) return Error::IsDirectory;
    size_t done = 0;
    while (done < to.size() && offset < status_.size) {
      const uint64_t page = offset / kPageSize, within = offset % kPageSize;
      size_t part = kPageSize - within;
      if (part > to.size() - done) part = to.size() - done;
      if (part > status_.size - offset) part = status_.size - offset;
      if (page < page_count_ && pages_[page] != 0)
        __builtin_memcpy(to.data() + done, direct_map<uint8_t>(pages_[page]) + within, part);
      else
        __builtin_memset(to.data() + done, 0, part);
      done += part;
      offset += part;
    }
    return done;
  }

  Result<size_t> write(uint64_t offset, std::span<const uint8_t> from) override {
    if (status_.type == FileType::Directory) return Error::IsDirectory;
    size_t done = 0;
    while (done < from.size()) {
      const uint64_t page = offset / kPageSize, within = offset % kPageSize;
      if (reserve(page).is_error()) return done > 0 ? Result<size_t>(done) : Error::NoSpace;
      size_t part = kPageSize - within;
      if (part > from.size() - done) part = from.size() - done;
      __builtin_memcpy(direct_map<uint8_t>(pages_[page]) + within, from.data() + done, part);
      done += part;
      offset += part;
      if (offset > status_.size) status_.size = offset;
    }
    touch();
    return done;
  }

  Result<void> resize(uint64_t size) override {
    if (size > (uint64_t{1} << 40)) return Error::FileTooLarge;
    const uint64_t keep = page_up(size) / kPageSize;
    for (uint64_t page = keep; page < page_count_; ++page) {
      if (pages_[page] == 0) continue;
      free_pages(pages_[page], 1);
      status_.blocks -= kPageSize / 512;
      pages_[page] = 0;
    }
    // What grows again later reads as zero.
    if (size < status_.size && size % kPageSize != 0 && keep <= page_count_ && pages_[keep - 1] != 0)
      __builtin_memset(direct_map<uint8_t>(pages_[keep - 1]) + size % kPageSize, 0, kPageSize - size % kPageSize);
    status_.size = size;
    touch();
    return {};
  }

  Result<void> set_permissions(uint16_t permissions) override {
    status_.permissions = permissions;
    return {};
  }

  Result<size_t> read_link(std::span<char> to) override {
    if (status_.type != FileType::Symlink) return Error::Invalid;
    return read(0, {reinterpret_cast<uint8_t*>(to.data()), to.size()});
  }

  Result<Inode*> lookup(std::span<const char> name) override {
    if (status_.type != FileType::Directory) return Error::NotDirectory;
    const std::string_view wanted(name.data(), name.size());
    if (wanted == ".") return static_cast<Inode*>(this);
    if (wanted == "..") return static_cast<Inode*>(parent_ != nullptr ? parent_ : this);
    Entry* entry = find(wanted);
    if (entry == nullptr) return Error::NoEntry;
    return static_cast<Inode*>(entry->inode);
  }

  Result<void> list(uint64_t cursor, DirectoryVisitor visit, void* context) override {
    if (status_.type != FileType::Directory) return Error::NotDirectory;
    TemporaryInode* up = parent_ != nullptr ? parent_ : this;
    if (cursor < 1 && !visit({".", 1, status_.inode, FileType::Directory, 1}, context)) return {};
    if (cursor < 2 && !visit({"..", 2, up->status_.inode, FileType::Directory, 2}, context)) return {};
    // Entries stand in the order of their cookies, which are never used again: removing while listing skips nothing.
    for (Entry* entry = entries_; entry != nullptr; entry = entry->next) {
      if (entry->cookie <= cursor) continue;
      if (!visit({entry->name, entry->length, entry->inode->status_.inode, entry->inode->status_.type, entry->cookie},
                 context))
        return {};
    }
    return {};
  }

  Result<Inode*> create(std::span<const char> name, FileType type, uint16_t permissions) override {
    auto inode = TRY(make<TemporaryInode>(type, permissions, this));
    auto added = add({name.data(), name.size()}, inode);
    if (added.is_error()) {
      destroy(inode);
      return added.error();
    }
    if (type == FileType::Directory) ++status_.links;
    return static_cast<Inode*>(inode);
  }

  Result<void> remove_entry(std::span<const char> name) override {
    Entry* entry = find({name.data(), name.size()});
    if (entry == nullptr) return Error::NoEntry;
    if (entry->inode->entries_ != nullptr) return Error::NotEmpty;
    --entry->inode->status_.links;
    if (entry->inode->status_.type == FileType::Directory) --status_.links;
    take_out(entry);
    return {};
  }

  Result<void> rename_entry(std::span<const char> name, Inode& to, std::span<const char> new_name) override {
    auto& target = static_cast<TemporaryInode&>(to);  // of the same device, as the caller checked
    Entry* entry = find({name.data(), name.size()});
    if (entry == nullptr) return Error::NoEntry;
    TemporaryInode* inode = entry->inode;
    const bool is_directory = inode->status_.type == FileType::Directory;
    if (Entry* old = target.find({new_name.data(), new_name.size()})) {
      if (old->inode == inode) return {};
      const bool old_is_directory = old->inode->status_.type == FileType::Directory;
      if (is_directory != old_is_directory) return old_is_directory ? Error::IsDirectory : Error::NotDirectory;
      TRY(target.remove_entry(new_name));
    }
    TRY(target.add({new_name.data(), new_name.size()}, inode));
    take_out(entry);
    if (is_directory) {
      --status_.links;
      ++target.status_.links;
      inode->parent_ = &target;
    }
    return {};
  }

 private:
  struct Entry {
    Entry* next;
    TemporaryInode* inode;
    uint64_t cookie;
    size_t length;
    char name[1];
  };

  void touch() { status_.modify_s = status_.change_s = wall_clock_ns() / 1'000'000'000; }

  Entry* find(std::string_view name) {
    for (Entry* entry = entries_; entry != nullptr; entry = entry->next)
      if (std::string_view(entry->name, entry->length) == name) return entry;
    return nullptr;
  }

  Result<void> add(std::string_view name, TemporaryInode* inode) {
    if (status_.type != FileType::Directory) return Error::NotDirectory;
    if (name.size() > 255) return Error::NameTooLong;
    auto* entry = static_cast<Entry*>(heap_allocate(sizeof(Entry) + name.size()));
    if (entry == nullptr) return Error::NoSpace;
    entry->inode = inode;
    entry->cookie = next_cookie_++;
    entry->length = name.size();
    __builtin_memcpy(entry->name, name.data(), name.size());
    Entry** end = &entries_;
    while (*end != nullptr) end = &(*end)->next;
    *end = entry;
    touch();
    return {};
  }

  void take_out(Entry* entry) {
    Entry** at = &entries_;
    while (*at != entry) at = &(*at)->next;
    *at = entry->next;
    heap_free(entry);
    touch();
  }

  Result<void> reserve(uint64_t page) {
    if (page >= (uint64_t{1} << 28)) return Error::FileTooLarge;
    if (page >= page_count_) {
      uint64_t count = page_count_ == 0 ? 4 : page_count_ * 2;
      while (count <= page) count *= 2;
      auto* pages = static_cast<PhysicalAddress*>(heap_allocate(count * sizeof(PhysicalAddress)));
      if (pages == nullptr) return Error::NoSpace;
      if (page_count_ > 0) __builtin_memcpy(pages, pages_, page_count_ * sizeof(PhysicalAddress));
      heap_free(pages_);
      pages_ = pages;
      page_count_ = count;
    }
    if (pages_[page] != 0) return {};
    pages_[page] = TRY(allocate_page(PageOwner::App));
    status_.blocks += kPageSize / 512;
    return {};
  }

  InodeStatus status_{};
  TemporaryInode* parent_;  // of a directory; null: the root
  PhysicalAddress* pages_ = nullptr;
  uint64_t page_count_ = 0;
  Entry* entries_ = nullptr;  // of a directory
  uint64_t next_cookie_ = 3;
};

}  // namespace

Result<Inode*> make_temporary_file_system() {
  constexpr uint16_t kSticky = 01777;
  return static_cast<Inode*>(TRY(make<TemporaryInode>(FileType::Directory, kSticky, nullptr)));
}

}  // namespace kernel::linux
