// Checksums of a folder's files: every change and every cut is found, where it is and only there; holes are zeros.
#include "snapshot/folder_checksums.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "dump_builder.h"
#include "snapshot/xxhash64.h"

namespace mortem {
namespace {

namespace fs = std::filesystem;
using snapshot::CheckedFile;
using snapshot::FolderChecksums;
using snapshot::kChecksumBlock;
using test::Bytes;

class FolderChecksumsTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "checksums.XXXXXX";
    folder_ = mkdtemp(name.data());
  }
  void TearDown() override { fs::remove_all(folder_); }

  FolderChecksums sums() { return *FolderChecksums::of(folder_, {"without"}); }
  std::unique_ptr<CheckedFile> open(const FolderChecksums& sums) {
    return std::make_unique<CheckedFile>(std::move(*snapshot::open_plain_file(folder_ / "file")), *sums.find("file"));
  }

  fs::path folder_;
};

TEST_F(FolderChecksumsTest, AreThoseOfTheBlocks) {
  const Bytes content = test::pattern(2 * kChecksumBlock + 100);
  test::write_file(folder_ / "file", content);
  test::write_file(folder_ / "without", content);
  test::write_file(folder_ / "empty", {});
  const auto found = sums();
  ASSERT_EQ(found.files().size(), 2u);
  EXPECT_EQ(found.find("without"), nullptr);
  EXPECT_TRUE(found.find("empty")->blocks.empty());
  const auto* file = found.find("file");
  EXPECT_EQ(file->bytes, content.size());
  const std::span<const uint8_t> bytes(content);
  EXPECT_EQ(file->blocks, (std::vector<uint64_t>{snapshot::xxhash64(bytes.first(kChecksumBlock)),
                                                 snapshot::xxhash64(bytes.subspan(kChecksumBlock, kChecksumBlock)),
                                                 snapshot::xxhash64(bytes.subspan(2 * kChecksumBlock))}));
}

TEST_F(FolderChecksumsTest, AHoleIsZeros) {
  for (const uint64_t size : {uint64_t{1}, kChecksumBlock - 1, 5 * kChecksumBlock, 20 * kChecksumBlock + 1})
    for (const uint64_t data : {uint64_t{0}, size / 2, size - 1}) {
      Bytes content(size);
      content[data] = 7;
      test::write_file(folder_ / "file", content);
      const auto dense = sums().bytes();
      fs::remove(folder_ / "file");
      test::write_file(folder_ / "file", {});
      fs::resize_file(folder_ / "file", size);
      FILE* file = fopen((folder_ / "file").c_str(), "r+");
      fseek(file, long(data), SEEK_SET);
      fputc(7, file);
      fclose(file);
      EXPECT_EQ(sums().bytes(), dense) << size << " " << data;
    }
}

TEST_F(FolderChecksumsTest, AChangeIsFoundWhereItIs) {
  Bytes content = test::pattern(3 * kChecksumBlock + 10);
  test::write_file(folder_ / "file", content);
  const auto before = sums();
  EXPECT_TRUE(before.check_content(folder_, UINT64_MAX));
  for (const uint64_t place :
       {uint64_t{0}, kChecksumBlock - 1, kChecksumBlock, 3 * kChecksumBlock, content.size() - 1}) {
    content[place] ^= 1;
    test::write_file(folder_ / "file", content);
    content[place] ^= 1;
    const uint64_t block = place / kChecksumBlock;
    const auto whole = before.check_content(folder_, UINT64_MAX);
    ASSERT_FALSE(whole);
    char where[64];
    snprintf(where, sizeof where, "file: bytes 0x%lx+", static_cast<unsigned long>(block * kChecksumBlock));
    EXPECT_NE(whole.error().message.find(where), std::string::npos) << whole.error().message;
    EXPECT_TRUE(before.check_sizes(folder_));
    EXPECT_TRUE(before.check_content(folder_, content.size() - 1)) << "a larger file was read";
    const auto file = open(before);
    const auto damage = file->damage_of();
    for (uint64_t number = 0; number < 4; ++number) {
      Bytes read(1);
      EXPECT_EQ(file->read(number * kChecksumBlock + 5, read).has_value(), number != block);
      EXPECT_EQ(read[0], number != block ? content[number * kChecksumBlock + 5] : 0);
    }
    Bytes all(content.size());
    EXPECT_FALSE(file->read(0, all));
    EXPECT_EQ(damage(), whole.error().message);
  }
}

