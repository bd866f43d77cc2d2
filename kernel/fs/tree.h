// A small tree in memory: /dev, /proc and /sys are made of it. Directories, symbolic links, devices and files whose
// text is made when they are read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernel/fs/inode.h"
#include "kernel/library/result.h"

namespace kernel {

class TreeDirectory;
class TreeText;

// What a leaf of the tree does; callbacks may be null. `context` is what was given when it was added.
struct TreeOperations {
  // Writes the whole text of the file; called at each read, so keep it cheap. The file's size is shown as 0, as in
  // Linux's /proc.
  Result<void> (*generate)(TreeText& text, void* context) = nullptr;
  // For devices and files that take bytes; as Inode's.
  Result<size_t> (*read)(uint64_t offset, std::span<uint8_t> to, void* context) = nullptr;
  Result<size_t> (*write)(uint64_t offset, std::span<const uint8_t> from, void* context) = nullptr;
  // For symbolic links whose target is not fixed; returns the target's length, at most to.size().
  Result<size_t> (*read_link)(std::span<char> to, void* context) = nullptr;
};

// Where a generated file's text goes: keeps only the window that the reader asked for.
class TreeText {
 public:
  TreeText(uint64_t offset, std::span<uint8_t> window) : offset_(offset), window_(window) {}
  void append(std::span<const char> bytes);
  void append(const char* format, ...) __attribute__((format(printf, 2, 3)));  // one piece of at most 511 bytes
  size_t filled() const { return filled_; }
  bool is_full() const { return filled_ == window_.size(); }  // what follows is not asked for

 private:
  uint64_t offset_;        // of the window in the text
  uint64_t position_ = 0;  // of the next byte in the text
  std::span<uint8_t> window_;
  size_t filled_ = 0;
};

// A new tree; `device` is its st_dev. Names are copied.
Result<TreeDirectory*> make_tree(uint64_t device);

class TreeDirectory : public Inode {
 public:
  virtual Result<TreeDirectory*> add_directory(const char* name, uint16_t permissions = 0555) = 0;
  virtual Result<Inode*> add_file(const char* name, uint16_t permissions, const TreeOperations& operations,
                                  void* context = nullptr) = 0;
  virtual Result<Inode*> add_text(const char* name, const char* text) = 0;       // fixed text, kept by the caller
  virtual Result<Inode*> add_symlink(const char* name, const char* target) = 0;  // fixed target, copied
  virtual Result<Inode*> add_link(const char* name, const TreeOperations& operations, void* context = nullptr) = 0;
  virtual Result<Inode*> add_device(const char* name, uint16_t permissions, uint32_t major, uint32_t minor,
                                    const TreeOperations& operations, void* context = nullptr) = 0;
  // An inode of another kind under this name (a file of the caller's own class).
  virtual Result<void> add_inode(const char* name, Inode* inode) = 0;
  virtual void remove(const char* name) = 0;  // the name only: inodes are kept; nothing there is no error
};

}  // namespace kernel
