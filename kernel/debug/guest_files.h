// Files of the guest that the client has open, for reading (vFile packets). Errors are negative errnos.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "gdbstub/target.h"
#include "kernel/fs/inode.h"

namespace kernel::debug {

class GuestFiles {
 public:
  int64_t open(std::string_view path);
  int64_t close(uint64_t number);
  int64_t read(uint64_t number, uint64_t offset, std::span<uint8_t> to);
  int64_t status(uint64_t number, mortem::gdbstub::FileStatus& status);
  int64_t status(std::string_view path, mortem::gdbstub::FileStatus& status);
  int64_t read_link(std::string_view path, std::span<char> to);
  void close_all();

 private:
  static constexpr size_t kMaximum = 16;
  // Beside the numbers of files: tables and texts that no file has (snapshot/format/open_files.h).
  static constexpr uint64_t kDescriptorTable = kMaximum, kSocketTable = kMaximum + 1, kFirstRing = kMaximum + 2;
  Inode* files_[kMaximum] = {};
  uint64_t ring_ends_[3] = {};  // what had been written when it was opened
};

}  // namespace kernel::debug
