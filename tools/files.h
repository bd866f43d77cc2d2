// Small things about files that the standard library leaves out: whole reads, writes that appear at once or not at all,
// temporary folders, and descriptors that close themselves.
#pragma once

#include <cerrno>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "snapshot/result.h"

namespace mortem::tools {

class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~Descriptor() { reset(); }
  void reset();
  int get() const { return number_; }
  int release() { return std::exchange(number_, -1); }
  explicit operator bool() const { return number_ >= 0; }

 private:
  int number_ = -1;
};

// Of a process that was forked to stand for itself: all above standard error but these; negative ones are none.
void close_descriptors_but(std::vector<int> kept);

// Kind by errno (NotFound for ENOENT), sentence "WHAT PATH: strerror".
tl::unexpected<Error> system_failure(std::string_view what, const std::filesystem::path& path, int number = errno);

Result<std::string> read_text_file(const std::filesystem::path& path, size_t bound = 16 << 20);
// Written beside, then renamed: readers see the old file or the new one, never a part.
Result<void> write_file_atomically(const std::filesystem::path& path, std::string_view text);
Result<void> write_all(int descriptor, std::string_view bytes, const std::filesystem::path& name);
// Copies content (holes stay holes) and the given permission bits to a new file. `progress` gets bytes just copied.
Result<void> copy_file_content(const std::filesystem::path& from, const std::filesystem::path& to, unsigned mode,
                               const std::function<void(uint64_t)>& progress = {});

// A new folder below $TMPDIR (else /tmp), 0700; gone with all below it when the object goes. If its process was killed,
// the next one made below the same $TMPDIR removes it.
class TemporaryFolder {
 public:
  static Result<TemporaryFolder> create();
  TemporaryFolder(TemporaryFolder&& other) noexcept
      : path_(std::exchange(other.path_, {})), lock_(std::move(other.lock_)) {}
  TemporaryFolder& operator=(TemporaryFolder&& other) noexcept {
    std::swap(path_, other.path_);
    std::swap(lock_, other.lock_);
    return *this;
  }
  ~TemporaryFolder();
  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path release();  // it stays
  // Something else names the folder from now on: it is no leftover when its process was killed.
  static void keep_if_killed(const std::filesystem::path& path);

 private:
  TemporaryFolder(std::filesystem::path path, Descriptor lock) : path_(std::move(path)), lock_(std::move(lock)) {}
  std::filesystem::path path_;
  Descriptor lock_;
};

// Where the running program stands; its neighbours (the kernel) are found from there.
std::filesystem::path program_folder();

}  // namespace mortem::tools
