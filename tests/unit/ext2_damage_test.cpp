// Damaged file systems: errors, never a wild access (the test runs under sanitizers) and never a loop without end.
#include <gtest/gtest.h>

#include <random>
#include <set>
#include <utility>

#include "kernel/fs/inode.h"
#include "tests/unit/image_files.h"
#include "tests/unit/kernel_device_fakes.h"

namespace {

using namespace kernel;
using image_files::pattern;
using image_files::write_file;
using kernel_fakes::MemoryDisk;

struct Visit {
  std::set<Inode*> seen;
  uint64_t errors = 0, files = 0, bytes = 0;
  int depth = 0;
};

void visit_inode(Inode* inode, Visit& visit) {
  if (visit.seen.size() > 500 || visit.depth > 20 || !visit.seen.insert(inode).second) return;
  auto status = inode->status();
  if (!status) return void(++visit.errors);
  static uint8_t buffer[40'000];
  if (status.value().type == FileType::Regular) {
    ++visit.files;
    // From the start, and around the end that the inode claims.
    const uint64_t size = status.value().size;
    for (const uint64_t offset : {uint64_t{0}, uint64_t{50'000}, size > 5'000 ? size - 5'000 : 0, size}) {
      auto count = inode->read(offset, buffer);
      if (!count)
        ++visit.errors;
      else
        visit.bytes += count.value();
    }
  } else if (status.value().type == FileType::Symlink) {
    if (inode->read_link({reinterpret_cast<char*>(buffer), 4096}).is_error()) ++visit.errors;
  } else if (status.value().type == FileType::Directory) {
    std::vector<std::string> names;
    auto listed = inode->list(
        0,
        [](const DirectoryEntry& entry, void* context) {
          auto* names = static_cast<std::vector<std::string>*>(context);
          names->push_back({entry.name, entry.name_length});
          return names->size() < 3000;
        },
        &names);
    if (!listed) ++visit.errors;
    ++visit.depth;
    for (const std::string& name : names) {
      auto child = inode->lookup({name.data(), name.size()});
      if (child)
        visit_inode(child.value(), visit);
      else
        ++visit.errors;
    }
    --visit.depth;
  }
}

class Ext2Damage : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    image_files::ScratchFolder scratch;
    write_file(scratch.path() / "bin/program", pattern(400'000, 1));
    write_file(scratch.path() / "etc/manifest", "program=/bin/program\n");
    for (int index = 0; index < 60; ++index)
      write_file(scratch.path() / "many" / ("file" + std::to_string(index)), std::to_string(index));
    std::filesystem::create_symlink("../bin/program", scratch.path() / "etc/link");
    std::filesystem::create_symlink(std::string(300, 'x'), scratch.path() / "etc/long");
    image_ = image_files::make_file_system(scratch.path(), GetParam(), 2048);
    ASSERT_EQ(image_.size(), 2u << 20);
  }

  // Mounts and reads everything; true: some error was reported. The image is moved, not copied: under sanitizers a copy
  // takes longer than all the rest.
  static bool read_everything(std::vector<uint8_t>& bytes, Visit& visit) {
    kernel_fakes::g_log.clear();
    MemoryDisk disk(std::move(bytes));
    disk.read_only = true;
    auto root = mount_ext2(disk, 0, disk.size());
    if (root) visit_inode(root.value(), visit);
    const bool errors = !root || visit.errors > 0;
    kernel_fakes::free_all_memory();
    bytes = std::move(disk.bytes);
    return errors;
  }

  // The same of image_ with other bytes at some places, which are put back.
  bool read_with(const std::vector<std::pair<size_t, uint8_t>>& changes) {
    std::vector<uint8_t> before;
    for (const auto& [at, value] : changes) before.push_back(std::exchange(image_[at], value));
    Visit visit;
    const bool errors = read_everything(image_, visit);
    for (size_t index = changes.size(); index-- > 0;) image_[changes[index].first] = before[index];
    return errors;
  }

  std::vector<uint8_t> image_;
};

TEST_P(Ext2Damage, WholeImagesHaveNoErrors) {
  Visit visit;
  EXPECT_FALSE(read_everything(image_, visit));
  EXPECT_EQ(visit.files, 62u);
}

TEST_P(Ext2Damage, TruncatedImagesAreRefused) {
  std::mt19937 random(7);
  for (int round = 0; round < 40; ++round) {
    Visit visit;
    auto bytes = image_;
    bytes.resize(round < 8 ? static_cast<size_t>(round) * 512 : random() % (image_.size() - 512));
    EXPECT_TRUE(read_everything(bytes, visit)) << bytes.size();
    EXPECT_TRUE(bytes.size() < 2048 || kernel_fakes::logged("truncated")) << bytes.size();
  }
}

TEST_P(Ext2Damage, FlippedBytesEndInErrorsOrOtherData) {
  std::mt19937 random(11);
  // Where metadata stands: all that is not zero and not content of the large file.
  const std::string content = pattern(400'000, 1);
  std::set<std::string> content_blocks;
  for (size_t at = 0; at + 1024 <= content.size(); at += 1024) content_blocks.insert(content.substr(at, 1024));
  std::vector<size_t> places;
  for (size_t block = 1024; block < image_.size(); block += 1024) {
    const auto start = image_.begin() + static_cast<long>(block);
    if (content_blocks.contains(std::string(start, start + 1024))) continue;
    for (size_t at = block; at < block + 1024; ++at)
      if (image_[at] != 0) places.push_back(at);
  }
  int errors = 0;
  for (int round = 0; round < 600; ++round) {
    std::vector<std::pair<size_t, uint8_t>> changes;
    const int flips = 1 + static_cast<int>(random() % 60);
    for (int flip = 0; flip < flips; ++flip) {
      const size_t at = random() % 8 == 0 ? 1024 + random() % (200 << 10) : places[random() % places.size()];
      changes.emplace_back(at, random() % 4 == 0 ? 0xFF : static_cast<uint8_t>(random()));
    }
    errors += read_with(changes);
  }
  EXPECT_GT(errors, 200);  // the damage reached what is checked
  Visit whole;
  EXPECT_FALSE(read_everything(image_, whole));
}

TEST_P(Ext2Damage, EveryFieldOfTheSuperblockAndTheRootMayBeAnything) {
  for (const uint8_t value : {0x00, 0x01, 0x7F, 0x80, 0xFF}) {
    for (size_t at = 1024; at < 1024 + 104; ++at) read_with({{at, value}});
    for (size_t at = 1024; at < 1024 + 104; at += 4)
      read_with({{at, value}, {at + 1, value}, {at + 2, value}, {at + 3, value}});
  }
  Visit whole;
  EXPECT_FALSE(read_everything(image_, whole));
}

INSTANTIATE_TEST_SUITE_P(Layouts, Ext2Damage,
                         testing::Values("-t ext2 -b 1024", "-t ext2 -b 4096 -I 128 -O ^filetype"));

}  // namespace
