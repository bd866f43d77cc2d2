// Writable file systems in memory, and e2fsck as their judge.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "kernel/fs/inode.h"
#include "tests/unit/kernel_device_fakes.h"

namespace ext3_images {

inline constexpr const char* kOptions =
    "-t ext3 -b 4096 -I 256 -m 0 -N 512 -J size=4 -O none,has_journal,ext_attr,filetype,sparse_super,large_file";

// An empty file system of so many MiB.
std::vector<uint8_t> make(unsigned mebibytes, const std::string& options = kOptions);
// e2fsck's exit status and what it printed; `mode`: "-fn" (only look), "-fp" (repair what is safe, replay the journal).
struct Verdict {
  int status;
  std::string text;
};
Verdict check(const std::vector<uint8_t>& image, const std::string& mode = "-fn");
// Every regular file by its path and content, as debugfs sees them.
std::map<std::string, std::string> files(const std::vector<uint8_t>& image);
std::string content(const std::vector<uint8_t>& image, const std::string& path);

kernel::Inode* mount(kernel::BlockDevice& disk);  // fails the test when it does not mount
std::span<const char> text(const std::string& value);
kernel::Inode* find(kernel::Inode* root, const std::string& path);  // null: not there
kernel::Inode* make_file(kernel::Inode* folder, const std::string& name, const std::string& content = "");
std::string read(kernel::Inode* file);
size_t write(kernel::Inode* file, uint64_t offset, const std::string& content);

}  // namespace ext3_images
