// A folder that appears whole or not at all.
#pragma once

#include <filesystem>
#include <utility>

#include "snapshot/result.h"

namespace mortem::tools {

// A name beside the wanted one, for a folder that is gone with all in it unless it gets the wanted name.
class NewFolder {
 public:
  static Result<NewFolder> create(const std::filesystem::path& wanted);
  NewFolder(NewFolder&& other) noexcept : path_(std::exchange(other.path_, {})), wanted_(std::move(other.wanted_)) {}
  NewFolder& operator=(NewFolder&&) = delete;
  ~NewFolder();
  const std::filesystem::path& path() const { return path_; }  // is not there yet
  Result<void> commit();

 private:
  NewFolder(std::filesystem::path path, std::filesystem::path wanted)
      : path_(std::move(path)), wanted_(std::move(wanted)) {}
  std::filesystem::path path_, wanted_;
};

}  // namespace mortem::tools
