// The plain core out of a compressed dump: same bytes, sparse, private, whole or not there at all; and other tools
// agree with our reader about what is in it.
#include "snapshot/plain_core.h"

#include <elf.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>

#include "dump_builder.h"

namespace mortem {
namespace {

using test::Bytes;

test::DumpBuilder sample() {
  test::DumpBuilder dump;
  format::GeneralRegisters registers{};
  registers.rip = 0x401234;
  registers.rsp = 0x7ffff000;
  registers.r12 = 0x1212121212121212;
  registers.r15 = 0x1515151515151515;
  registers.cs = 0x33;
  registers.ss = 0x2b;
  dump.thread(42, "main", registers);
  dump.threads[0].signal = 11;
  dump.segment(0x400000, test::pattern(8192), PF_R | PF_X);
  dump.segment(0x10000000, Bytes(4 << 20, 0));
  dump.segment(0x7fffe000, test::pattern(8000, 2));
  return dump;
}

Result<std::unique_ptr<snapshot::CoreFile>> open_dump(Bytes bytes) {
  return snapshot::CoreFile::from(TRY(snapshot::open_bytes(test::memory_source(std::move(bytes), "x.core.zst"))));
}

size_t entries_in(const std::filesystem::path& folder) {
  return std::distance(std::filesystem::directory_iterator(folder), std::filesystem::directory_iterator());
}

TEST(PlainCore, HasTheSameBytesWithHolesForZeros) {
  test::TemporaryFolder folder;
  const auto dump = sample();
  auto core = open_dump(dump.dump());
  ASSERT_TRUE(core) << core.error().message;
  uint64_t last_done = 0, total = 0;
  auto written =
      snapshot::write_plain_core(**core, folder / "x.core", snapshot::Existing::Keep, [&](uint64_t done, uint64_t of) {
        EXPECT_GT(done, last_done);
        last_done = done, total = of;
        return snapshot::ProgressAnswer::GoOn;
      });
  ASSERT_TRUE(written) << written.error().message;
  EXPECT_EQ(test::read_file(folder / "x.core"), dump.core());
  EXPECT_EQ(last_done, total);
  EXPECT_EQ(total, dump.core().size());
  struct stat status {};
  ASSERT_EQ(stat((folder / "x.core").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  EXPECT_LT(status.st_blocks * 512, 1 << 20);  // of more than 4 MiB
  EXPECT_EQ(entries_in(folder.path()), 1u);
}

TEST(PlainCore, GdbReadsTheRegistersThatWerePutIn) {
  test::TemporaryFolder folder;
  auto core = open_dump(sample().dump());
  ASSERT_TRUE(core && snapshot::write_plain_core(**core, folder / "x.core"));
  const std::string output =
      test::run_command("gdb -nx -batch -c " + (folder / "x.core").string() +
                        " -ex 'p/x $r12' -ex 'p/x $r15' -ex 'p/x $rip' -ex 'x/1xb 0x400000' 2>&1");
  EXPECT_NE(output.find("$1 = 0x1212121212121212"), std::string::npos) << output;
  EXPECT_NE(output.find("$2 = 0x1515151515151515"), std::string::npos) << output;
  EXPECT_NE(output.find("$3 = 0x401234"), std::string::npos) << output;
  char expected[64];
  snprintf(expected, sizeof(expected), "0x400000:\t0x%02x", test::pattern(1)[0]);
  EXPECT_NE(output.find(expected), std::string::npos) << output;
}

TEST(PlainCore, AnExistingFileStaysUnlessAskedOtherwise) {
  test::TemporaryFolder folder;
  test::write_file(folder / "x.core", Bytes(3, 'o'));
  auto core = open_dump(sample().dump());
  ASSERT_TRUE(core);
  auto written = snapshot::write_plain_core(**core, folder / "x.core");
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().message,
            (folder / "x.core").string() + ": exists already; give another name");
  EXPECT_EQ(test::read_file(folder / "x.core"), Bytes(3, 'o'));
  ASSERT_TRUE(snapshot::write_plain_core(**core, folder / "x.core", snapshot::Existing::Replace));
  EXPECT_EQ(test::read_file(folder / "x.core"), sample().core());
}

TEST(PlainCore, AnErrorOrACancelLeavesNothingBehind) {
  test::TemporaryFolder folder;
  Bytes dump = sample().dump(4096);
  dump[dump.size() / 4] ^= 0xFF;
  auto core = open_dump(dump);
  ASSERT_TRUE(core) << core.error().message;
  auto written = snapshot::write_plain_core(**core, folder / "x.core");
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().message.find("x.core.zst: frame "), 0u) << written.error().message;
  EXPECT_EQ(entries_in(folder.path()), 0u);

  auto whole = open_dump(sample().dump());
  ASSERT_TRUE(whole);
  EXPECT_FALSE(snapshot::write_plain_core(**whole, folder / "x.core", snapshot::Existing::Keep,
                                          [](uint64_t, uint64_t) { return snapshot::ProgressAnswer::Cancel; }));
  EXPECT_EQ(entries_in(folder.path()), 0u);
  auto nowhere = snapshot::write_plain_core(**whole, folder / "no/such/folder/x.core");
  ASSERT_FALSE(nowhere);
  EXPECT_NE(nowhere.error().message.find("x.core: cannot be made: No such file or directory"), std::string::npos);
}

// A limit on the size of files stands for a full disk: the write fails in the middle.
TEST(PlainCore, AFullDiskLeavesNothingBehind) {
  test::TemporaryFolder folder;
  test::DumpBuilder dump = sample();
  dump.segment(0x20000000, test::pattern(3 << 20));
  auto core = open_dump(dump.dump());
  ASSERT_TRUE(core);
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  const rlimit small{1 << 20, before.rlim_max};
  signal(SIGXFSZ, SIG_IGN);
  setrlimit(RLIMIT_FSIZE, &small);
  auto written = snapshot::write_plain_core(**core, folder / "x.core");
  setrlimit(RLIMIT_FSIZE, &before);
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().message, (folder / "x.core").string() + ": File too large");
  EXPECT_EQ(entries_in(folder.path()), 0u);
}

}  // namespace
}  // namespace mortem
