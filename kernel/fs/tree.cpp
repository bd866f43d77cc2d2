#include "kernel/fs/tree.h"

#include <cstdarg>
#include <string_view>

#include "kernel/arch/x86_64/interrupts.h"
#include "kernel/library/log.h"
#include "kernel/memory/heap.h"

namespace kernel {
namespace {

// Inode numbers of all trees together: a program that compares st_dev and st_ino sees each file once.
uint64_t g_next_inode = 1;

Result<char*> copy_text(std::string_view text) {
  char* copy = static_cast<char*>(heap_allocate(text.size() + 1));
  if (copy == nullptr) return Error::NoMemory;
  __builtin_memcpy(copy, text.data(), text.size());
  return copy;  // the heap gives zeros: terminated
}

InodeStatus new_status(uint64_t device, FileType type, uint16_t permissions) {
  const int64_t now_s = wall_clock_ns() / 1'000'000'000;
  return {.device = device,
          .inode = g_next_inode++,
          .type = type,
          .permissions = permissions,
          .links = 1,
          .user = 0,
          .group = 0,
          .size = 0,
          .blocks = 0,
          .device_number = 0,
          .access_s = now_s,
          .modify_s = now_s,
          .change_s = now_s};
}

class TreeLeaf : public Inode {
 public:
  TreeLeaf(const InodeStatus& status, const TreeOperations& operations, void* context)
      : status_(status), operations_(operations), context_(context) {}

  Result<InodeStatus> status() override { return InodeStatus(status_); }

  Result<size_t> read(uint64_t offset, std::span<uint8_t> to) override {
    if (operations_.read != nullptr) return operations_.read(offset, to, context_);
    if (operations_.generate == nullptr) return Error::Invalid;
    TreeText text(offset, to);
    TRY(operations_.generate(text, context_));
    return text.filled();
  }

  Result<size_t> write(uint64_t offset, std::span<const uint8_t> from) override {
    if (operations_.write == nullptr) return Error::AccessDenied;
    return operations_.write(offset, from, context_);
  }

  Result<size_t> read_link(std::span<char> to) override {
    if (operations_.read_link == nullptr) return Error::Invalid;
    return operations_.read_link(to, context_);
  }

 private:
  InodeStatus status_;
  TreeOperations operations_;
  void* context_;
};

Result<void> generate_fixed(TreeText& text, void* context) {
  const std::string_view all = static_cast<const char*>(context);
  text.append({all.data(), all.size()});
  return {};
}

Result<size_t> read_fixed_link(std::span<char> to, void* context) {
  const std::string_view target = static_cast<const char*>(context);
  const size_t length = target.size() < to.size() ? target.size() : to.size();
  __builtin_memcpy(to.data(), target.data(), length);
  return length;
}

class Directory final : public TreeDirectory {
 public:
  Directory(const InodeStatus& status, Directory* parent) : status_(status), parent_(parent) {}

  Result<InodeStatus> status() override { return InodeStatus(status_); }

  Result<size_t> read(uint64_t, std::span<uint8_t>) override { return Error::IsDirectory; }

  Result<Inode*> lookup(std::span<const char> name) override {
    const std::string_view wanted{name.data(), name.size()};
    if (wanted == ".") return static_cast<Inode*>(this);
    if (wanted == "..") return static_cast<Inode*>(parent_ != nullptr ? parent_ : this);
    if (Entry* entry = find(wanted)) return static_cast<Inode*>(entry->inode);
    return Error::NoEntry;
  }

  // The cursor is the order in which entries were added, so that one that is removed moves no other.
  Result<void> list(uint64_t cursor, DirectoryVisitor visit, void* context) override {
    constexpr uint64_t kDotDot = 1, kFirst = 2;
    const uint64_t parent = parent_ != nullptr ? parent_->status_.inode : status_.inode;
    if (cursor < kDotDot && !visit({".", 1, status_.inode, FileType::Directory, kDotDot}, context)) return {};
    if (cursor < kFirst && !visit({"..", 2, parent, FileType::Directory, kFirst}, context)) return {};
    for (Entry* entry = first_; entry != nullptr; entry = entry->next) {
      if (entry->number < cursor) continue;
      const InodeStatus status = TRY(entry->inode->status());
      const std::string_view name = entry->name;
      if (!visit({name.data(), name.size(), status.inode, status.type, entry->number + 1}, context)) return {};
    }
    return {};
  }

