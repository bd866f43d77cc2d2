// A file that appears whole or not at all: written under a temporary name in its folder, then renamed. Mode 0600,
// because dumps hold the program's memory.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

#include "snapshot/result.h"

namespace mortem::snapshot {

enum class Existing { Keep, Replace };  // what to do about a file that has the name already

class OutputFile {
 public:
  static Result<OutputFile> create(const std::filesystem::path& path, Existing existing);
  OutputFile(OutputFile&& other) noexcept;
  OutputFile& operator=(OutputFile&&) = delete;
  ~OutputFile();  // without commit(): nothing stays behind

  Result<void> write(uint64_t offset, std::span<const uint8_t> bytes);
  Result<void> set_size(uint64_t size);  // what was not written up to there is a hole
  Result<void> synchronize();            // on stable storage when this returns
  Result<void> commit();

 private:
  OutputFile(std::filesystem::path path, std::string temporary, int descriptor, Existing existing)
      : path_(std::move(path)), temporary_(std::move(temporary)), descriptor_(descriptor), existing_(existing) {}
  tl::unexpected<Error> system_failure(int error) const;

  std::filesystem::path path_;
  std::string temporary_;  // empty: nothing to remove
  int descriptor_;
  Existing existing_;
};

}  // namespace mortem::snapshot
