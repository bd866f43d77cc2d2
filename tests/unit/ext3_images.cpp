#include "tests/unit/ext3_images.h"

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdio>
#include <fstream>

#include "tests/unit/image_files.h"

namespace ext3_images {

using namespace kernel;

namespace {

// e2fsck and mke2fs flush their file: in memory they need not wait for a disk.
[[maybe_unused]] const int g_in_memory = setenv("TMPDIR", "/dev/shm", 0);

Verdict run(const std::string& command) {
  FILE* pipe = popen(("PATH=$PATH:/usr/sbin:/sbin; " + command).c_str(), "r");
  Verdict verdict{-1, ""};
  char part[4096];
  for (size_t count; (count = fread(part, 1, sizeof part, pipe)) > 0;) verdict.text.append(part, count);
  verdict.status = WEXITSTATUS(pclose(pipe));
  return verdict;
}

std::string save(const image_files::ScratchFolder& scratch, const std::vector<uint8_t>& image) {
  const std::string path = scratch.path() / "image";
  std::ofstream out(path, std::ios::binary);
  out.write(reinterpret_cast<const char*>(image.data()), static_cast<std::streamsize>(image.size()));
  return path;
}

}  // namespace

std::vector<uint8_t> make(unsigned mebibytes, const std::string& options) {
  const image_files::ScratchFolder content;
  return image_files::make_file_system(content.path(), options, mebibytes << 10);
}

Verdict check(const std::vector<uint8_t>& image, const std::string& mode) {
  const image_files::ScratchFolder scratch;
  return run("e2fsck " + mode + " '" + save(scratch, image) + "' 2>&1");
}

std::map<std::string, std::string> files(const std::vector<uint8_t>& image) {
  const image_files::ScratchFolder scratch;
  const std::filesystem::path out = scratch.path() / "out";
  std::filesystem::create_directory(out);
  run("debugfs -R 'rdump / " + out.string() + "' '" + save(scratch, image) + "' 2>&1");
  std::map<std::string, std::string> found;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(out)) {
    if (!entry.is_regular_file() || entry.is_symlink()) continue;
    const auto bytes = image_files::read_file(entry.path());
    found["/" + entry.path().lexically_relative(out).string()] = {bytes.begin(), bytes.end()};
  }
  return found;
}

std::string content(const std::vector<uint8_t>& image, const std::string& path) {
  const image_files::ScratchFolder scratch;
  return run("debugfs -R 'cat \"" + path + "\"' '" + save(scratch, image) + "' 2>/dev/null").text;
}

Inode* mount(BlockDevice& disk) {
  auto root = mount_ext2(disk, 0, disk.size());
  EXPECT_TRUE(root) << kernel_fakes::last_log();
  return root ? root.value() : nullptr;
}

std::span<const char> text(const std::string& value) {
  return {value.data(), value.size()};
}

Inode* find(Inode* root, const std::string& path) {
  Inode* at = root;
  for (size_t start = 0; start < path.size();) {
    const size_t end = std::min(path.find('/', start), path.size());
    auto next = at->lookup({path.data() + start, end - start});
    if (!next) return nullptr;
    at = next.value();
    start = end + 1;
  }
  return at;
}

Inode* make_file(Inode* folder, const std::string& name, const std::string& content) {
  auto made = folder->create(text(name), FileType::Regular, 0644);
  EXPECT_TRUE(made) << name << " " << (made ? 0 : static_cast<int>(made.error()));
  if (!made) return nullptr;
  EXPECT_EQ(content.empty() ? 0 : write(made.value(), 0, content), content.size());
  return made.value();
}

std::string read(Inode* file) {
  std::string bytes(file->status().value().size, '?');
  auto count = file->read(0, {reinterpret_cast<uint8_t*>(bytes.data()), bytes.size()});
  EXPECT_TRUE(count);
  bytes.resize(count ? count.value() : 0);
  return bytes;
}

size_t write(Inode* file, uint64_t offset, const std::string& content) {
  auto count = file->write(offset, {reinterpret_cast<const uint8_t*>(content.data()), content.size()});
  return count ? count.value() : 0;
}

}  // namespace ext3_images