  Result<TreeDirectory*> add_directory(const char* name, uint16_t permissions) override {
    auto* directory = TRY(make<Directory>(new_status(status_.device, FileType::Directory, permissions), this));
    directory->status_.links = 2;
    TRY(add_inode(name, directory));
    ++status_.links;
    return static_cast<TreeDirectory*>(directory);
  }

  Result<Inode*> add_file(const char* name, uint16_t permissions, const TreeOperations& operations,
                          void* context) override {
    return add_leaf(name, new_status(status_.device, FileType::Regular, permissions), operations, context);
  }

  Result<Inode*> add_text(const char* name, const char* text) override {
    return add_file(name, 0444, {.generate = generate_fixed}, const_cast<char*>(text));
  }

  Result<Inode*> add_symlink(const char* name, const char* target) override {
    char* copy = TRY(copy_text(target));
    return add_link(name, {.read_link = read_fixed_link}, copy);
  }

  Result<Inode*> add_link(const char* name, const TreeOperations& operations, void* context) override {
    return add_leaf(name, new_status(status_.device, FileType::Symlink, 0777), operations, context);
  }

  Result<Inode*> add_device(const char* name, uint16_t permissions, uint32_t major, uint32_t minor,
                            const TreeOperations& operations, void* context) override {
    InodeStatus status = new_status(status_.device, FileType::CharacterDevice, permissions);
    status.device_number = uint64_t{major} << 8 | minor;
    return add_leaf(name, status, operations, context);
  }

  Result<void> add_inode(const char* name, Inode* inode) override {
    const std::string_view wanted = name;
    if (wanted.empty() || wanted.size() > 255 || wanted.find('/') != wanted.npos) return Error::Invalid;
    if (find(wanted) != nullptr) return Error::Exists;
    Entry* entry = TRY(make<Entry>());
    auto copy = copy_text(wanted);
    if (copy.is_error()) {
      destroy(entry);
      return copy.error();
    }
    *entry = {copy.value(), inode, next_number_++, nullptr};
    *last_ = entry;
    last_ = &entry->next;
    return {};
  }

  void remove(const char* name) override {
    for (Entry** link = &first_; *link != nullptr; link = &(*link)->next) {
      Entry* entry = *link;
      if (std::string_view(entry->name) != name) continue;
      *link = entry->next;
      if (last_ == &entry->next) last_ = link;
      heap_free(entry->name);
      destroy(entry);
      return;
    }
  }

 private:
  struct Entry {
    char* name;
    Inode* inode;
    uint64_t number;
    Entry* next;
  };

  Entry* find(std::string_view name) {
    for (Entry* entry = first_; entry != nullptr; entry = entry->next)
      if (name == entry->name) return entry;
    return nullptr;
  }

  Result<Inode*> add_leaf(const char* name, const InodeStatus& status, const TreeOperations& operations,
                          void* context) {
    TreeLeaf* leaf = TRY(make<TreeLeaf>(status, operations, context));
    if (auto added = add_inode(name, leaf); added.is_error()) {
      destroy(leaf);
      return added.error();
    }
    return static_cast<Inode*>(leaf);
  }

  InodeStatus status_;
  Directory* parent_;
  Entry* first_ = nullptr;
  Entry** last_ = &first_;
  uint64_t next_number_ = 2;  // behind "." and ".."
};

}  // namespace

void TreeText::append(std::span<const char> bytes) {
  const uint64_t start = position_;
  position_ += bytes.size();
  if (position_ <= offset_ || filled_ == window_.size()) return;
  const size_t skip = start < offset_ ? offset_ - start : 0;
  size_t count = bytes.size() - skip;
  if (count > window_.size() - filled_) count = window_.size() - filled_;
  __builtin_memcpy(window_.data() + filled_, bytes.data() + skip, count);
  filled_ += count;
}

void TreeText::append(const char* format, ...) {
  char piece[512];
  va_list arguments;
  va_start(arguments, format);
  size_t length = format_text_list(piece, sizeof piece, format, arguments);
  va_end(arguments);
  if (length >= sizeof piece) length = sizeof piece - 1;
  append(std::span<const char>{piece, length});
}

Result<TreeDirectory*> make_tree(uint64_t device) {
  Directory* root = TRY(make<Directory>(new_status(device, FileType::Directory, 0555), nullptr));
  return static_cast<TreeDirectory*>(root);
}

}  // namespace kernel
