// The GPT as sgdisk makes it, whole and damaged; and the mounting of the root from it.
#include "kernel/drivers/partition_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "kernel/fs/inode.h"
#include "snapshot/format/slot.h"
#include "tests/unit/image_files.h"
#include "tests/unit/kernel_device_fakes.h"

namespace {

using namespace kernel;
using kernel_fakes::MemoryDisk;
using mortem::format::kDumpPartitionType;
using mortem::format::kRootPartitionType;

constexpr size_t kDiskSize = 8 << 20;
constexpr size_t kRootStart = 1 << 20, kRootSize = 4 << 20;

class PartitionTable : public testing::Test {
 protected:
  void SetUp() override {
    kernel_fakes::g_log.clear();
    image_files::ScratchFolder scratch;
    image_files::write_file(scratch.path() / "root/etc/name", "mortem");
    const auto root = image_files::make_file_system(scratch.path() / "root", "-t ext3 -b 4096", kRootSize >> 10);
    const auto image = scratch.path() / "disk";
    image_files::write_file(image, std::string(kDiskSize, '\0'));
    image_files::run("sgdisk -n 1:2048:+4M -t 1:" + std::string(mortem::format::kRootPartitionTypeText) +
                     " -n 2:0:+1M -t 2:" + mortem::format::kDumpPartitionTypeText + " '" + image.string() + "'");
    image_ = image_files::read_file(image);
    ASSERT_EQ(image_.size(), kDiskSize);
    std::copy(root.begin(), root.end(), image_.begin() + kRootStart);
  }
  void TearDown() override { kernel_fakes::g_disk = nullptr; }

  std::vector<uint8_t> image_;
};

TEST_F(PartitionTable, PartitionsAreFoundByType) {
  MemoryDisk disk(image_);
  auto root = find_partition_on(disk, kRootPartitionType);
  ASSERT_TRUE(root);
  EXPECT_EQ(root.value().offset, kRootStart);
  EXPECT_EQ(root.value().length, kRootSize);
  auto dump = find_partition_on(disk, kDumpPartitionType);
  ASSERT_TRUE(dump);
  EXPECT_EQ(dump.value().offset, kRootStart + kRootSize);
  EXPECT_EQ(dump.value().length, 1u << 20);
  const uint8_t other[16] = {1};
  EXPECT_EQ(find_partition_on(disk, other).error(), Error::NoDevice);
  EXPECT_TRUE(kernel_fakes::g_log.empty());
}

TEST_F(PartitionTable, EitherCopyWillDo) {
  for (const size_t damaged : {512 + 20, 512 + 60, 1024 + 40, 1024 + 130}) {
    auto bytes = image_;
    bytes[damaged] ^= 0x10;
    MemoryDisk disk(bytes);
    EXPECT_TRUE(find_partition_on(disk, kRootPartitionType)) << damaged;
    EXPECT_TRUE(kernel_fakes::logged("trying the copy at its end"));
    bytes[kDiskSize - 512 + 30] ^= 1;
    MemoryDisk lost(bytes);
    EXPECT_EQ(find_partition_on(lost, kRootPartitionType).error(), Error::Io);
  }
  auto bytes = image_;
  std::fill(bytes.begin(), bytes.begin() + 34 * 512, uint8_t{0});  // the whole first table is gone
  MemoryDisk disk(bytes);
  EXPECT_TRUE(find_partition_on(disk, kRootPartitionType));
}

TEST_F(PartitionTable, ACutDiskIsNoPartition) {
  auto bytes = image_;
  bytes.resize(3 << 20);  // ends within the root partition
  MemoryDisk disk(bytes);
  EXPECT_TRUE(find_partition_on(disk, kRootPartitionType).is_error());
  EXPECT_TRUE(kernel_fakes::logged("behind the end of the disk"));
  for (const size_t size : {0u, 512u, 1024u, 1536u, 2048u}) {
    bytes.resize(size);
    MemoryDisk tiny(bytes);
    EXPECT_TRUE(find_partition_on(tiny, kRootPartitionType).is_error());
  }
}

Result<Inode*> find(const char* path) {
  return find_inode(nullptr, {path, strlen(path)}, FollowLast::Yes);
}

TEST_F(PartitionTable, TheRootIsMountedFromItsPartition) {
  MemoryDisk disk(image_);
  kernel_fakes::g_disk = &disk;
  ASSERT_TRUE(mount_root());
  uint8_t bytes[16];
  EXPECT_EQ(find("/etc/name").value()->read(0, bytes).value(), 6u);
  EXPECT_EQ(find("/dev/null").value()->status().value().type, FileType::CharacterDevice);
}

TEST_F(PartitionTable, ABareFileSystemIsARootToo) {
  MemoryDisk disk({image_.begin() + kRootStart, image_.begin() + kRootStart + kRootSize});
  kernel_fakes::g_disk = &disk;
  ASSERT_TRUE(mount_root());
  EXPECT_TRUE(find("/etc/name"));
}

TEST_F(PartitionTable, WhyThereIsNoRootIsSaid) {
  EXPECT_EQ(mount_root().error(), Error::NoDevice);
  EXPECT_TRUE(kernel_fakes::logged("no disk"));
  MemoryDisk empty(std::vector<uint8_t>(1 << 20));
  kernel_fakes::g_disk = &empty;
  EXPECT_TRUE(mount_root().is_error());
  EXPECT_TRUE(kernel_fakes::logged("no usable file system"));
}

}  // namespace
