// The root file system changed in every way, with e2fsck and debugfs as judges of what is on the disk afterwards.
#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <random>

#include "tests/unit/ext3_images.h"
#include "tests/unit/image_files.h"

namespace {

using namespace kernel;
using namespace ext3_images;
using image_files::pattern;
using kernel_fakes::MemoryDisk;

class Ext3 : public testing::Test {
 protected:
  void mount_again() {
    unmount_root();
    expect_clean();
    root_ = mount(disk_);
  }
  void expect_clean() {
    const Verdict verdict = check(disk_.bytes);
    EXPECT_EQ(verdict.status, 0) << verdict.text;
  }
  void TearDown() override {
    unmount_root();
    if (!HasFailure()) expect_clean();
    kernel_fakes::free_all_memory();
  }

  MemoryDisk disk_{make(24)};
  Inode* root_ = mount(disk_);
};

TEST_F(Ext3, NothingIsWrittenWhenNothingIsChanged) {
  const auto before = disk_.bytes;
  make_file(root_, "x");
  kernel_fakes::free_all_memory();  // a power cut before anything was synced
  EXPECT_TRUE(disk_.bytes == before);
  root_ = mount(disk_);
  EXPECT_EQ(find(root_, "x"), nullptr);
  unmount_root();
  EXPECT_TRUE(disk_.bytes == before);
}

TEST_F(Ext3, FilesKeepWhatIsWritten) {
  const std::string content = pattern(5'000'000, 3);  // into the double-indirect blocks
  Inode* file = make_file(root_, "large", content);
  EXPECT_TRUE(read(file) == content);
  EXPECT_EQ(write(file, 100, "hello"), 5u);
  make_file(root_, "empty");
  mount_again();
  std::string expected = content;
  expected.replace(100, 5, "hello");
  EXPECT_TRUE(read(find(root_, "large")) == expected);
  EXPECT_TRUE(ext3_images::content(disk_.bytes, "/large") == expected);
  EXPECT_EQ(read(find(root_, "empty")), "");
}

TEST_F(Ext3, TruncationsAndHoles) {
  Inode* file = make_file(root_, "file", pattern(300'000, 1));
  ASSERT_FALSE(file->resize(100'001).is_error());
  ASSERT_FALSE(file->resize(200'000).is_error());
  const std::string expected = pattern(300'000, 1).substr(0, 100'001) + std::string(99'999, '\0');
  EXPECT_TRUE(read(file) == expected);
  Inode* sparse = make_file(root_, "sparse");
  const uint64_t far = (uint64_t{3} << 30) + 5;  // the triple-indirect blocks begin at 4 GiB
  EXPECT_EQ(write(sparse, far, "far"), 3u);
  EXPECT_EQ(write(sparse, uint64_t{5} << 30, "farther"), 7u);
  EXPECT_LE(sparse->status().value().blocks, 8u * 8);
  mount_again();
  EXPECT_TRUE(read(find(root_, "file")) == expected);
  sparse = find(root_, "sparse");
  EXPECT_EQ(sparse->status().value().size, (uint64_t{5} << 30) + 7);
  uint8_t bytes[16] = {};
  ASSERT_TRUE(sparse->read(far - 2, bytes));
  EXPECT_EQ(std::memcmp(bytes, "\0\0far\0", 6), 0);
  ASSERT_FALSE(sparse->resize(uint64_t{4} << 30).is_error());
  ASSERT_FALSE(sparse->resize(far + 1).is_error());
  ASSERT_FALSE(sparse->resize(0).is_error());
  EXPECT_EQ(sparse->status().value().blocks, 0u);
}

TEST_F(Ext3, FilesLargerThanATransactionAreFreedInSteps) {
  // Every second block of a large file: no two of them are freed together, and each table of pointers is full of holes.
  Inode* file = make_file(root_, "comb");
  for (uint64_t block = 0; block < 3000; block += 2) ASSERT_EQ(write(file, block * 4096, "x"), 1u);
  const uint64_t before = root_->file_system().value().free_blocks;
  ASSERT_FALSE(root_->remove_entry(text("comb")).is_error());
  EXPECT_EQ(root_->file_system().value().free_blocks, before + 1500 + 4);  // four of pointers
}

TEST_F(Ext3, NamesComeAndGo) {
  Inode* folder = root_->create(text("folder"), FileType::Directory, 0755).release_value();
  Inode* inner = folder->create(text("inner"), FileType::Directory, 0700).release_value();
  EXPECT_EQ(folder->create(text("inner"), FileType::Regular, 0600).error(), Error::Exists);
  EXPECT_EQ(root_->remove_entry(text("folder")).error(), Error::NotEmpty);
  Inode* file = make_file(inner, "file", "content");
  ASSERT_FALSE(root_->add_link(text("hard"), *file).is_error());
  EXPECT_EQ(file->status().value().links, 2u);
  EXPECT_EQ(root_->add_link(text("folder2"), *folder).error(), Error::NotPermitted);
  ASSERT_TRUE(root_->create_symlink(text("short"), text("folder/inner")));
  ASSERT_TRUE(root_->create_symlink(text("long"), text(std::string(1000, 'l'))));
  ASSERT_TRUE(root_->create_symlink(text("link59"), text(std::string(59, 'l'))));
  ASSERT_TRUE(root_->create_symlink(text("link60"), text(std::string(60, 'l'))));
  ASSERT_TRUE(root_->create(text("pipe"), FileType::Fifo, 0600));
  ASSERT_TRUE(root_->create_device(text("device"), FileType::CharacterDevice, 0600, 0x1234'0506));
  EXPECT_EQ(root_->create(text(std::string(256, 'n')), FileType::Regular, 0600).error(), Error::NameTooLong);
  make_file(root_, std::string(255, 'n'), "long name");
  EXPECT_EQ(folder->rename_entry(text("inner"), *inner, text("below")).error(), Error::Invalid);
  ASSERT_FALSE(folder->rename_entry(text("inner"), *root_, text("moved")).is_error());
  EXPECT_EQ(find(root_, "moved/.."), root_);
  EXPECT_EQ(folder->status().value().links, 2u);
  mount_again();
  EXPECT_EQ(read(find(root_, "moved/file")), "content");
  EXPECT_EQ(find(root_, "hard"), find(root_, "moved/file"));
  EXPECT_EQ(find(root_, "device")->status().value().device_number, 0x1234'0506u);
  EXPECT_EQ(read(find(root_, std::string(255, 'n'))), "long name");
  char target[1001];
  EXPECT_EQ(find(root_, "long")->read_link(target).value(), 1000u);
  EXPECT_EQ(find(root_, "link59")->read_link(target).value(), 59u);
  EXPECT_EQ(find(root_, "link60")->read_link(target).value(), 60u);
  ASSERT_FALSE(root_->remove_entry(text("long")).is_error());
  ASSERT_FALSE(root_->remove_entry(text("folder")).is_error());
  ASSERT_FALSE(root_->remove_entry(text("hard")).is_error());
  EXPECT_EQ(read(find(root_, "moved/file")), "content");
}

TEST_F(Ext3, RenameReplacesAndExchanges) {
  make_file(root_, "a", "first");
  make_file(root_, "b", "second");
  EXPECT_EQ(root_->rename_entry_as(Inode::RenameMode::NoReplace, text("a"), *root_, text("b")).error(), Error::Exists);
  ASSERT_FALSE(root_->rename_entry_as(Inode::RenameMode::Exchange, text("a"), *root_, text("b")).is_error());
  EXPECT_EQ(read(find(root_, "a")), "second");
  ASSERT_FALSE(root_->rename_entry(text("a"), *root_, text("b")).is_error());
  EXPECT_EQ(find(root_, "a"), nullptr);
  EXPECT_EQ(read(find(root_, "b")), "second");
  Inode* one = root_->create(text("one"), FileType::Directory, 0755).release_value();
  Inode* two = root_->create(text("two"), FileType::Directory, 0755).release_value();
  make_file(two, "inside", "x");
  EXPECT_EQ(root_->rename_entry(text("one"), *root_, text("two")).error(), Error::NotEmpty);
  EXPECT_EQ(root_->rename_entry(text("b"), *root_, text("two")).error(), Error::IsDirectory);
  EXPECT_EQ(root_->rename_entry(text("one"), *root_, text("b")).error(), Error::NotDirectory);
  // A folder and a file change places between two folders: the links of "..".
  EXPECT_EQ(root_->rename_entry_as(Inode::RenameMode::Exchange, text("two"), *one, text("none")).error(),
            Error::NoEntry);
  make_file(one, "file", "f");
  ASSERT_FALSE(one->rename_entry_as(Inode::RenameMode::Exchange, text("file"), *root_, text("two")).is_error());
  EXPECT_EQ(read(find(root_, "two")), "f");
  EXPECT_EQ(find(root_, "one/file/.."), one);
  ASSERT_FALSE(one->rename_entry(text("file"), *root_, text("two-again")).is_error());
}

TEST_F(Ext3, AFileWithoutANameLivesUntilItIsClosed) {
  Inode* file = make_file(root_, "temporary", pattern(100'000, 2));
  file->opened();
  ASSERT_FALSE(root_->remove_entry(text("temporary")).is_error());
  EXPECT_EQ(file->status().value().links, 0u);
  EXPECT_TRUE(read(file) == pattern(100'000, 2));
  EXPECT_EQ(write(file, 100'000, "more"), 4u);
  ASSERT_FALSE(sync_root().is_error());
  // A power cut now: the next mount deletes it.
  MemoryDisk cut(disk_.bytes);
  const uint64_t free_with_it = root_->file_system().value().free_blocks;
  Inode* after = mount(cut);
  EXPECT_TRUE(kernel_fakes::logged("1 orphaned files deleted"));
  EXPECT_EQ(after->file_system().value().free_blocks, free_with_it + 26);
  unmount_root();
  EXPECT_EQ(check(cut.bytes).status, 0) << check(cut.bytes).text;
  file->closed();
  EXPECT_EQ(root_->file_system().value().free_blocks, free_with_it + 26);
  // The volume that was mounted last is unmounted; this one has to be written by its own sync.
  ASSERT_FALSE(root_->sync(SyncKind::Everything).is_error());
  disk_.bytes = cut.bytes;
}

TEST_F(Ext3, UnnamedFilesMayGetAName) {
  Inode* file = root_->create_unnamed(0600).release_value();
  file->opened();
  EXPECT_EQ(write(file, 0, "later named"), 11u);
  ASSERT_FALSE(root_->add_link(text("name"), *file).is_error());
  file->closed();
  Inode* gone = root_->create_unnamed(0600).release_value();
  gone->opened();
  EXPECT_EQ(write(gone, 0, "never named"), 11u);
  gone->closed();
  mount_again();
  EXPECT_EQ(read(find(root_, "name")), "later named");
}

TEST_F(Ext3, TimesOwnersAndPermissions) {
  Inode* file = make_file(root_, "file");
  ASSERT_FALSE(file->set_permissions(06755).is_error());
  ASSERT_FALSE(file->set_owner(70'000, 80'000).is_error());
  const NewTimes times{.access_ns = -1, .modify_ns = int64_t{5'000'000'000} * 1'000'000'000 + 123};
  ASSERT_FALSE(file->set_times(times).is_error());
  mount_again();
  const InodeStatus status = find(root_, "file")->status().release_value();
  EXPECT_EQ(status.permissions, 0755);
  EXPECT_EQ(status.user, 70'000u);
  EXPECT_EQ(status.group, 80'000u);
  EXPECT_EQ(status.access_s, -1);
  EXPECT_EQ(status.access_ns, 999'999'999u);
  EXPECT_EQ(status.modify_s, 5'000'000'000);  // after 2038
  EXPECT_EQ(status.modify_ns, 123u);
}

TEST_F(Ext3, AFullDiskSaysSoAndComesBack) {
  const FileSystemFacts empty = root_->file_system().release_value();
  Inode* file = make_file(root_, "fill");
  const std::string block = pattern(65'536, 7);
  uint64_t size = 0;
  while (size_t count = write(file, size, block)) size += count;
  EXPECT_EQ(file->write(size, {reinterpret_cast<const uint8_t*>("x"), 1}).error(), Error::NoSpace);
  EXPECT_EQ(root_->file_system().value().free_blocks, 0u);
  EXPECT_EQ(root_->create(text("folder"), FileType::Directory, 0755).error(), Error::NoSpace);
  EXPECT_EQ(root_->create_symlink(text("l"), text(std::string(500, 'l'))).error(), Error::NoSpace);
  make_file(root_, "small");  // an inode needs no block
  mount_again();
  EXPECT_EQ(find(root_, "fill")->status().value().size, size);
  ASSERT_FALSE(root_->remove_entry(text("fill")).is_error());
  // At once: the blocks are free when the removal is committed, which the next write waits for.
  EXPECT_EQ(write(find(root_, "small"), 0, block), block.size());
  ASSERT_FALSE(root_->remove_entry(text("small")).is_error());
  mount_again();
  EXPECT_EQ(root_->file_system().value().free_blocks, empty.free_blocks);
  EXPECT_EQ(root_->file_system().value().free_inodes, empty.free_inodes);
}

TEST_F(Ext3, NoInodesLeft) {
  int made = 0;
  while (root_->create(text("file" + std::to_string(made)), FileType::Regular, 0600)) ++made;
  EXPECT_GT(made, 480);
  EXPECT_EQ(root_->create(text("one-more"), FileType::Regular, 0600).error(), Error::NoSpace);
  mount_again();
  for (int index = 0; index < made; ++index)
    ASSERT_FALSE(root_->remove_entry(text("file" + std::to_string(index))).is_error());
}

TEST_F(Ext3, SharedPagesReachTheDisk) {
  Inode* file = make_file(root_, "mapped", std::string(10'000, 'a'));
  const auto page = file->shared_page(1, Inode::PageUse::Write).release_value();
  auto* bytes = reinterpret_cast<uint8_t*>(page);
  EXPECT_EQ(bytes[0], 'a');
  bytes[0] = 'm';
  EXPECT_EQ(read(file)[4096], 'm');
  ASSERT_FALSE(file->sync(SyncKind::Everything).is_error());
  EXPECT_EQ(ext3_images::content(disk_.bytes, "/mapped").size(), 0u);  // its inode is in the journal only
  // Written back, the page is protected: the next change is told again.
  EXPECT_TRUE(kernel_fakes::g_protected.contains(1));
  free_pages(file->shared_page(1, Inode::PageUse::Write).release_value(), 1);
  bytes[1] = 'n';
  ASSERT_FALSE(file->sync(SyncKind::Content).is_error());
  const auto last = file->shared_page(2, Inode::PageUse::Write).release_value();
  reinterpret_cast<uint8_t*>(last)[4000] = 'z';  // behind the end: never content
  free_pages(page, 1);
  EXPECT_EQ(write(file, 11'000, "x"), 1u);
  free_pages(last, 1);
  EXPECT_EQ(file->shared_page(3, Inode::PageUse::Read).error(), Error::Invalid);
  mount_again();
  std::string expected(10'000, 'a');
  expected[4096] = 'm', expected[4097] = 'n';
  expected += std::string(1'000, '\0') + "x";
  const std::string found = read(find(root_, "mapped"));
  ASSERT_EQ(found.size(), expected.size());
  for (size_t at = 0; at < found.size(); ++at) ASSERT_EQ(found[at], expected[at]) << at;
}

TEST_F(Ext3, FailingDiskStopsChangesAndKeepsTheLastCommit) {
  Inode* file = make_file(root_, "kept", "synced");
  ASSERT_FALSE(file->sync(SyncKind::Everything).is_error());
  const auto synced = disk_.bytes;
  disk_.failing = true;
  make_file(root_, "lost");
  EXPECT_EQ(root_->sync(SyncKind::Everything).error(), Error::Io);
  disk_.failing = false;
  EXPECT_EQ(root_->create(text("more"), FileType::Regular, 0600).error(), Error::ReadOnly);
  EXPECT_EQ(root_->sync(SyncKind::Everything).error(), Error::Io);
  kernel_fakes::free_all_memory();
  root_ = mount(disk_);
  EXPECT_EQ(read(find(root_, "kept")), "synced");
}

TEST_F(Ext3, ContentThatCannotBeWrittenIsToldOnce) {
  Inode* file = make_file(root_, "file", "x");
  ASSERT_FALSE(file->sync(SyncKind::Everything).is_error());
  EXPECT_EQ(write(file, 0, "y"), 1u);
  disk_.failing = true;
  EXPECT_EQ(file->sync(SyncKind::ContentAndSize).error(), Error::Io);
  disk_.failing = false;
  EXPECT_FALSE(file->sync(SyncKind::ContentAndSize).is_error());
  EXPECT_EQ(write(file, 0, "z"), 1u);
  mount_again();
  EXPECT_EQ(read(find(root_, "file")), "z");
}

TEST_F(Ext3, FsyncWritesNoMoreThanItMust) {
  Inode* file = make_file(root_, "file", std::string(8192, 'a'));
  ASSERT_FALSE(file->sync(SyncKind::Everything).is_error());
  const uint64_t writes = disk_.writes, flushes = disk_.flushes;
  EXPECT_EQ(write(file, 0, "b"), 1u);
  ASSERT_FALSE(file->sync(SyncKind::ContentAndSize).is_error());  // the size is as it was: no commit
  EXPECT_EQ(disk_.writes, writes + 1);
  EXPECT_EQ(disk_.flushes, flushes + 1);
}

// Many names: several blocks of directory, and an index that mke2fs made is given up when it is written to.
TEST(Ext3Index, IsGivenUpWhenADirectoryIsChanged) {
  image_files::ScratchFolder scratch;
  for (int index = 0; index < 700; ++index)
    image_files::write_file(scratch.path() / "many" / ("file-with-a-rather-long-name-" + std::to_string(index)), "x");
  MemoryDisk disk(image_files::make_file_system(scratch.path(), "-t ext3 -b 4096 -O dir_index", 24 << 10));
  Inode* root = mount(disk);
  Inode* many = find(root, "many");
  for (int index = 0; index < 700; index += 2)
    ASSERT_FALSE(many->remove_entry(text("file-with-a-rather-long-name-" + std::to_string(index))).is_error());
  for (int index = 0; index < 1000; ++index) make_file(many, "new-" + std::to_string(index));
  unmount_root();
  EXPECT_EQ(check(disk.bytes).status, 0) << check(disk.bytes).text;
  root = mount(disk);
  EXPECT_NE(find(root, "many/file-with-a-rather-long-name-1"), nullptr);
  EXPECT_EQ(find(root, "many/file-with-a-rather-long-name-2"), nullptr);
  EXPECT_NE(find(root, "many/new-999"), nullptr);
  kernel_fakes::free_all_memory();
}

// A model of a tree, changed at random together with the file system.
TEST(Ext3Random, AgreesWithAModel) {
  for (uint32_t seed = 1; seed <= 6; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    MemoryDisk disk(make(20));
    Inode* root = mount(disk);
    std::map<std::string, std::string> files[3];  // in three folders
    Inode* folders[3];
    for (int index = 0; index < 3; ++index)
      folders[index] = root->create(text("folder" + std::to_string(index)), FileType::Directory, 0755).release_value();
    for (int round = 0; round < 3000; ++round) {
      const uint32_t which = random() % 3, other = random() % 3;
      const std::string name = "n" + std::to_string(random() % 40), new_name = "n" + std::to_string(random() % 40);
      auto known = files[which].find(name);
      Inode* file = find(folders[which], name);
      ASSERT_EQ(file != nullptr, known != files[which].end());
      switch (random() % 8) {
        case 0:
          if (file == nullptr) make_file(folders[which], name), files[which][name] = "";
          break;
        case 1:
        case 2:
          if (file != nullptr) {
            const size_t offset = random() % 60'000;
            const std::string content = pattern(1 + random() % 20'000, random());
            if (known->second.size() < offset + content.size()) known->second.resize(offset + content.size());
            known->second.replace(offset, content.size(), content);
            ASSERT_EQ(write(file, offset, content), content.size());
          }
          break;
        case 3:
          if (file != nullptr) {
            const size_t size = random() % 80'000;
            ASSERT_FALSE(file->resize(size).is_error());
            known->second.resize(size);
          }
          break;
        case 4:
          if (file != nullptr) {
            ASSERT_FALSE(folders[which]->remove_entry(text(name)).is_error());
            files[which].erase(known);
          }
          break;
        case 5:
          if (file != nullptr) {
            ASSERT_FALSE(folders[which]->rename_entry(text(name), *folders[other], text(new_name)).is_error());
            if (which != other || name != new_name) {
              files[other][new_name] = known->second;
              files[which].erase(name);
            }
          }
          break;
        case 6:
          ASSERT_TRUE(file == nullptr || read(file) == known->second);
          break;
        case 7:
          ASSERT_FALSE(random() % 20 == 0 && sync_root().is_error());
          if (random() % 40 == 0) {
            unmount_root();
            kernel_fakes::free_all_memory();
            root = mount(disk);
            for (int index = 0; index < 3; ++index) folders[index] = find(root, "folder" + std::to_string(index));
          }
          break;
      }
    }
    unmount_root();
    const Verdict verdict = check(disk.bytes);
    EXPECT_EQ(verdict.status, 0) << verdict.text;
    std::map<std::string, std::string> expected;
    for (int index = 0; index < 3; ++index)
      for (const auto& [name, content] : files[index])
        expected["/folder" + std::to_string(index) + "/" + name] = content;
    EXPECT_TRUE(ext3_images::files(disk.bytes) == expected);
    kernel_fakes::free_all_memory();
  }
}

}  // namespace
