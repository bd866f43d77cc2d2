// The app's descriptors, working directory and paths.
#pragma once

#include "kernel/linux/open_file.h"

namespace kernel::linux {

inline constexpr size_t kMaximumPath = 4096;  // PATH_MAX, its NUL included
inline constexpr int kAtWorkingDirectory = -100;
inline constexpr int kAtNoFollow = 0x100, kAtRemoveDirectory = 0x200, kAtFollow = 0x400, kAtEmptyPath = 0x1000;

struct Descriptor {
  OpenFile* file = nullptr;
  bool close_on_exec = false;
};

Result<OpenFile*> open_file(int descriptor);  // BadDescriptor; never null
Result<void> close_descriptor(int descriptor);
// The lowest free descriptor from `least` on; takes over the reference. On an error the file is released.
Result<uint64_t> install(OpenFile* file, bool close_on_exec, int least = 0);
Result<void> check_descriptor_is_free();  // TooManyFiles: install would fail
Result<uint64_t> install_at(int descriptor, OpenFile* file, bool close_on_exec);
Descriptor* descriptor_at(int descriptor);  // null: not open
int descriptor_table_size();
void describe_descriptors(mortem::format::OpenFileTables& tables);
void set_descriptor_limit(uint64_t limit);

bool is_running_program(const Inode* inode);  // nobody may change it (ETXTBSY)

// File system context.
struct WorkingDirectory {
  Inode* inode;
  char path[kMaximumPath];
};
WorkingDirectory& working_directory();
Result<void> change_directory(const char* path);
uint16_t file_creation_mask();

// A path of the app, copied into the kernel.
class UserPath {
 public:
  Result<void> read(uint64_t address);
  const char* text() const { return text_; }
  size_t length() const { return length_; }
  std::span<const char> span() const { return {text_, length_}; }
  bool empty() const { return length_ == 0; }

 private:
  char text_[kMaximumPath];
  size_t length_ = 0;
};

// Where relative paths of a call with `directory` (a descriptor or AT_FDCWD) start.
Result<Inode*> start_inode(int directory, const UserPath& path);
Result<Inode*> find_user_inode(int directory, const UserPath& path, FollowLast follow);

// The absolute path without symbolic links, "." and ".."; the last name need not exist. `out` has kMaximumPath bytes.
Result<void> resolve_path(int directory, const char* path, FollowLast follow, char* out);
// "/proc/self/fd/N": N; -1: another path.
int descriptor_of_path(const char* path);

inline constexpr uint64_t kTmpfsDevice = 24, kSharedMemoryDevice = 26, kProcDevice = 21, kSysDevice = 22;  // st_dev
constexpr bool is_tmpfs(uint64_t device) {
  return device == kTmpfsDevice || device == kSharedMemoryDevice;
}

const char* kept_path(const char* path);  // a copy for ever, the same for the same text; null: no memory

// A file was mapped for execution: its build id goes into the module table (libraries).
void note_mapped_file(Inode& inode, const char* path, uint64_t start, uint64_t length, uint64_t offset);

}  // namespace kernel::linux
