// tmpfs over pages that are counted: its names, its lives and its limit.
#include "kernel/linux/temporary_files.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/arch/x86_64/interrupts.h"
#include "kernel/linux/memory_file.h"
#include "kernel/memory/heap.h"
#include "kernel/memory/page_frames.h"
#include "kernel/task/file_mappings.h"

namespace kernel {

uint64_t g_direct_map_base = 0;
namespace {
constexpr size_t kPages = 512;
alignas(4096) uint8_t g_arena[kPages * kPageSize];
uint8_t g_owners[kPages];
uint16_t g_users[kPages];
PageFrames g_frames;
int g_objects = 0;
bool g_has_writable_mapping = false;
std::vector<std::pair<uint64_t, uint64_t>> g_unmapped;
}  // namespace

Result<PhysicalAddress> allocate_pages(size_t count, PageOwner owner) {
  PhysicalAddress first = TRY(g_frames.allocate(count, owner)) * kPageSize;
  std::memset(direct_map(first), 0, count * kPageSize);
  return first;
}
Result<void> retain_page(PhysicalAddress page) {
  return g_frames.retain(page / kPageSize);
}
void free_pages(PhysicalAddress first, size_t count) {
  g_frames.free(first / kPageSize, count);
}
uint64_t free_page_count() {
  return g_frames.free_count();
}
uint64_t ram_page_count() {
  return g_frames.ram_count();
}
void* heap_allocate(size_t size) {
  ++g_objects;
  return std::calloc(1, size);
}
void heap_free(void* pointer) {
  g_objects -= pointer != nullptr;
  std::free(pointer);
}
int64_t wall_clock_ns() {
  return 1'700'000'000'123'456'789;
}
void unmap_file_pages(const Inode&, uint64_t first, uint64_t last, PrivateCopies) {
  g_unmapped.emplace_back(first, last);
}
bool has_writable_mapping(const Inode&) {
  return g_has_writable_mapping;
}

namespace {

using namespace std::string_view_literals;

class TemporaryFiles : public ::testing::Test {
 protected:
  TemporaryFiles() {
    g_direct_map_base = reinterpret_cast<uint64_t>(g_arena);
    std::memset(g_owners, static_cast<int>(PageOwner::Free), sizeof g_owners);
    std::memset(g_users, 0, sizeof g_users);
    g_owners[0] = static_cast<uint8_t>(PageOwner::Firmware);
    g_frames.initialize(g_owners, kPages);
    g_frames.count_users(g_users);
    g_unmapped.clear();
    root = linux::make_temporary_file_system(24, nullptr).release_value();
    objects = g_objects;
    free = g_frames.free_count();
  }
  Inode* create(std::string_view name, FileType type = FileType::Regular, Inode* in = nullptr) {
    return (in != nullptr ? in : root)->create(name, type, 0644).release_value();
  }
  bool has(std::string_view name) { return !root->lookup(name).is_error(); }
  static size_t write(Inode& inode, uint64_t offset, std::string_view text) {
    auto count = inode.write(offset, {reinterpret_cast<const uint8_t*>(text.data()), text.size()});
    return count ? count.value() : 0;
  }
  static std::string read(Inode& inode, uint64_t offset, size_t size) {
    std::string text(size, '?');
    auto count = inode.read(offset, {reinterpret_cast<uint8_t*>(text.data()), size});
    return count ? text.substr(0, count.value()) : "error";
  }
  // Everything that was made is gone.
  void expect_nothing_left() {
    EXPECT_EQ(g_objects, objects);
    EXPECT_EQ(g_frames.free_count(), free);
    EXPECT_EQ(root->file_system().value().free_blocks, root->file_system().value().blocks);
  }
  Inode* root;
  int objects;
  uint64_t free;
};

TEST_F(TemporaryFiles, AFileEndsWithItsLastNameAndHolder) {
  Inode* file = create("a");
  EXPECT_EQ(write(*file, 0, "hello"), 5u);
  ASSERT_TRUE(root->add_link("b"sv, *file));
  EXPECT_EQ(file->status().value().links, 2u);
  ASSERT_TRUE(root->remove_entry("a"sv));
  EXPECT_EQ(read(*file, 0, 10), "hello");
  {
    const InodeHold hold(file);
    ASSERT_TRUE(root->remove_entry("b"sv));
    EXPECT_EQ(file->status().value().links, 0u);
    EXPECT_EQ(read(*file, 0, 10), "hello");
  }
  expect_nothing_left();
}

TEST_F(TemporaryFiles, AnUnnamedFileMayGetAName) {
  for (const bool named : {false, true}) {
    Inode* file = root->create_unnamed(0600).release_value();
    {
      const InodeHold hold(file);
      write(*file, 0, "later");
      if (named) {
        ASSERT_TRUE(root->add_link("n"sv, *file));
      }
    }
    EXPECT_EQ(has("n"), named);
    if (named) {
      ASSERT_TRUE(root->remove_entry("n"sv));
    }
    expect_nothing_left();
  }
}

TEST_F(TemporaryFiles, RenamingReplaces) {
  Inode* folder = create("d", FileType::Directory);
  Inode* file = create("a");
  Inode* old = create("old", FileType::Regular, folder);
  write(*old, 0, "old");
  write(*file, 0, "new");
  EXPECT_EQ(root->rename_entry("a"sv, *folder, "old"sv).is_error(), false);
  EXPECT_FALSE(has("a"));
  EXPECT_EQ(folder->lookup("old"sv).value(), file);
  // A file is no folder, a full folder is not replaced, and what is in one cannot go.
  create("f");
  EXPECT_EQ(root->rename_entry("f"sv, *root, "d"sv).error(), Error::IsDirectory);
  EXPECT_EQ(root->rename_entry("d"sv, *root, "f"sv).error(), Error::NotDirectory);
  Inode* other = create("e", FileType::Directory);
  EXPECT_EQ(root->rename_entry("e"sv, *root, "d"sv).error(), Error::NotEmpty);
  EXPECT_EQ(root->remove_entry("d"sv).error(), Error::NotEmpty);
  EXPECT_EQ(root->rename_entry("gone"sv, *root, "x"sv).error(), Error::NoEntry);
  EXPECT_EQ(root->rename_entry("f"sv, *file, "x"sv).error(), Error::NotDirectory);
  EXPECT_EQ(root->status().value().links, 4u);
  // Into another folder: its "..", and the links of both.
  ASSERT_TRUE(root->rename_entry("e"sv, *folder, "e"sv));
  EXPECT_EQ(other->lookup(".."sv).value(), folder);
  EXPECT_EQ(root->status().value().links, 3u);
  EXPECT_EQ(folder->status().value().links, 3u);
  ASSERT_TRUE(folder->remove_entry("e"sv));
  ASSERT_TRUE(folder->remove_entry("old"sv));
  ASSERT_TRUE(root->remove_entry("d"sv));
  ASSERT_TRUE(root->remove_entry("f"sv));
  EXPECT_EQ(root->status().value().links, 2u);
  EXPECT_EQ(root->status().value().size, 40u);
  expect_nothing_left();
}

TEST_F(TemporaryFiles, TwoNamesOfOneFileAreLeftAlone) {
  Inode* file = create("a");
  ASSERT_TRUE(root->add_link("b"sv, *file));
  ASSERT_TRUE(root->rename_entry("a"sv, *root, "b"sv));
  EXPECT_TRUE(has("a") && has("b"));
  ASSERT_TRUE(root->remove_entry("a"sv));
  ASSERT_TRUE(root->remove_entry("b"sv));
  expect_nothing_left();
}

TEST_F(TemporaryFiles, AWorkingDirectoryThatWasRemovedTakesNothing) {
  Inode* folder = create("d", FileType::Directory);
  {
    const InodeHold hold(folder);
    ASSERT_TRUE(root->remove_entry("d"sv));
    EXPECT_EQ(folder->status().value().links, 0u);
    EXPECT_EQ(folder->create("x"sv, FileType::Regular, 0600).error(), Error::NoEntry);
    EXPECT_FALSE(folder->lookup(".."sv).is_error());
  }
  expect_nothing_left();
}

TEST_F(TemporaryFiles, ListingSkipsNothingWhileNamesGo) {
  for (int number = 0; number < 20; ++number) create(std::to_string(number));
  uint64_t cursor = 2;  // behind "." and ".."
  for (int number = 0; number < 20; ++number) {
    struct Next {
      uint64_t cursor;
      std::string name;
    } next{cursor, ""};
    ASSERT_TRUE(root->list(
        cursor,
        [](const DirectoryEntry& entry, void* context) {
          auto& to = *static_cast<Next*>(context);
          to.cursor = entry.next_cursor;
          to.name.assign(entry.name, entry.name_length);
          return false;
        },
        &next));
    EXPECT_EQ(next.name, std::to_string(number));
    ASSERT_TRUE(root->remove_entry(next.name));
    cursor = next.cursor;
  }
  expect_nothing_left();
}

TEST_F(TemporaryFiles, FullIsNoSpaceAndWhatWasWrittenStays) {
  const uint64_t limit = root->file_system().value().blocks;
  EXPECT_EQ(limit, kPages / 2);
  Inode* file = create("big");
  const std::string page(kPageSize, 'p');
  uint64_t written = 0;
  while (write(*file, written * kPageSize, page) == kPageSize) ++written;
  EXPECT_EQ(written, limit);
  EXPECT_EQ(file->write(written * kPageSize, {reinterpret_cast<const uint8_t*>("x"), 1}).error(), Error::NoSpace);
  EXPECT_EQ(write(*file, 5, "inside"), 6u) << "what is there can be written";
  Inode* other = create("other");
  EXPECT_EQ(other->allocate(0, kPageSize).error(), Error::NoSpace);
  ASSERT_TRUE(file->resize((limit - 10) * kPageSize));
  ASSERT_TRUE(other->allocate(0, 10 * kPageSize));
  EXPECT_EQ(other->allocate(0, 11 * kPageSize).error(), Error::NoSpace);
  EXPECT_EQ(other->allocate(0, uint64_t{1} << 60).error(), Error::NoSpace);
  ASSERT_TRUE(root->remove_entry("big"sv));
  ASSERT_TRUE(root->remove_entry("other"sv));
  expect_nothing_left();
}

TEST_F(TemporaryFiles, HolesReadAsZerosAndLeaveMappings) {
  Inode* file = create("h");
  write(*file, 0, std::string(4 * kPageSize, 'x'));
  ASSERT_TRUE(file->punch_hole(kPageSize - 1, kPageSize + 2));
  EXPECT_EQ(g_unmapped.back(), (std::pair<uint64_t, uint64_t>{1, 2}));
  EXPECT_EQ(read(*file, kPageSize - 2, 3), std::string("x\0\0", 3));
  EXPECT_EQ(read(*file, 2 * kPageSize, 2), std::string("\0x", 2));
  EXPECT_EQ(file->status().value().blocks, 3 * 8u);
  EXPECT_EQ(file->next_hole(0, 0), kPageSize);
  EXPECT_EQ(file->next_data(kPageSize, 0), 2 * kPageSize);
  ASSERT_TRUE(file->punch_hole(5, 10));  // inside of one page
  EXPECT_EQ(read(*file, 4, 12), std::string("x") + std::string(10, '\0') + "x");
  // Cut in the middle of a page and grown: zeros.
  ASSERT_TRUE(file->resize(2 * kPageSize + 10));
  EXPECT_EQ(g_unmapped.back().first, 3u);
  ASSERT_TRUE(file->resize(4 * kPageSize));
  EXPECT_EQ(read(*file, 2 * kPageSize + 9, 2), std::string("x\0", 2));
  // A page that a mapping holds outlives the file's own.
  const PhysicalAddress held = file->shared_page(0, Inode::PageUse::Read).release_value();
  EXPECT_EQ(g_frames.users(held / kPageSize), 2u);
  EXPECT_EQ(file->shared_page(4, Inode::PageUse::Read).error(), Error::Invalid);
  ASSERT_TRUE(root->remove_entry("h"sv));
  EXPECT_EQ(g_frames.users(held / kPageSize), 1u);
  free_pages(held, 1);
  expect_nothing_left();
}

TEST_F(TemporaryFiles, TimesAndOwnersAreKept) {
  Inode* file = create("t");
  ASSERT_TRUE(file->set_times({.access_ns = -1, .modify_ns = std::nullopt}));
  InodeStatus status = file->status().release_value();
  EXPECT_EQ(status.access_s, -1);
  EXPECT_EQ(status.access_ns, 999'999'999u);
  EXPECT_EQ(status.modify_s, 1'700'000'000);
  EXPECT_EQ(status.modify_ns, 123'456'789u);
  ASSERT_TRUE(file->set_owner(7, ~0u));
  status = file->status().release_value();
  EXPECT_EQ(status.user, 7u);
  EXPECT_EQ(status.group, 0u);
  ASSERT_TRUE(root->remove_entry("t"sv));
}

TEST_F(TemporaryFiles, ASealIsRefusedWhileSomebodyMayWrite) {
  auto* file = linux::make_memory_file(0777).release_value();
  const InodeHold hold(file);
  EXPECT_EQ(file->add_seals(linux::kSealWrite).error(), Error::NotPermitted) << "made without sealing";
  file->allow_seals();
  g_has_writable_mapping = true;
  EXPECT_EQ(file->add_seals(linux::kSealWrite).error(), Error::Busy);
  g_has_writable_mapping = false;
  ASSERT_TRUE(file->add_seals(linux::kSealWrite | linux::kSealSeal));
  EXPECT_EQ(write(*file, 0, "x"), 0u);
  EXPECT_EQ(file->add_seals(linux::kSealGrow).error(), Error::NotPermitted);
}

}  // namespace
}  // namespace kernel
