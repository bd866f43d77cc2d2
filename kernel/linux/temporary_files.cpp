// The directories of tmpfs: lists of names. A name keeps its inode (memory_file.h).
#include "kernel/linux/temporary_files.h"

#include <string_view>

#include "kernel/linux/files.h"
#include "kernel/linux/memory_file.h"
#include "kernel/memory/heap.h"

namespace kernel::linux {
namespace {

constexpr size_t kLongestName = 255;
constexpr uint64_t kEntrySize = 20;  // what a name adds to a directory's size (Linux: BOGO_DIRENT_SIZE)

struct FileSystem {
  uint64_t device;
  MemoryLimit limit;
};

class Directory final : public MemoryInode {
 public:
  Directory(FileSystem& file_system, uint16_t permissions, Inode* parent)
      : MemoryInode(file_system.device, FileType::Directory, permissions, 2),
        file_system_(file_system),
        parent_(parent) {
    status_.size = 2 * kEntrySize;
  }

  Result<size_t> read(uint64_t, std::span<uint8_t>) override { return Error::IsDirectory; }
  Result<size_t> write(uint64_t, std::span<const uint8_t>) override { return Error::IsDirectory; }
  Result<void> resize(uint64_t) override { return Error::IsDirectory; }

  Result<Inode*> lookup(std::span<const char> name) override {
    const std::string_view wanted(name.data(), name.size());
    if (wanted == ".") return static_cast<Inode*>(this);
    if (wanted == "..") return parent_ != nullptr ? parent_ : static_cast<Inode*>(this);
    Entry* entry = find(wanted);
    if (entry == nullptr) return Error::NoEntry;
    return static_cast<Inode*>(entry->inode);
  }

  Result<void> list(uint64_t cursor, DirectoryVisitor visit, void* context) override {
    const uint64_t up = parent_ != nullptr ? TRY(parent_->status()).inode : number();
    if (cursor < 1 && !visit({".", 1, number(), FileType::Directory, 1}, context)) return {};
    if (cursor < 2 && !visit({"..", 2, up, FileType::Directory, 2}, context)) return {};
    // Entries stand in the order of their cookies, which are never used again: removing while listing skips nothing.
    for (Entry* entry = first_; entry != nullptr; entry = entry->next) {
      if (entry->cookie <= cursor) continue;
      if (!visit({entry->name, entry->length, entry->inode->number(), entry->inode->type(), entry->cookie}, context))
        return {};
    }
    return {};
  }

  Result<Inode*> create(std::span<const char> name, FileType type, uint16_t permissions) override {
    Entry* entry = TRY(make_entry({name.data(), name.size()}));
    MemoryInode* inode = nullptr;
    if (type == FileType::Directory) {
      if (auto made = make<Directory>(file_system_, permissions, this)) inode = made.value();
    } else {
      if (auto made = make<MemoryFile>(file_system_.device, type, permissions, 1u, file_system_.limit))
        inode = made.value();
    }
    if (inode == nullptr) {
      heap_free(entry);
      return Error::NoSpace;
    }
    append(entry, inode);
    if (type == FileType::Directory) ++status_.links;
    return static_cast<Inode*>(inode);
  }

  Result<Inode*> create_unnamed(uint16_t permissions) override {
    return static_cast<Inode*>(
        TRY(make<MemoryFile>(file_system_.device, FileType::Regular, permissions, 0u, file_system_.limit)));
  }

  Result<void> add_link(std::span<const char> name, Inode& file) override {
    Entry* entry = TRY(make_entry({name.data(), name.size()}));
    auto& inode = static_cast<MemoryInode&>(file);  // of the same device, as the caller checked
    append(entry, &inode);
    inode.name_added();
    return {};
  }

  Result<FileSystemFacts> file_system() override { return facts_of(file_system_.limit); }

  Result<void> remove_entry(std::span<const char> name) override {
    Entry* entry = find({name.data(), name.size()});
    if (entry == nullptr) return Error::NoEntry;
    MemoryInode* inode = entry->inode;
    if (holds_names(*inode)) return Error::NotEmpty;
    take_out(entry);
    let_go(*inode);
    return {};
  }

