#include "inspector/symbols/index/index_writer.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "inspector/symbols/index/index_file.h"

namespace mortem::inspector::index {
namespace {

bool write_all(int descriptor, const uint8_t* bytes, uint64_t size) {
  while (size > 0) {
    const ssize_t written = ::write(descriptor, bytes, size);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    bytes += written;
    size -= static_cast<uint64_t>(written);
  }
  return true;
}

}  // namespace

uint32_t IndexWriter::text(std::string_view text) {
  auto& strings = sections_[static_cast<uint32_t>(IndexSection::Text)];
  auto [place, is_new] = texts_.try_emplace(text, static_cast<uint32_t>(strings.size()));
  if (is_new) {
    strings.insert(strings.end(), text.begin(), text.end());
    strings.push_back(0);
  }
  return place->second;
}

Result<void> IndexWriter::write(const std::filesystem::path& to, const IndexedFiles& files) {
  if (sections_[static_cast<uint32_t>(IndexSection::Text)].size() > UINT32_MAX)
    return failure(ErrorKind::Unsupported,
                   fmt::format("{}: has more names than an index can hold", files.debug->name()));
  IndexHeader header;
  const auto id = files.executable->build_id();
  header.build_id_size = static_cast<uint32_t>(std::min(id.size(), sizeof(header.build_id)));
  std::copy_n(id.begin(), header.build_id_size, header.build_id);
  header.executable_size = files.executable->bytes().size();
  header.debug_size = files.debug->bytes().size();
  header.alternate_size = files.alternate ? files.alternate->bytes().size() : 0;

  const auto padded = [](uint64_t size) { return (size + 7) & ~uint64_t{7}; };
  uint64_t content_size = 0;
  for (const auto& section : sections_) content_size += padded(section.size());
  header.block_count = static_cast<uint32_t>((content_size + kBlock - 1) / kBlock);
  const uint64_t first_block = sizeof(header) + uint64_t{header.block_count} * sizeof(uint64_t);
  std::vector<uint8_t> content;
  content.reserve(content_size);
  for (size_t index = 0; index < sections_.size(); ++index) {
    header.sections[index] = {first_block + content.size(), sections_[index].size()};
    content.insert(content.end(), sections_[index].begin(), sections_[index].end());
    content.resize(padded(content.size()));
    sections_[index] = {};
  }
  header.file_size = first_block + content.size();
  std::vector<uint64_t> checksums;
  for (uint64_t start = 0; start < content.size(); start += kBlock)
    checksums.push_back(index_checksum(content.data() + start, std::min<uint64_t>(kBlock, content.size() - start)));
  const auto* checksum_bytes = reinterpret_cast<const uint8_t*>(checksums.data());
  header.checksums_checksum = index_checksum(checksum_bytes, checksums.size() * sizeof(uint64_t));
  header.checksum = index_checksum(reinterpret_cast<const uint8_t*>(&header), sizeof(header));

  // Of two writers each has a file of its own; the last to rename wins, and both are the same.
  std::error_code error;
  std::filesystem::create_directories(to.parent_path(), error);
  const std::string beside = (to.parent_path() / fmt::format(".{}.{}", to.filename().string(), getpid())).string();
  const auto refuse = [&] {
    const int number = errno;
    unlink(beside.c_str());
    return failure(ErrorKind::System,
                   fmt::format("{}: cannot write the index: {}", to.string(), std::strerror(number)));
  };
  const int descriptor = open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (descriptor < 0) return refuse();
  const bool written = write_all(descriptor, reinterpret_cast<const uint8_t*>(&header), sizeof(header)) &&
                       write_all(descriptor, checksum_bytes, checksums.size() * sizeof(uint64_t)) &&
                       write_all(descriptor, content.data(), content.size());
  if ((close(descriptor) != 0) | !written || rename(beside.c_str(), to.c_str()) != 0) return refuse();
  return {};
}

}  // namespace mortem::inspector::index
