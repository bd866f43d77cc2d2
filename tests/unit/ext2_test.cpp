// ext2 as mke2fs makes it, compared with what was put in.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>

#include "kernel/fs/inode.h"
#include "tests/unit/image_files.h"
#include "tests/unit/kernel_device_fakes.h"

namespace {

namespace fs = std::filesystem;
using namespace kernel;
using image_files::pattern;
using image_files::write_file;
using kernel_fakes::MemoryDisk;

std::span<const char> text(const std::string& value) {
  return {value.data(), value.size()};
}

std::string read_range(Inode* inode, uint64_t offset, size_t size) {
  std::string bytes(size, '?');
  auto count = inode->read(offset, {reinterpret_cast<uint8_t*>(bytes.data()), size});
  EXPECT_TRUE(count) << static_cast<int>(count.error());
  bytes.resize(count ? count.value() : 0);
  return bytes;
}

std::map<std::string, std::pair<uint64_t, FileType>> entries(Inode* directory, size_t at_once) {
  struct Context {
    std::map<std::string, std::pair<uint64_t, FileType>> result;
    uint64_t cursor = 0;
    size_t left = 0;
  } context;
  do {
    context.left = at_once;
    auto listed = directory->list(
        context.cursor,
        [](const DirectoryEntry& entry, void* pointer) {
          auto* context = static_cast<Context*>(pointer);
          EXPECT_TRUE(
              context->result.emplace(std::string(entry.name, entry.name_length), std::pair{entry.inode, entry.type})
                  .second);
          context->cursor = entry.next_cursor;
          return --context->left > 0;
        },
        &context);
    EXPECT_TRUE(listed);
    if (!listed) break;
  } while (context.left == 0);
  return context.result;
}

// Compares a directory of the image with the folder it was made from.
void compare(Inode* directory, const fs::path& folder) {
  const auto found = entries(directory, 3);
  size_t expected = 2 + found.count("lost+found");
  for (const auto& item : fs::directory_iterator(folder)) {
    ++expected;
    const std::string name = item.path().filename();
    SCOPED_TRACE(item.path().string());
    auto inode = directory->lookup(text(name));
    ASSERT_TRUE(inode);
    const InodeStatus status = inode.value()->status().release_value();
    struct stat host;
    ASSERT_EQ(lstat(item.path().c_str(), &host), 0);
    EXPECT_EQ(status.permissions, host.st_mode & 07777);
    EXPECT_EQ(status.links, host.st_nlink);
    EXPECT_EQ(status.user, host.st_uid);
    EXPECT_EQ(status.modify_s, host.st_mtime);
    ASSERT_TRUE(found.contains(name));
    EXPECT_EQ(found.at(name).first, status.inode);
    EXPECT_EQ(found.at(name).second, status.type);
    if (item.is_symlink()) {
      EXPECT_EQ(status.type, FileType::Symlink);
      std::string target(4096, '\0');
      auto length = inode.value()->read_link({target.data(), target.size()});
      ASSERT_TRUE(length);
      EXPECT_EQ(target.substr(0, length.value()), fs::read_symlink(item.path()).string());
    } else if (item.is_directory()) {
      EXPECT_EQ(status.type, FileType::Directory);
      EXPECT_EQ(inode.value()->lookup(text("..")).value(), directory);
      compare(inode.value(), item.path());
    } else if (item.is_fifo()) {
      EXPECT_EQ(status.type, FileType::Fifo);
    } else {
      EXPECT_EQ(status.type, FileType::Regular);
      EXPECT_EQ(status.size, fs::file_size(item.path()));
      const auto content = image_files::read_file(item.path());
      EXPECT_TRUE(read_range(inode.value(), 0, content.size() + 1) == std::string(content.begin(), content.end()));
      EXPECT_EQ(read_range(inode.value(), content.size(), 1), "");
    }
  }
  EXPECT_EQ(found.size(), expected);
}

void make_tree_of_files(const fs::path& folder) {
  write_file(folder / "empty", "");
  write_file(folder / "small", "hello\n");
  write_file(folder / "etc/mortem.manifest", "program=/bin/x\n");
  write_file(folder / "bin/program", pattern(300'000, 1));
  write_file(folder / ("long-" + std::string(240, 'n')), "long name");
  for (int index = 0; index < 700; ++index)  // several blocks of directory, a hash tree with dir_index
    write_file(folder / "many" / ("file-with-a-rather-long-name-" + std::to_string(index)), std::to_string(index));
  fs::create_symlink("../bin/program", folder / "etc/short-link");
  fs::create_symlink(std::string(59, 'a'), folder / "link59");
  fs::create_symlink(std::string(60, 'b'), folder / "link60");
  fs::create_symlink(std::string(900, 'c'), folder / "link900");
  fs::create_directories(folder / "a/b/c/d/e/f");
  fs::create_hard_link(folder / "small", folder / "a/b/hard");
  ASSERT_EQ(mkfifo((folder / "fifo").c_str(), 0640), 0);
  ASSERT_EQ(chmod((folder / "bin/program").c_str(), 04755), 0);
}

class Ext2 : public testing::TestWithParam<const char*> {};

TEST_P(Ext2, HoldsWhatWasPutIn) {
  image_files::ScratchFolder scratch;
  ASSERT_NO_FATAL_FAILURE(make_tree_of_files(scratch.path()));
  MemoryDisk disk(image_files::make_file_system(scratch.path(), GetParam(), 16'384));
  auto root = mount_ext2(disk, 0, disk.size());
  ASSERT_TRUE(root) << kernel_fakes::last_log();
  compare(root.value(), scratch.path());
  EXPECT_EQ(root.value()->lookup(text("none")).error(), Error::NoEntry);
  EXPECT_EQ(root.value()->lookup(text("small")).value()->lookup(text("x")).error(), Error::NotDirectory);
  EXPECT_EQ(root.value()->lookup(text("small")).value(), root.value()->lookup(text("small")).value());
  uint8_t byte[1] = {};
  EXPECT_EQ(root.value()->read(0, byte).error(), Error::IsDirectory);
  // Without a journal, or in smaller blocks than pages, it is not changed.
  if (!std::string(GetParam()).starts_with("-t ext3 -b 4096")) {
    EXPECT_EQ(root.value()->lookup(text("small")).value()->write(0, byte).error(), Error::ReadOnly);
  }
}

INSTANTIATE_TEST_SUITE_P(Layouts, Ext2,
                         testing::Values("-t ext2 -b 1024", "-t ext2 -b 2048", "-t ext2 -b 4096", "-t ext3 -b 1024",
                                         "-t ext3 -b 4096", "-t ext2 -b 1024 -I 128", "-t ext3 -b 4096 -I 128",
                                         "-t ext2 -b 1024 -O ^filetype", "-t ext2 -r 0 -b 1024",
                                         "-t ext2 -b 1024 -g 1024 -O ^resize_inode",
                                         "-t ext2 -O ^sparse_super,^dir_index,^resize_inode -b 2048"));

// With blocks of 1 KiB: 12 direct, 256 indirect, 65,536 double-indirect blocks end at 64.3 MiB.
TEST(Ext2Large, ReadsBehindTheDoubleIndirectBlocks) {
  image_files::ScratchFolder scratch;
  const std::string content = pattern(68 << 20, 5);
  write_file(scratch.path() / "large", content);
  MemoryDisk disk(image_files::make_file_system(scratch.path(), "-t ext2 -b 1024", 80 << 10));
  auto root = mount_ext2(disk, 0, disk.size());
  ASSERT_TRUE(root);
  Inode* file = root.value()->lookup(text("large")).release_value();
  EXPECT_TRUE(read_range(file, 0, content.size() + 100) == content);
  std::mt19937 random(2);
  for (int round = 0; round < 2000; ++round) {
    const size_t offset = random() % content.size(), size = random() % (round % 10 == 0 ? 400'000 : 9'000);
    ASSERT_TRUE(read_range(file, offset, size) == content.substr(offset, size)) << offset << " " << size;
  }
}

TEST(Ext2Large, ReadsManyBlocksAtOnce) {
  image_files::ScratchFolder scratch;
  write_file(scratch.path() / "large", pattern(8 << 20, 6));
  MemoryDisk disk(image_files::make_file_system(scratch.path(), "-t ext2 -b 4096", 16 << 10));
  Inode* file = mount_ext2(disk, 0, disk.size()).release_value()->lookup(text("large")).release_value();
  const uint64_t before = disk.reads;
  read_range(file, 0, 8 << 20);
  EXPECT_LT(disk.reads - before, 60u);
  EXPECT_GE(disk.largest_read, 1u << 20);
}

TEST(Ext2Large, HolesAreZeros) {
  image_files::ScratchFolder scratch;
  const fs::path sparse = scratch.path() / "sparse";
  {
    std::ofstream out(sparse, std::ios::binary);
    out << "start";
    out.seekp(int64_t{5} << 30);  // far into the triple-indirect blocks, over 4 GiB
    out << "middle";
  }
  fs::resize_file(sparse, (int64_t{6} << 30) + 123);
  MemoryDisk disk(image_files::make_file_system(scratch.path(), "-t ext2 -b 1024", 4096));
  Inode* file = mount_ext2(disk, 0, disk.size()).release_value()->lookup(text("sparse")).release_value();
  EXPECT_EQ(file->status().value().size, (uint64_t{6} << 30) + 123);
  EXPECT_EQ(read_range(file, 0, 6), std::string("start\0", 6));
  EXPECT_EQ(read_range(file, (uint64_t{5} << 30) - 2, 10), std::string("\0\0middle\0\0", 10));
  EXPECT_TRUE(read_range(file, uint64_t{1} << 30, 3 << 20) == std::string(3 << 20, '\0'));
  EXPECT_EQ(read_range(file, (uint64_t{6} << 30), 1000), std::string(123, '\0'));
}

TEST(Ext2Refused, FeaturesAreNamed) {
  image_files::ScratchFolder scratch;
  write_file(scratch.path() / "a", "b");
  const std::pair<const char*, const char*> kCases[] = {{"-t ext4 -O ^64bit,^flex_bg", "extents"},
                                                        {"-t ext2 -O flex_bg", "flex_bg"},
                                                        {"-t ext2 -O meta_bg,^resize_inode", "meta_bg"},
                                                        {"-t ext4 -O extents,64bit", "extents"},
                                                        {"-t ext3 -O mmp", "mmp"}};
  for (const auto& [options, feature] : kCases) {
    SCOPED_TRACE(options);
    kernel_fakes::g_log.clear();
    MemoryDisk disk(image_files::make_file_system(scratch.path(), options, 8192));
    EXPECT_EQ(mount_ext2(disk, 0, disk.size()).error(), Error::NotSupported);
    EXPECT_EQ(kernel_fakes::g_log.size(), 1u);
    EXPECT_TRUE(kernel_fakes::logged(std::string("feature ") + feature)) << kernel_fakes::last_log();
  }
}

TEST(Ext2Refused, NoFileSystemAndNoRoom) {
  MemoryDisk nothing(std::vector<uint8_t>(1 << 20));
  EXPECT_EQ(mount_ext2(nothing, 0, nothing.size()).error(), Error::Invalid);
  MemoryDisk tiny(std::vector<uint8_t>(512));
  EXPECT_EQ(mount_ext2(tiny, 0, tiny.size()).error(), Error::Io);
}

// Blocks of 4096 bytes go through the page cache, smaller ones do not.
class Ext2BadSector : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Layouts, Ext2BadSector, testing::Values("-t ext2 -b 1024", "-t ext2 -b 4096"));

TEST_P(Ext2BadSector, TakesNothingElseWithIt) {
  image_files::ScratchFolder scratch;
  const std::string content = pattern(200'000, 9);
  write_file(scratch.path() / "file", content);
  MemoryDisk disk(image_files::make_file_system(scratch.path(), GetParam(), 4096));
  const std::vector<uint8_t> block(content.begin() + 100 * 1024, content.begin() + 101 * 1024);
  const auto place = std::search(disk.bytes.begin(), disk.bytes.end(), block.begin(), block.end());
  ASSERT_NE(place, disk.bytes.end());
  disk.bad_sector = static_cast<uint64_t>(place - disk.bytes.begin()) / 512;
  Inode* file = mount_ext2(disk, 0, disk.size()).release_value()->lookup(text("file")).release_value();
  EXPECT_EQ(read_range(file, 0, 90'000), content.substr(0, 90'000));
  EXPECT_EQ(read_range(file, 110'000, 90'000), content.substr(110'000, 90'000));
  uint8_t bytes[1024];
  EXPECT_EQ(file->read(100 * 1024, bytes).error(), Error::Io);
  EXPECT_EQ(read_range(file, 106 * 1024, 1024), content.substr(106 * 1024, 1024));
  std::vector<uint8_t> whole(200'000);
  EXPECT_EQ(file->read(0, whole).error(), Error::Io);
}

TEST(Ext2Memory, WorksWithOneChunkAndSaysWhenThereIsNone) {
  image_files::ScratchFolder scratch;
  write_file(scratch.path() / "a/b", pattern(500'000, 3));
  MemoryDisk disk(image_files::make_file_system(scratch.path(), "-t ext2 -b 1024", 8192));
  kernel_fakes::g_free_pages = 0;
  EXPECT_EQ(mount_ext2(disk, 0, disk.size()).error(), Error::NoMemory);
  kernel_fakes::g_free_pages = 16;
  auto root = mount_ext2(disk, 0, disk.size());
  ASSERT_TRUE(root);
  Inode* file = root.value()->lookup(text("a")).value()->lookup(text("b")).release_value();
  std::string content;
  while (content.size() < 500'000 && !HasFailure()) content += read_range(file, content.size(), 777);
  EXPECT_TRUE(content == pattern(500'000, 3));
  kernel_fakes::g_free_pages = ~uint64_t{0};
}

}  // namespace
