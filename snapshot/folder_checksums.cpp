#include "snapshot/folder_checksums.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <mutex>

#include "snapshot/little_endian.h"
#include "snapshot/xxhash64.h"

namespace mortem::snapshot {

namespace fs = std::filesystem;

namespace {

constexpr size_t kMagicLength = 8, kLongestName = 255;
constexpr uint64_t kLargestTable = uint64_t{256} << 20, kMostFiles = 4096;

uint64_t block_count(uint64_t bytes) {
  return bytes / kChecksumBlock + (bytes % kChecksumBlock != 0 ? 1 : 0);
}

uint64_t block_length(uint64_t number, uint64_t bytes) {
  return std::min(kChecksumBlock, bytes - number * kChecksumBlock);
}

uint64_t zeros_checksum() {
  static const uint64_t checksum = xxhash64(std::vector<uint8_t>(kChecksumBlock));
  return checksum;
}

// Where the file has data from `offset` on; its end: nowhere. Of a file system that does not tell holes: there.
uint64_t next_data(int descriptor, uint64_t offset, uint64_t end) {
  const off_t data = lseek(descriptor, off_t(offset), SEEK_DATA);
  if (data >= 0) return uint64_t(data);
  return errno == ENXIO ? end : offset;
}

Result<FileChecksums> checksums_of(const fs::path& path) {
  FileChecksums sums;
  sums.file = path.filename().string();
  const auto file = TRY(open_plain_file(path));
  struct Closed {
    int number;
    ~Closed() { close(number); }
  } const holes{open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  sums.bytes = file->size();
  sums.blocks.reserve(block_count(sums.bytes));
  std::vector<uint8_t> block(kChecksumBlock);
  uint64_t data = 0;
  for (uint64_t number = 0; number < block_count(sums.bytes); ++number) {
    const uint64_t start = number * kChecksumBlock, length = block_length(number, sums.bytes);
    if (data < start) data = next_data(holes.number, start, sums.bytes);
    if (number == 0) data = next_data(holes.number, 0, sums.bytes);
    if (data >= start + length && length == kChecksumBlock) {
      sums.blocks.push_back(zeros_checksum());
      continue;
    }
    const std::span<uint8_t> bytes(block.data(), length);
    TRY_VOID(file->read(start, bytes));
    sums.blocks.push_back(xxhash64(bytes));
  }
  return sums;
}

void append(std::vector<uint8_t>& to, std::span<const uint8_t> bytes) {
  to.insert(to.end(), bytes.begin(), bytes.end());
}

tl::unexpected<Error> changed(const fs::path& path, uint64_t number) {
  return failure(ErrorKind::BadInput,
                 fmt::format("{}: bytes {:#x}+{:#x} are not what was written there (checksum): changed or damaged",
                             path.string(), number * kChecksumBlock, kChecksumBlock));
}

std::function<void(const std::string&)>& listener() {
  static std::function<void(const std::string&)> tell;
  return tell;
}

}  // namespace

Result<FolderChecksums> FolderChecksums::of(const fs::path& folder, const std::vector<std::string>& without) {
  FolderChecksums made;
  std::error_code error;
  std::vector<fs::path> paths;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error))
    if (at->is_regular_file(error) && std::ranges::find(without, at->path().filename().string()) == without.end())
      paths.push_back(at->path());
  if (error) return failure(ErrorKind::System, fmt::format("{}: {}", folder.string(), error.message()));
  std::sort(paths.begin(), paths.end());
  for (const fs::path& path : paths) made.files_.push_back(TRY(checksums_of(path)));
  return made;
}

std::vector<uint8_t> FolderChecksums::bytes() const {
  std::vector<uint8_t> content;
  append(content, {reinterpret_cast<const uint8_t*>(kChecksumsMagic), kMagicLength});
  for (const FileChecksums& one : files_) {
    append(content, bytes_of(static_cast<uint32_t>(one.file.size())));
    append(content, {reinterpret_cast<const uint8_t*>(one.file.data()), one.file.size()});
    append(content, bytes_of(one.bytes));
    append(content, {reinterpret_cast<const uint8_t*>(one.blocks.data()), one.blocks.size() * sizeof(uint64_t)});
  }
  return content;
}

Result<FolderChecksums> FolderChecksums::parse(std::span<const uint8_t> bytes, const std::string& where) {
  const auto damaged = [&](uint64_t offset) {
    return failure(ErrorKind::BadInput, fmt::format("{}: no checksums at offset {:#x}: damaged", where, offset));
  };
  if (bytes.size() < kMagicLength || std::memcmp(bytes.data(), kChecksumsMagic, kMagicLength) != 0) return damaged(0);
  FolderChecksums read;
  for (uint64_t at = kMagicLength; at < bytes.size();) {
    const auto name_length = load<uint32_t>(bytes, at);
    if (!name_length || *name_length == 0 || *name_length > kLongestName || read.files_.size() >= kMostFiles)
      return damaged(at);
    const auto size = load<uint64_t>(bytes, at + sizeof(uint32_t) + *name_length);
    if (!size) return damaged(at);
    FileChecksums one;
    one.file.assign(reinterpret_cast<const char*>(bytes.data() + at + sizeof(uint32_t)), *name_length);
    if (one.file.find('/') != std::string::npos || one.file == "." || one.file == "..") return damaged(at);
    one.bytes = *size;
    at += sizeof(uint32_t) + *name_length + sizeof(uint64_t);
    const uint64_t count = block_count(one.bytes);
    if (count > (bytes.size() - at) / sizeof(uint64_t)) return damaged(at);
    one.blocks.resize(count);
    if (count != 0) std::memcpy(one.blocks.data(), bytes.data() + at, count * sizeof(uint64_t));
    at += count * sizeof(uint64_t);
    read.files_.push_back(std::move(one));
  }
  return read;
}

