// The path walk over a real ext2 root with trees mounted on it.
#include <gtest/gtest.h>

#include <filesystem>

#include "kernel/fs/inode.h"
#include "kernel/fs/tree.h"
#include "tests/unit/image_files.h"
#include "tests/unit/kernel_device_fakes.h"

namespace {

namespace fs = std::filesystem;
using namespace kernel;

class Path : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    image_files::ScratchFolder scratch;
    const fs::path root = scratch.path();
    image_files::write_file(root / "etc/name", "mortem");
    image_files::write_file(root / "usr/lib/file", "x");
    fs::create_symlink("usr/lib", root / "lib");
    fs::create_symlink("/usr", root / "etc/absolute");
    fs::create_symlink("../etc/name", root / "usr/up");
    fs::create_symlink("self", root / "self");
    fs::create_symlink("/dev/fd", root / "through");
    fs::create_symlink("/usr/lib/", root / "slash");
    fs::create_symlink("nowhere", root / "broken");
    fs::create_symlink("0", root / "chain");
    for (int index = 0; index < 45; ++index)
      fs::create_symlink(index == 44 ? "etc" : std::to_string(index + 1), root / std::to_string(index));
    fs::create_symlink(std::string(900, 'y') + "/../", root / "longer");
    disk_ = new kernel_fakes::MemoryDisk(image_files::make_file_system(root, "-t ext2 -b 1024", 4096));
    set_root_inode(mount_ext2(*disk_, 0, disk_->size()).release_value());
    TreeDirectory* devices = make_tree(5).release_value();
    EXPECT_TRUE(devices->add_text("null", ""));
    EXPECT_TRUE(devices->add_symlink("fd", "/etc"));
    EXPECT_TRUE(devices->add_directory("inner"));
    EXPECT_TRUE(mount_at("dev", devices));
    devices_ = devices;
  }

  static Result<Inode*> find(const std::string& path, FollowLast follow = FollowLast::Yes, Inode* start = nullptr) {
    return find_inode(start, {path.data(), path.size()}, follow);
  }
  static Inode* at(const std::string& path) {
    auto found = find(path);
    EXPECT_TRUE(found) << path << ": " << (found ? 0 : static_cast<int>(found.error()));
    return found ? found.value() : nullptr;
  }
  static Error error(const std::string& path, FollowLast follow = FollowLast::Yes) {
    auto found = find(path, follow);
    EXPECT_TRUE(found.is_error()) << path;
    return found.is_error() ? found.error() : Error{};
  }

  static kernel_fakes::MemoryDisk* disk_;
  static Inode* devices_;
};
kernel_fakes::MemoryDisk* Path::disk_;
Inode* Path::devices_;

TEST_F(Path, PlainPaths) {
  EXPECT_EQ(at("/"), root_inode());
  EXPECT_EQ(at("///"), root_inode());
  EXPECT_EQ(at("/etc/../etc/./name"), at("//etc//name"));
  EXPECT_EQ(at("/../../etc/name"), at("/etc/name"));
  EXPECT_EQ(at("/etc/"), at("/etc"));
  EXPECT_EQ(find("name", FollowLast::Yes, at("/etc")).value(), at("/etc/name"));
  EXPECT_EQ(find("../usr", FollowLast::Yes, at("/etc")).value(), at("/usr"));
}

TEST_F(Path, Errors) {
  EXPECT_EQ(error(""), Error::NoEntry);
  EXPECT_EQ(error("/none"), Error::NoEntry);
  EXPECT_EQ(error("/none/name"), Error::NoEntry);
  EXPECT_EQ(error("/etc/name/"), Error::NotDirectory);
  EXPECT_EQ(error("/etc/name/x"), Error::NotDirectory);
  EXPECT_EQ(error("/etc/name/."), Error::NotDirectory);
  EXPECT_EQ(error("/" + std::string(256, 'n')), Error::NameTooLong);
  EXPECT_EQ(error("/" + std::string(255, 'n')), Error::NoEntry);
  EXPECT_EQ(error(std::string(4096, '/')), Error::NameTooLong);
  EXPECT_EQ(at(std::string(4095, '/')), root_inode());
}

TEST_F(Path, SymbolicLinks) {
  EXPECT_EQ(at("/lib/file"), at("/usr/lib/file"));
  EXPECT_EQ(at("/slash/file"), at("/usr/lib/file"));
  EXPECT_EQ(at("/etc/absolute/lib/file"), at("/usr/lib/file"));
  EXPECT_EQ(at("/usr/up"), at("/etc/name"));
  EXPECT_EQ(at("/lib/"), at("/usr/lib"));
  EXPECT_EQ(find("/lib", FollowLast::No).value()->status().value().type, FileType::Symlink);
  EXPECT_EQ(find("/lib/", FollowLast::No).value(), at("/usr/lib"));
  EXPECT_EQ(error("/broken"), Error::NoEntry);
  EXPECT_TRUE(find("/broken", FollowLast::No));
  EXPECT_EQ(error("/self"), Error::Loop);
  EXPECT_EQ(error("/chain"), Error::Loop);    // 46 links
  EXPECT_EQ(at("/5/name"), at("/etc/name"));  // exactly 40
  EXPECT_EQ(error("/4/name"), Error::Loop);   // 41
  EXPECT_EQ(error("/longer" + std::string(3500, '/')), Error::NameTooLong);
}

TEST_F(Path, MountPoints) {
  EXPECT_EQ(at("/dev"), devices_);
  EXPECT_EQ(at("/dev/.."), root_inode());
  EXPECT_EQ(at("/dev/inner/../null"), at("/dev/null"));
  EXPECT_EQ(at("/dev/inner/../../etc/name"), at("/etc/name"));
  EXPECT_EQ(at("/through/name"), at("/etc/name"));
  EXPECT_EQ(at("/etc/../dev/null"), at("/dev/null"));
  EXPECT_EQ(find("../dev/null", FollowLast::Yes, at("/etc")).value(), at("/dev/null"));
  EXPECT_EQ(error("/etc/dev"), Error::NoEntry);
  EXPECT_EQ(error("/dev/none"), Error::NoEntry);
}

}  // namespace
