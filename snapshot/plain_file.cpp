// Files as they stand. pread and not mmap: a file that another process shortens must give an error, not SIGBUS.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "snapshot/byte_source.h"

namespace mortem::snapshot {

Result<void> ByteSource::check_range(uint64_t offset, uint64_t length) const {
  if (offset <= size() && length <= size() - offset) return {};
  return failure(ErrorKind::BadInput,
                 fmt::format("{}: bytes {:#x}+{:#x} are past the end ({:#x} bytes)", name(), offset, length, size()));
}

namespace {

class PlainFile final : public ByteSource {
 public:
  PlainFile(int descriptor, uint64_t size, std::string name)
      : descriptor_(descriptor), size_(size), name_(std::move(name)) {}
  PlainFile(const PlainFile&) = delete;
  PlainFile& operator=(const PlainFile&) = delete;
  ~PlainFile() override { close(descriptor_); }

  uint64_t size() const override { return size_; }
  const std::string& name() const override { return name_; }

  Result<void> read(uint64_t offset, std::span<uint8_t> to) const override {
    TRY_VOID(check_range(offset, to.size()));
    while (!to.empty()) {
      ssize_t got = pread(descriptor_, to.data(), to.size(), static_cast<off_t>(offset));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0)
        return failure(ErrorKind::System,
                       fmt::format("{}: reading at offset {:#x}: {}", name_, offset, std::strerror(errno)));
      if (got == 0)
        return failure(ErrorKind::System, fmt::format("{}: became shorter while it was read: ends at offset {:#x}, had "
                                                      "{:#x} bytes when it was opened",
                                                      name_, offset, size_));
      to = to.subspan(static_cast<size_t>(got));
      offset += static_cast<uint64_t>(got);
    }
    return {};
  }

 private:
  int descriptor_;
  uint64_t size_;
  std::string name_;
};

class Subrange final : public ByteSource {
 public:
  Subrange(std::shared_ptr<const ByteSource> whole, uint64_t offset, uint64_t length, std::string name)
      : whole_(std::move(whole)), offset_(offset), length_(length), name_(std::move(name)) {}

  uint64_t size() const override { return length_; }
  const std::string& name() const override { return name_; }

  Result<void> read(uint64_t offset, std::span<uint8_t> to) const override {
    TRY_VOID(check_range(offset, to.size()));
    return whole_->read(offset_ + offset, to);
  }

 private:
  std::shared_ptr<const ByteSource> whole_;
  uint64_t offset_, length_;
  std::string name_;
};

}  // namespace

Result<std::unique_ptr<ByteSource>> open_plain_file(const std::filesystem::path& path) {
  // Non-blocking, so that a FIFO given by mistake is refused below instead of waited for.
  int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0)
    return failure(errno == ENOENT ? ErrorKind::NotFound : ErrorKind::System,
                   fmt::format("{}: {}", path.string(), std::strerror(errno)));
  struct stat status {};
  if (fstat(descriptor, &status) != 0) {
    int error = errno;
    close(descriptor);
    return failure(ErrorKind::System, fmt::format("{}: {}", path.string(), std::strerror(error)));
  }
  off_t size = status.st_size;
  if (S_ISBLK(status.st_mode)) size = lseek(descriptor, 0, SEEK_END);
  if ((!S_ISREG(status.st_mode) && !S_ISBLK(status.st_mode)) || size < 0) {
    close(descriptor);
    return failure(ErrorKind::BadInput,
                   fmt::format("{}: {}, not a regular file", path.string(),
                               S_ISDIR(status.st_mode) ? "a directory" : "a pipe, socket or character device"));
  }
  return std::make_unique<PlainFile>(descriptor, static_cast<uint64_t>(size), path.string());
}

Result<std::unique_ptr<ByteSource>> open_subrange(std::shared_ptr<const ByteSource> whole, uint64_t offset,
                                                  uint64_t length, std::string name) {
  if (offset > whole->size() || length > whole->size() - offset)
    return failure(ErrorKind::BadInput, fmt::format("{}: {} ({:#x}+{:#x}) is past the end ({:#x} bytes)", whole->name(),
                                                    name, offset, length, whole->size()));
  return std::make_unique<Subrange>(std::move(whole), offset, length, std::move(name));
}

}  // namespace mortem::snapshot
