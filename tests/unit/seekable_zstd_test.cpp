// The seekable zstd reader: right bytes from everywhere, and one-line errors for every way a file can be broken.
#include <gtest/gtest.h>
#include <zstd.h>

#include <atomic>
#include <thread>

#include "dump_builder.h"
#include "snapshot/byte_source.h"
#include "snapshot/xxhash64.h"
#include "snapshot/zstd_frames.h"

namespace mortem {
namespace {

using test::Bytes;

Result<Bytes> expand(Bytes file) {
  auto source = TRY(snapshot::open_seekable_zstd(test::memory_source(std::move(file), "x.core.zst")));
  Bytes content(source->size());
  TRY_VOID(source->read(0, content));
  return content;
}

std::string error_of(Bytes file) {
  auto content = expand(std::move(file));
  return content ? "" : content.error().message;
}

class SeekableZstd : public testing::TestWithParam<test::SeekTable> {};

TEST_P(SeekableZstd, ReadsEveryRange) {
  Bytes content = test::pattern(100'000);
  std::fill(content.begin() + 20'000, content.begin() + 60'000, 0);
  auto source = snapshot::open_seekable_zstd(test::memory_source(test::compress_seekable(content, 7'001, GetParam())));
  ASSERT_TRUE(source) << source.error().message;
  ASSERT_EQ((*source)->size(), content.size());
  for (size_t offset = 0; offset < content.size(); offset += 1'733)
    for (size_t length : {size_t{0}, size_t{1}, size_t{7'001}, size_t{30'000}, content.size() - offset}) {
      if (length > content.size() - offset) continue;
      Bytes got(length);
      ASSERT_TRUE((*source)->read(offset, got));
      ASSERT_TRUE(std::equal(got.begin(), got.end(), content.begin() + offset)) << offset << "+" << length;
    }
  Bytes past(2);
  EXPECT_FALSE((*source)->read(content.size() - 1, past));
  EXPECT_FALSE((*source)->read(~uint64_t{0}, past));
}
INSTANTIATE_TEST_SUITE_P(Tables, SeekableZstd,
                         testing::Values(test::SeekTable::Without, test::SeekTable::Plain,
                                         test::SeekTable::WithChecksums));

TEST(SeekableZstdFile, ZstdItselfExpandsWhatTheBuilderWrites) {
  test::TemporaryFolder folder;
  const Bytes content = test::pattern(50'000);
  test::write_file(folder / "x.zst", test::compress_seekable(content, 4'096, test::SeekTable::WithChecksums));
  int status = -1;
  const std::string output = test::run_command("zstd -dc " + (folder / "x.zst").string(), &status);
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(std::equal(output.begin(), output.end(), content.begin(), content.end(),
                         [](char a, uint8_t b) { return static_cast<uint8_t>(a) == b; }));
}

TEST(SeekableZstdFile, ReadsWhatZstdItselfWrites) {
  test::TemporaryFolder folder;
  const Bytes content = test::pattern(3'000'000);
  test::write_file(folder / "x", content);
  int status = -1;
  test::run_command("zstd -q " + (folder / "x").string(), &status);
  ASSERT_EQ(status, 0);
  auto source = snapshot::open_bytes(folder / "x.zst");
  ASSERT_TRUE(source) << source.error().message;
  Bytes got((*source)->size());
  ASSERT_TRUE((*source)->read(0, got));
  EXPECT_EQ(got, content);

  // From a pipe, zstd does not know the size.
  test::run_command("cat " + (folder / "x").string() + " | zstd -qc > " + (folder / "y.zst").string(), &status);
  ASSERT_EQ(status, 0);
  auto piped = snapshot::open_bytes(folder / "y.zst");
  ASSERT_FALSE(piped);
  EXPECT_NE(piped.error().message.find("does not tell the size of its content: unpack it with `zstd -d`"),
            std::string::npos)
      << piped.error().message;
}

TEST(SeekableZstdFile, EveryCutIsReported) {
  const Bytes file = test::compress_seekable(test::pattern(20'000), 5'000);
  auto walk = snapshot::walk_frames(*test::memory_source(file));
  ASSERT_TRUE(walk);
  for (size_t length = 1; length < file.size(); ++length) {
    const std::string error = error_of(Bytes(file.begin(), file.begin() + length));
    bool at_frame_end = false;
    for (const auto& frame : walk->frames) at_frame_end |= frame.compressed_offset + frame.compressed_size == length;
    if (at_frame_end) {
      EXPECT_EQ(error, "") << length;  // whole frames: the ELF core inside is what tells that it was cut
      continue;
    }
    EXPECT_EQ(error, "x.core.zst: truncated: its seek table is missing (" + std::to_string(length) +
                         " bytes); the copy was cut, pull the dump again");
  }
}

TEST(SeekableZstdFile, EveryChangedByteOfAFrameIsFound) {
  const Bytes content = test::pattern(3'000);
  const Bytes file = test::compress_seekable(content, 1'000, test::SeekTable::WithChecksums);
  auto walk = snapshot::walk_frames(*test::memory_source(file));
  ASSERT_TRUE(walk);
  const size_t end = walk->frames.back().compressed_offset + walk->frames.back().compressed_size;
  for (size_t at = 0; at < end; ++at)
    for (uint8_t bit : {1, 0x80}) {
      Bytes changed = file;
      changed[at] ^= bit;
      auto got = expand(changed);
      // A bit that means nothing may change (the header's unused one); the content may not.
      if (got) {
        EXPECT_EQ(*got, content) << at;
      } else {
        EXPECT_NE(got.error().message.find("x.core.zst: frame "), std::string::npos) << got.error().message;
        EXPECT_EQ(got.error().message.find('\n'), std::string::npos);
      }
    }
}

TEST(SeekableZstdFile, AnErrorNamesFileFrameAndOffset) {
  Bytes file = test::compress_seekable(test::pattern(3'000), 1'000);
  auto walk = snapshot::walk_frames(*test::memory_source(file));
  const auto& frame = walk->frames[1];
  file[frame.compressed_offset + frame.compressed_size - 1] ^= 1;  // its own checksum
  const std::string error = error_of(file);
  char place[64];
  snprintf(place, sizeof(place), "x.core.zst: frame 1 (offset %#lx, ", frame.compressed_offset);
  EXPECT_EQ(error.find(place), 0u) << error;
}

TEST(SeekableZstdFile, TheSeekTablesChecksumCounts) {
  const Bytes content = test::pattern(1'000);
  Bytes file = test::compress_seekable(content, 1'000, test::SeekTable::WithChecksums);
  file[file.size() - 10] ^= 1;  // the last byte of the only entry: its checksum
  EXPECT_NE(error_of(file).find("checksum of the seek table"), std::string::npos) << error_of(file);
}

TEST(SeekableZstdFile, LyingSeekTablesAreRefused) {
  const Bytes file = test::compress_seekable(test::pattern(20'000), 5'000);
  for (size_t at = file.size() - 9 - 4 * 8 - 8; at < file.size(); ++at)
    for (uint8_t bit : {1, 0x10, 0x80}) {
      Bytes changed = file;
      changed[at] ^= bit;
      auto got = expand(changed);
      if (got) {
        EXPECT_EQ(got->size(), 20'000u) << at;
      }
    }
  Bytes zeros = file;
  zeros.resize(zeros.size() + 4096);
  EXPECT_NE(error_of(zeros).find("no seek table at the end"), std::string::npos) << error_of(zeros);
}

TEST(SeekableZstdFile, ManyThreadsReadTheSame) {
  const Bytes content = test::pattern(400'000);
  auto source = snapshot::open_seekable_zstd(test::memory_source(test::compress_seekable(content, 10'000)));
  ASSERT_TRUE(source);
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int number = 0; number < 4; ++number)
    threads.emplace_back([&, number] {
      for (size_t at = number * 777; at + 25'000 < content.size(); at += 9'111) {
        Bytes got(25'000);
        if (!(*source)->read(at, got) || !std::equal(got.begin(), got.end(), content.begin() + at)) ++wrong;
      }
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST(XxHash64, KnownValues) {  // from the XXH64 specification's implementation
  EXPECT_EQ(snapshot::xxhash64({}), 0xEF46DB3751D8E999u);
  const std::string text = "Nobody inspects the spammish repetition";
  EXPECT_EQ(snapshot::xxhash64({reinterpret_cast<const uint8_t*>(text.data()), text.size()}), 0xFBCEA83C8A378BF1u);
}

TEST(PlainFile, OneThatShrinksGivesAnError) {
  test::TemporaryFolder folder;
  test::write_file(folder / "x", test::pattern(10'000));
  auto source = snapshot::open_plain_file(folder / "x");
  ASSERT_TRUE(source);
  std::filesystem::resize_file(folder / "x", 100);
  Bytes got(200);
  auto read = (*source)->read(0, got);
  ASSERT_FALSE(read);
  EXPECT_NE(read.error().message.find("became shorter while it was read"), std::string::npos) << read.error().message;
}

TEST(PlainFile, WhatIsNoFileIsNamed) {
  test::TemporaryFolder folder;
  auto missing = snapshot::open_bytes(folder / "none");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().kind, ErrorKind::NotFound);
  EXPECT_EQ(missing.error().message, (folder / "none").string() + ": No such file or directory");
  auto directory = snapshot::open_bytes(folder.path());
  ASSERT_FALSE(directory);
  EXPECT_EQ(directory.error().message, folder.path().string() + ": a directory, not a regular file");
}

}  // namespace
}  // namespace mortem