TEST_F(FolderChecksumsTest, EveryRangeIsRead) {
  const Bytes content = test::pattern(2 * kChecksumBlock + 77);
  test::write_file(folder_ / "file", content);
  const auto file = open(sums());
  for (size_t offset = 0; offset < content.size(); offset += 9'973)
    for (const size_t length : {size_t{0}, size_t{1}, size_t(kChecksumBlock), content.size() - offset}) {
      if (length > content.size() - offset) continue;
      Bytes read(length);
      ASSERT_TRUE(file->read(offset, read));
      EXPECT_TRUE(std::equal(read.begin(), read.end(), content.begin() + long(offset)));
    }
  Bytes past(2);
  EXPECT_FALSE(file->read(content.size() - 1, past));
  EXPECT_EQ(file->damage_of()(), "");
}

TEST_F(FolderChecksumsTest, DamageIsToldOnceFromWhenItIsWanted) {
  std::vector<std::string> told;
  snapshot::on_damage([&](const std::string& sentence) { told.push_back(sentence); });
  Bytes content = test::pattern(2 * kChecksumBlock);
  test::write_file(folder_ / "file", content);
  const auto before = sums();
  content[10] ^= 1;
  test::write_file(folder_ / "file", content);
  Bytes read(20);
  const auto early = open(before);
  EXPECT_FALSE(early->read(0, read));
  EXPECT_TRUE(told.empty());
  early->tell_from_now_on();
  EXPECT_EQ(told.size(), 1u);
  const auto late = open(before);
  late->tell_from_now_on();
  EXPECT_FALSE(late->read(0, read));
  EXPECT_FALSE(late->read(0, read));
  EXPECT_EQ(told.size(), 2u);
  snapshot::on_damage({});
}

TEST_F(FolderChecksumsTest, CutAndMissingFilesAreNamed) {
  test::write_file(folder_ / "file", test::pattern(1000));
  const auto before = sums();
  fs::resize_file(folder_ / "file", 999);
  EXPECT_NE(before.check_sizes(folder_).error().message.find("file: has 999 bytes, had 1000"), std::string::npos);
  fs::remove(folder_ / "file");
  EXPECT_EQ(before.check_sizes(folder_).error().kind, ErrorKind::NotFound);
  EXPECT_EQ(before.check_sizes(folder_).error().message, (folder_ / "file").string() + ": is missing");
}

TEST_F(FolderChecksumsTest, TheFileOfThemIsReadAsItWasWritten) {
  test::write_file(folder_ / "file", test::pattern(3 * kChecksumBlock));
  test::write_file(folder_ / "other", test::pattern(1));
  const Bytes bytes = sums().bytes();
  EXPECT_EQ(FolderChecksums::parse(bytes, "x")->bytes(), bytes);
  for (size_t length = 0; length < bytes.size(); ++length) {
    const auto cut = FolderChecksums::parse(std::span(bytes).first(length), "x");
    EXPECT_TRUE(!cut || cut->bytes() == Bytes(bytes.begin(), bytes.begin() + long(length))) << length;
  }
  test::write_file(folder_ / snapshot::kChecksumsFile, bytes);
  EXPECT_TRUE(FolderChecksums::read(folder_, snapshot::xxhash64(bytes)));
  EXPECT_FALSE(FolderChecksums::read(folder_, snapshot::xxhash64(bytes) + 1));
}

}  // namespace
}  // namespace mortem
