#include "tests/unit/image_files.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

namespace image_files {

namespace fs = std::filesystem;

ScratchFolder::ScratchFolder() {
  std::string name = (fs::temp_directory_path() / "mortem-test-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("no scratch folder");
  path_ = name;
}

ScratchFolder::~ScratchFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

void write_file(const fs::path& path, const std::string& content) {
  fs::create_directories(path.parent_path());
  std::ofstream out(path, std::ios::binary);
  out.write(content.data(), static_cast<std::streamsize>(content.size()));
  ASSERT_TRUE(out.good()) << path;
}

std::string pattern(size_t size, uint32_t seed) {
  std::string bytes(size, '\0');
  uint32_t state = seed * 2654435761u + 1;
  for (char& byte : bytes) {
    state = state * 1664525u + 1013904223u;
    byte = static_cast<char>(state >> 24);
  }
  return bytes;
}

void run(const std::string& command) {
  // mke2fs and its kind stand in sbin, which is not on every user's path.
  const int status = std::system(("PATH=$PATH:/usr/sbin:/sbin; " + command + " >/dev/null 2>&1").c_str());
  ASSERT_EQ(status, 0) << command;
}

std::vector<uint8_t> read_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::vector<uint8_t> bytes(fs::file_size(path));
  in.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  return bytes;
}

std::vector<uint8_t> make_file_system(const fs::path& folder, const std::string& options, unsigned kilobytes) {
  const ScratchFolder scratch;
  const fs::path image = scratch.path() / "image";
  run("mke2fs -q -F -d '" + folder.string() + "' " + options + " '" + image.string() + "' " +
      std::to_string(kilobytes) + "k");
  return read_file(image);
}

}  // namespace image_files
