// The root file system of an image, in ext3's layout: files are staged in a temporary folder and packed by `mke2fs -d`
// straight into the partition, without root rights and without loop devices. In the guest files belong to root, or,
// what the request names, to its user.
#pragma once

#include <cstdint>
#include <filesystem>
#include <set>
#include <string>

#include "tools/files.h"
#include "tools/image/image_request.h"
#include "tools/image/libraries.h"

namespace mortem::tools {

class RootFileSystem {
 public:
  // Copies all files of the request, its libraries, the standard folders and the manifest to a temporary folder.
  static Result<RootFileSystem> stage(const ImageRequest& request, const Libraries& libraries);

  uint64_t size() const { return size_; }  // bytes that the partition needs
  // Makes the file system in `image` from byte `offset` on; the file is long enough already.
  Result<void> write(const std::filesystem::path& image, uint64_t offset) const;

 private:
  explicit RootFileSystem(TemporaryFolder folder) : folder_(std::move(folder)) {}
  Result<void> measure(uint64_t least);
  Result<void> set_owners(const std::filesystem::path& image, uint64_t offset) const;

  TemporaryFolder folder_;
  UserAndGroup user_;
  std::set<std::string> of_user_;  // what is the user's: absolute paths without symbolic links
  uint64_t size_ = 0;
  uint64_t inodes_ = 0;
};

// A file of the root file system of an image, read by debugfs. NotFound when it is not there.
Result<std::string> read_root_file(const std::filesystem::path& image, uint64_t offset, const std::string& path);

}  // namespace mortem::tools