Result<FolderChecksums> FolderChecksums::read(const fs::path& folder, uint64_t checksum) {
  const fs::path path = folder / kChecksumsFile;
  const auto file = TRY(open_plain_file(path));
  if (file->size() > kLargestTable)
    return failure(ErrorKind::BadInput, fmt::format("{}: of {} bytes: no checksums", path.string(), file->size()));
  std::vector<uint8_t> content(file->size());
  TRY_VOID(file->read(0, content));
  if (xxhash64(content) != checksum)
    return failure(
        ErrorKind::BadInput,
        fmt::format("{}: not the checksums that were written: cut short, changed or damaged", path.string()));
  return parse(content, path.string());
}

const FileChecksums* FolderChecksums::find(const std::string& file) const {
  for (const FileChecksums& one : files_)
    if (one.file == file) return &one;
  return nullptr;
}

Result<void> FolderChecksums::check_sizes(const fs::path& folder) const {
  for (const FileChecksums& one : files_) {
    const fs::path path = folder / one.file;
    struct stat facts;
    if (stat(path.c_str(), &facts) != 0)
      return failure(errno == ENOENT ? ErrorKind::NotFound : ErrorKind::System,
                     fmt::format("{}: {}", path.string(), errno == ENOENT ? "is missing" : std::strerror(errno)));
    if (!S_ISREG(facts.st_mode) || uint64_t(facts.st_size) != one.bytes)
      return failure(ErrorKind::BadInput,
                     fmt::format("{}: has {} bytes, had {} when it was written: cut short or changed", path.string(),
                                 facts.st_size, one.bytes));
  }
  return {};
}

Result<void> FolderChecksums::check_content(const fs::path& folder, uint64_t largest,
                                            const std::function<Result<void>(uint64_t)>& go_on) const {
  for (const FileChecksums& one : files_) {
    if (one.bytes > largest) continue;
    const FileChecksums found = TRY(checksums_of(folder / one.file));
    for (uint64_t number = 0; number < one.blocks.size(); ++number)
      if (found.bytes != one.bytes || found.blocks[number] != one.blocks[number])
        return changed(folder / one.file, number);
    if (go_on) TRY_VOID(go_on(one.bytes));
  }
  return {};
}

struct CheckedFile::State {
  explicit State(size_t blocks) : is_checked(blocks) {}
  std::vector<std::atomic<bool>> is_checked;
  std::mutex mutex;
  std::string damage;
  bool tells = false;
};

CheckedFile::CheckedFile(std::unique_ptr<ByteSource> file, FileChecksums checksums)
    : file_(std::move(file)),
      checksums_(std::move(checksums)),
      state_(std::make_shared<State>(checksums_.blocks.size())) {}

std::function<std::string()> CheckedFile::damage_of() const {
  return [state = state_] {
    const std::lock_guard lock(state->mutex);
    return state->damage;
  };
}

void CheckedFile::tell_from_now_on() {
  const std::lock_guard lock(state_->mutex);
  state_->tells = true;
  if (!state_->damage.empty()) tell_damage(state_->damage);
}

Result<void> CheckedFile::check_block(uint64_t number, std::span<const uint8_t> bytes) const {
  if (xxhash64(bytes) == checksums_.blocks[number]) {
    state_->is_checked[number] = true;
    return {};
  }
  const auto error = changed(name(), number);
  const std::lock_guard lock(state_->mutex);
  if (state_->damage.empty()) {
    state_->damage = error.value().message;
    if (state_->tells) tell_damage(state_->damage);
  }
  return error;
}

Result<void> CheckedFile::read(uint64_t offset, std::span<uint8_t> to) const {
  TRY_VOID(check_range(offset, to.size()));
  std::vector<uint8_t> block;
  while (!to.empty()) {
    const uint64_t number = offset / kChecksumBlock, start = number * kChecksumBlock;
    const uint64_t length = block_length(number, size());
    const size_t part = std::min<uint64_t>(to.size(), start + length - offset);
    if (state_->is_checked[number]) {
      TRY_VOID(file_->read(offset, to.first(part)));
    } else {
      block.resize(length);
      TRY_VOID(file_->read(start, block));
      TRY_VOID(check_block(number, block));
      std::memcpy(to.data(), block.data() + (offset - start), part);
    }
    to = to.subspan(part);
    offset += part;
  }
  return {};
}

void on_damage(std::function<void(const std::string&)> tell) {
  listener() = std::move(tell);
}

void tell_damage(const std::string& sentence) {
  if (listener()) listener()(sentence);
}

}  // namespace mortem::snapshot
