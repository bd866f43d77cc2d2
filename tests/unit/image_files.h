// Real file systems and disks for the tests: made by mke2fs and sgdisk in a folder of their own.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace image_files {

// A new folder, removed with everything in it at the end.
class ScratchFolder {
 public:
  ScratchFolder();
  ~ScratchFolder();
  ScratchFolder(const ScratchFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

void write_file(const std::filesystem::path& path, const std::string& content);
// `size` bytes that are different at each place.
std::string pattern(size_t size, uint32_t seed);
void run(const std::string& command);  // fails the test when the command does
std::vector<uint8_t> read_file(const std::filesystem::path& path);

// A file system of `kilobytes` with the content of `folder`; `options` go to mke2fs.
std::vector<uint8_t> make_file_system(const std::filesystem::path& folder, const std::string& options,
                                      unsigned kilobytes);

}  // namespace image_files