  Result<void> rename_entry(std::span<const char> name, Inode& to, std::span<const char> new_name) override {
    // Of the same device, as the caller checked.
    if (static_cast<MemoryInode&>(to).type() != FileType::Directory) return Error::NotDirectory;
    auto& target = static_cast<Directory&>(to);
    Entry* entry = find({name.data(), name.size()});
    if (entry == nullptr) return Error::NoEntry;
    MemoryInode* inode = entry->inode;
    const bool is_directory = inode->type() == FileType::Directory;
    if (Entry* old = target.find({new_name.data(), new_name.size()})) {
      MemoryInode* replaced = old->inode;
      if (replaced == inode) return {};  // rename(2): two names of one file stay as they are
      const bool old_is_directory = replaced->type() == FileType::Directory;
      if (is_directory != old_is_directory) return old_is_directory ? Error::IsDirectory : Error::NotDirectory;
      if (holds_names(*replaced)) return Error::NotEmpty;
      old->inode = inode;
      target.content_changed();
      target.let_go(*replaced);
    } else {
      target.append(TRY(target.make_entry({new_name.data(), new_name.size()})), inode);
    }
    take_out(entry);
    if (is_directory) {
      --status_.links;
      ++target.status_.links;
      static_cast<Directory*>(inode)->parent_ = &target;
    }
    return {};
  }

 private:
  struct Entry {
    Entry* next;
    MemoryInode* inode;
    uint64_t cookie;
    size_t length;
    char name[1];
  };

  static bool holds_names(MemoryInode& inode) {
    return inode.type() == FileType::Directory && static_cast<Directory&>(inode).first_ != nullptr;
  }

  Entry* find(std::string_view name) {
    for (Entry* entry = first_; entry != nullptr; entry = entry->next)
      if (std::string_view(entry->name, entry->length) == name) return entry;
    return nullptr;
  }

  Result<Entry*> make_entry(std::string_view name) const {
    if (status_.links == 0) return Error::NoEntry;  // removed, but somebody's working directory
    if (name.size() > kLongestName) return Error::NameTooLong;
    auto* entry = static_cast<Entry*>(heap_allocate(sizeof(Entry) + name.size()));
    if (entry == nullptr) return Error::NoSpace;
    entry->length = name.size();
    __builtin_memcpy(entry->name, name.data(), name.size());
    return entry;
  }

  void append(Entry* entry, MemoryInode* inode) {
    entry->inode = inode;
    entry->cookie = next_cookie_++;
    *last_ = entry;
    last_ = &entry->next;
    status_.size += kEntrySize;
    content_changed();
  }

  void take_out(Entry* entry) {
    Entry** at = &first_;
    while (*at != entry) at = &(*at)->next;
    *at = entry->next;
    if (last_ == &entry->next) last_ = at;
    heap_free(entry);
    status_.size -= kEntrySize;
    content_changed();
  }

  // Its name here is gone.
  void let_go(MemoryInode& inode) {
    if (inode.type() == FileType::Directory) {
      --status_.links;
      auto& directory = static_cast<Directory&>(inode);
      directory.parent_ = nullptr;  // this one may go before it
      directory.status_.links = 1;  // its own "."
    }
    inode.name_removed();
  }

  FileSystem& file_system_;
  Inode* parent_;
  Entry* first_ = nullptr;
  Entry** last_ = &first_;
  uint64_t next_cookie_ = 3;
};

}  // namespace

Result<Inode*> make_temporary_file_system(uint64_t device, Inode* parent) {
  constexpr uint16_t kSticky = 01777;
  auto* file_system = TRY(make<FileSystem>());
  *file_system = {device, {0, ram_page_count() / 2}};
  return static_cast<Inode*>(TRY(make<Directory>(*file_system, kSticky, parent)));
}

}  // namespace kernel::linux
