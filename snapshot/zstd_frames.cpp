#include "snapshot/zstd_frames.h"

#include <fmt/format.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <memory>

#include "snapshot/format/notes.h"
#include "snapshot/little_endian.h"
#include "snapshot/xxhash64.h"

namespace mortem::snapshot {
namespace {

constexpr uint32_t kFrameMagic = 0xFD2FB528;
constexpr uint32_t kSkippableMagicFirst = 0x184D2A50, kSkippableMagicLast = 0x184D2A5F;
constexpr uint64_t kSkippableHeaderSize = 8;
constexpr uint64_t kFooterSize = 9;
// A block of zstd expands to 128 KiB at most and takes 4 bytes at least (header and one repeated byte).
constexpr uint64_t kMaximumBlockSize = 128 * 1024;

bool size_is_believable(const ZstdFrame& frame) {
  return frame.size <= kMaximumFrameSize && frame.size / kMaximumBlockSize <= frame.compressed_size / 4;
}

// What the first bytes of a frame tell: RFC 8878, 3.1.1.1.
struct FrameHeader {
  size_t size = 0;
  std::optional<uint64_t> content_size;
  bool has_checksum = false;
};

FrameHeader parse_frame_header(std::span<const uint8_t> bytes) {  // bytes: at least 18, after padding
  uint8_t descriptor = bytes[4];
  bool single_segment = descriptor & 0x20;
  size_t at = 5 + (single_segment ? 0 : 1);
  at += std::array<size_t, 4>{0, 1, 2, 4}[descriptor & 3];  // dictionary id
  FrameHeader header;
  header.has_checksum = descriptor & 4;
  switch (descriptor >> 6) {
    case 0:
      if (single_segment) header.content_size = bytes[at++];
      break;
    case 1:
      header.content_size = *load<uint16_t>(bytes, at) + 256u;
      at += 2;
      break;
    case 2:
      header.content_size = *load<uint32_t>(bytes, at);
      at += 4;
      break;
    case 3:
      header.content_size = *load<uint64_t>(bytes, at);
      at += 8;
      break;
  }
  header.size = at;
  return header;
}

}  // namespace

Result<std::optional<std::vector<ZstdFrame>>> read_seek_table(const ByteSource& compressed) {
  const uint64_t file_size = compressed.size();
  if (file_size < kSkippableHeaderSize + kFooterSize) return std::nullopt;
  std::array<uint8_t, kFooterSize> footer;
  TRY_VOID(compressed.read(file_size - kFooterSize, footer));
  if (load<uint32_t>(footer, 5) != format::kSeekTableMagic) return std::nullopt;

  auto broken = [&](const std::string& what) {
    return failure(ErrorKind::BadInput, fmt::format("{}: broken seek table: {}", compressed.name(), what));
  };
  const uint64_t count = *load<uint32_t>(footer, 0);
  const uint8_t descriptor = footer[4];
  if (descriptor & 0x7C) return broken(fmt::format("reserved bits are set in its descriptor ({:#04x})", descriptor));
  const bool has_checksums = descriptor & 0x80;
  const uint64_t entry_size = has_checksums ? 12 : 8;
  const uint64_t content_size = count * entry_size + kFooterSize;
  if (content_size + kSkippableHeaderSize > file_size)
    return broken(fmt::format("{} frames do not fit into {} bytes", count, file_size));
  const uint64_t table_offset = file_size - content_size - kSkippableHeaderSize;

  std::vector<uint8_t> table(content_size + kSkippableHeaderSize);
  TRY_VOID(compressed.read(table_offset, table));
  if (load<uint32_t>(table, 0) != format::kSkippableFrameMagic || load<uint32_t>(table, 4) != content_size)
    return broken(fmt::format("no skippable frame of {} bytes starts at offset {:#x}", content_size, table_offset));

  std::vector<ZstdFrame> frames;
  frames.reserve(count);
  uint64_t compressed_offset = 0, offset = 0;
  for (uint64_t index = 0; index < count; ++index) {
    const size_t at = kSkippableHeaderSize + index * entry_size;
    ZstdFrame frame{compressed_offset, *load<uint32_t>(table, at), offset, *load<uint32_t>(table, at + 4), {}};
    if (has_checksums) frame.checksum = load<uint32_t>(table, at + 8);
    if (!size_is_believable(frame))
      return broken(
          fmt::format("frame {} claims to expand from {} to {} bytes", index, frame.compressed_size, frame.size));
    compressed_offset += frame.compressed_size;
    offset += frame.size;
    frames.push_back(frame);
  }
  if (compressed_offset != table_offset)
    return broken(
        fmt::format("its frames end at offset {:#x}, the table starts at {:#x}", compressed_offset, table_offset));
  std::erase_if(frames, [](const ZstdFrame& frame) { return frame.size == 0; });  // empty or skippable ones
  return frames;
}

Result<std::vector<uint8_t>> expand_frame(const ByteSource& compressed, const ZstdFrame& frame, size_t index) {
  auto broken = [&](const std::string& what) {
    return failure(ErrorKind::BadInput, fmt::format("{}: frame {} (offset {:#x}, {} bytes): {}", compressed.name(),
                                                    index, frame.compressed_offset, frame.compressed_size, what));
  };
  std::vector<uint8_t> stored(frame.compressed_size);
  TRY_VOID(compressed.read(frame.compressed_offset, stored));
  std::vector<uint8_t> content(frame.size);
  // Kept, because making one costs about as much as expanding a frame.
  thread_local const std::unique_ptr<ZSTD_DCtx, size_t (*)(ZSTD_DCtx*)> decompressor(ZSTD_createDCtx(), ZSTD_freeDCtx);
  if (!decompressor) return failure(ErrorKind::System, fmt::format("{}: out of memory", compressed.name()));
  const size_t got =
      ZSTD_decompressDCtx(decompressor.get(), content.data(), content.size(), stored.data(), stored.size());
  if (ZSTD_isError(got)) return broken(ZSTD_getErrorName(got));
  if (got != frame.size) return broken(fmt::format("holds {} bytes, {} were promised", got, frame.size));
  if (frame.checksum && static_cast<uint32_t>(xxhash64(content)) != *frame.checksum)
    return broken("its content does not have the checksum of the seek table");
  return content;
}

Result<std::vector<uint8_t>> compress_frame(std::span<const uint8_t> content) {
  const std::unique_ptr<ZSTD_CCtx, size_t (*)(ZSTD_CCtx*)> compressor(ZSTD_createCCtx(), ZSTD_freeCCtx);
  std::vector<uint8_t> stored(ZSTD_compressBound(content.size()));
  size_t size = compressor ? ZSTD_CCtx_setParameter(compressor.get(), ZSTD_c_checksumFlag, 1) : 0;
  if (compressor && !ZSTD_isError(size))
    size = ZSTD_compress2(compressor.get(), stored.data(), stored.size(), content.data(), content.size());
  if (!compressor || ZSTD_isError(size)) return failure(ErrorKind::System, "zstd: out of memory");
  stored.resize(size);
  return stored;
}

std::vector<uint8_t> make_seek_table(const std::vector<ZstdFrame>& frames) {
  const bool has_checksums =
      std::all_of(frames.begin(), frames.end(), [](const ZstdFrame& frame) { return frame.checksum.has_value(); });
  std::vector<uint8_t> table;
  auto put = [&](uint32_t value) {
    const auto bytes = bytes_of(value);
    table.insert(table.end(), bytes.begin(), bytes.end());
  };
  put(format::kSkippableFrameMagic);
  put(static_cast<uint32_t>(frames.size() * (has_checksums ? 12 : 8) + kFooterSize));
  for (const ZstdFrame& frame : frames) {
    put(static_cast<uint32_t>(frame.compressed_size));
    put(static_cast<uint32_t>(frame.size));
    if (has_checksums) put(*frame.checksum);
  }
  put(static_cast<uint32_t>(frames.size()));
  table.push_back(has_checksums ? 0x80 : 0);
  put(format::kSeekTableMagic);
  return table;
}

Result<FrameWalk> walk_frames(const ByteSource& compressed) {
  const uint64_t file_size = compressed.size();
  FrameWalk walk;
  uint64_t content_offset = 0;
  auto cut_short = [&] {
    walk.cut_short = true;
    return walk;
  };
  while (walk.end < file_size) {
    std::array<uint8_t, 18> start{};  // the longest frame header
    const uint64_t available = std::min<uint64_t>(start.size(), file_size - walk.end);
    TRY_VOID(compressed.read(walk.end, std::span(start).first(available)));
    const uint32_t magic = *load<uint32_t>(start);

    if (available >= 4 && magic >= kSkippableMagicFirst && magic <= kSkippableMagicLast) {
      const uint64_t size = kSkippableHeaderSize + *load<uint32_t>(start, 4);
      if (available < kSkippableHeaderSize || size > file_size - walk.end) return cut_short();
      walk.end += size;
      continue;
    }
    // Fewer than four bytes are the start of a cut frame if they agree with a magic so far.
    const uint32_t known = available >= 4 ? ~0u : (1u << (8 * available)) - 1;
    if (available < 4 && (magic & known & ~0xFu) == (kSkippableMagicFirst & known)) return cut_short();
    if ((magic & known) != (kFrameMagic & known)) {
      walk.not_zstd = true;
      return walk;
    }
    const FrameHeader header = parse_frame_header(start);

    if (available < 5 || header.size > available) return cut_short();

    uint64_t at = walk.end + header.size;
    for (bool last = false; !last;) {  // blocks: RFC 8878, 3.1.1.2
      std::array<uint8_t, 4> block{};
      if (file_size - at < 3) return cut_short();
      TRY_VOID(compressed.read(at, std::span(block).first(3)));
      const uint32_t value = *load<uint32_t>(block);
      last = value & 1;
      const uint32_t type = (value >> 1) & 3;
      if (type == 3) {  // reserved
        walk.not_zstd = true;
        return walk;
      }
      const uint64_t stored = type == 1 ? 1 : value >> 3;
      if (stored > file_size - at - 3) return cut_short();
      at += 3 + stored;
    }
    if (header.has_checksum) {
      if (file_size - at < 4) return cut_short();
      at += 4;
    }
    if (!header.content_size) {
      walk.unknown_size = true;
      return walk;
    }
    ZstdFrame frame{walk.end, at - walk.end, content_offset, *header.content_size, {}};
    if (!size_is_believable(frame))
      return failure(
          ErrorKind::Unsupported,
          fmt::format("{}: the zstd frame at offset {:#x} holds {} bytes in one piece: unpack it with `zstd -d` "
                      "and use the result",
                      compressed.name(), walk.end, frame.size));
    content_offset += frame.size;
    walk.end = at;
    if (frame.size > 0) walk.frames.push_back(frame);
  }
  return walk;
}

}  // namespace mortem::snapshot
