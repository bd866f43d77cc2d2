#include "inspector/symbols/index/index_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <llvm/Support/xxhash.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace mortem::inspector::index {

uint64_t index_checksum(const uint8_t* bytes, uint64_t size) {
  return llvm::xxh3_64bits(llvm::ArrayRef<uint8_t>(bytes, size));
}

Result<std::unique_ptr<IndexFile>> IndexFile::open(const std::filesystem::path& path) {
  auto refuse = [&](ErrorKind kind, std::string_view what) {
    return failure(kind, fmt::format("{}: {}", path.string(), what));
  };
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0)
    return refuse(errno == ENOENT ? ErrorKind::NotFound : ErrorKind::System, std::strerror(errno));
  std::unique_ptr<IndexFile> file(new IndexFile);
  struct stat status{};
  void* memory = MAP_FAILED;
  if (fstat(descriptor, &status) == 0 && status.st_size >= static_cast<off_t>(sizeof(IndexHeader)))
    memory = mmap(nullptr, static_cast<size_t>(status.st_size), PROT_READ, MAP_PRIVATE, descriptor, 0);
  close(descriptor);
  if (memory == MAP_FAILED) return refuse(ErrorKind::BadInput, "is no index");
  file->bytes_ = static_cast<const uint8_t*>(memory);
  file->size_ = static_cast<uint64_t>(status.st_size);
  file->header_ = reinterpret_cast<const IndexHeader*>(file->bytes_);

  const IndexHeader& header = *file->header_;
  if (header.magic != kIndexMagic) return refuse(ErrorKind::BadInput, "is no index");
  if (header.version != kIndexVersion) return refuse(ErrorKind::Unsupported, "is an index of another version");
  IndexHeader unsigned_header = header;
  unsigned_header.checksum = 0;
  const bool header_good = header.checksum == index_checksum(reinterpret_cast<const uint8_t*>(&unsigned_header),
                                                             sizeof(unsigned_header)) &&
                           header.section_count == static_cast<uint32_t>(IndexSection::Count) &&
                           header.file_size == file->size_;
  file->first_block_ = sizeof(IndexHeader) + uint64_t{header.block_count} * sizeof(uint64_t);
  if (!header_good || file->first_block_ > file->size_ ||
      (file->size_ - file->first_block_ + kBlock - 1) / kBlock != header.block_count)
    return refuse(ErrorKind::BadInput, "is broken");
  file->checksums_ = reinterpret_cast<const uint64_t*>(file->bytes_ + sizeof(IndexHeader));
  if (index_checksum(file->bytes_ + sizeof(IndexHeader), uint64_t{header.block_count} * sizeof(uint64_t)) !=
      header.checksums_checksum)
    return refuse(ErrorKind::BadInput, "is broken");
  for (const auto& section : header.sections)
    if (section.offset < file->first_block_ || section.offset > file->size_ || section.offset % 8 != 0 ||
        section.size > file->size_ - section.offset)
      return refuse(ErrorKind::BadInput, "is broken");
  file->good_.resize(header.block_count + 1);
  return file;
}

IndexFile::~IndexFile() {
  if (bytes_) munmap(const_cast<uint8_t*>(bytes_), size_);
}

bool IndexFile::check(uint64_t block) {
  const uint64_t start = first_block_ + block * kBlock;
  if (block >= header_->block_count || start >= size_) return false;
  good_[block] = index_checksum(bytes_ + start, std::min<uint64_t>(kBlock, size_ - start)) == checksums_[block];
  if (!good_[block]) broken_ = true;
  return good_[block] != 0;
}

std::string_view IndexFile::text(uint32_t offset) {
  const auto& place = header_->sections[static_cast<uint32_t>(IndexSection::Text)];
  if (offset >= place.size) return {};
  const uint64_t start = place.offset + offset;
  // Most strings end in the block they start in.
  for (uint64_t looked = 256;; looked *= 4) {
    const uint64_t length = std::min(looked, place.size - offset);
    if (!touch(start, length)) return {};
    const char* text = reinterpret_cast<const char*>(bytes_ + start);
    if (const void* end = std::memchr(text, 0, length))
      return {text, static_cast<size_t>(static_cast<const char*>(end) - text)};
    if (length == place.size - offset) return {};
  }
}

}  // namespace mortem::inspector::index
