#include "snapshot/plain_core.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace mortem::snapshot {
namespace {

constexpr size_t kCopiedAtOnce = 1 << 20;
constexpr size_t kHoleSize = 4096;  // the block of the usual file systems

bool is_zero(std::span<const uint8_t> bytes) {
  return bytes.empty() || (bytes[0] == 0 && std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

// Writes what is not zero, in runs as long as they are.
Result<void> write_sparse(OutputFile& file, uint64_t offset, std::span<const uint8_t> bytes) {
  size_t run_start = 0, at = 0;
  auto flush = [&](size_t end) { return file.write(offset + run_start, bytes.subspan(run_start, end - run_start)); };
  while (at < bytes.size()) {
    const size_t length = std::min(kHoleSize, bytes.size() - at);
    if (is_zero(bytes.subspan(at, length))) {
      TRY_VOID(flush(at));
      run_start = at + length;
    }
    at += length;
  }
  return flush(at);
}

}  // namespace

Result<void> write_plain_core(const CoreFile& core, const std::filesystem::path& path, Existing existing,
                              const Progress& progress) {
  const ByteSource& bytes = core.bytes();
  OutputFile file = TRY(OutputFile::create(path, existing));
  std::vector<uint8_t> piece(kCopiedAtOnce);
  for (uint64_t offset = 0; offset < bytes.size(); offset += kCopiedAtOnce) {
    const auto part = std::span(piece).first(std::min<uint64_t>(kCopiedAtOnce, bytes.size() - offset));
    TRY_VOID(bytes.read(offset, part));
    TRY_VOID(write_sparse(file, offset, part));
    if (progress && progress(offset + part.size(), bytes.size()) == ProgressAnswer::Cancel)
      return failure(ErrorKind::System, fmt::format("{}: cancelled, nothing was written", path.string()));
  }
  TRY_VOID(file.set_size(bytes.size()));
  return file.commit();
}

}  // namespace mortem::snapshot
