// Temporary folders: gone with their owner, however that ended, and nobody else's.
#include "tools/files.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <string>

namespace mortem::tools {
namespace {

namespace fs = std::filesystem;

class TemporaryFolders : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NE(mkdtemp(parent_.data()), nullptr);
    ASSERT_EQ(setenv("TMPDIR", parent_.c_str(), 1), 0);
  }
  void TearDown() override {
    unsetenv("TMPDIR");
    fs::remove_all(parent_);
  }
  // Of a process that was killed while it held it; `names`: something else named it.
  fs::path leftover(bool names) {
    int ends[2];
    EXPECT_EQ(pipe(ends), 0);
    const pid_t child = fork();
    if (child == 0) {
      auto folder = TemporaryFolder::create();
      std::ofstream(folder->path() / "memory") << "much";
      if (names) TemporaryFolder::keep_if_killed(folder->path());
      const std::string path = folder->path();
      (void)!write(ends[1], path.data(), path.size());
      kill(getpid(), SIGKILL);
    }
    waitpid(child, nullptr, 0);
    char path[4096];
    const ssize_t size = read(ends[0], path, sizeof path);
    close(ends[0]), close(ends[1]);
    return std::string(path, size_t(std::max<ssize_t>(size, 0)));
  }
  std::string parent_ = "/tmp/mortem-files-test.XXXXXX";
};

TEST_F(TemporaryFolders, GoWithTheObject) {
  fs::path path;
  {
    auto folder = TemporaryFolder::create();
    ASSERT_TRUE(folder) << folder.error().message;
    path = folder->path();
    std::ofstream(path / "memory") << "much";
    EXPECT_TRUE(fs::exists(path));
  }
  EXPECT_FALSE(fs::exists(path));
}

TEST_F(TemporaryFolders, OfAKilledProcessAreRemovedByTheNext) {
  const fs::path path = leftover(false);
  ASSERT_TRUE(fs::exists(path / "memory"));
  ASSERT_TRUE(TemporaryFolder::create());
  EXPECT_FALSE(fs::exists(path));
}

TEST_F(TemporaryFolders, ThatSomethingNamesStay) {
  const fs::path path = leftover(true);
  ASSERT_TRUE(TemporaryFolder::create());
  EXPECT_TRUE(fs::exists(path / "memory"));
}

TEST_F(TemporaryFolders, InUseAndReleasedOnesStay) {
  auto used = TemporaryFolder::create();
  fs::path released = TemporaryFolder::create()->release();
  ASSERT_TRUE(TemporaryFolder::create());
  EXPECT_TRUE(fs::exists(used->path()));
  EXPECT_TRUE(fs::exists(released));
}

TEST_F(TemporaryFolders, OfOthersStay) {
  const fs::path theirs = fs::path(parent_) / "mortem-backup", near = fs::path(parent_) / "mortem-backups";
  for (const fs::path& folder : {theirs, near}) fs::create_directory(folder);
  std::ofstream(near / "owner");
  ASSERT_TRUE(TemporaryFolder::create());
  EXPECT_TRUE(fs::exists(theirs));
  EXPECT_TRUE(fs::exists(near / "owner"));
}

}  // namespace
}  // namespace mortem::tools
