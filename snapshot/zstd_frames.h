// Where the frames of a zstd file are: from its seek table, or by walking the frames' block headers.
// RFC 8878 (zstd) and facebook/zstd contrib/seekable_format (the seek table).
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "snapshot/byte_source.h"

namespace mortem::snapshot {

struct ZstdFrame {
  uint64_t compressed_offset = 0;
  uint64_t compressed_size = 0;
  uint64_t offset = 0;               // of its content in the expanded file
  uint64_t size = 0;                 // of its content
  std::optional<uint32_t> checksum;  // low half of XXH64 of its content, if the seek table has it
};

// A frame is expanded whole, so its size is bounded: the seekable format's own limit.
inline constexpr uint64_t kMaximumFrameSize = 0x40000000;

// By the seek table; nothing if the file does not end in one; an error if it has one that is not true.
Result<std::optional<std::vector<ZstdFrame>>> read_seek_table(const ByteSource& compressed);

// The content of one frame, all checksums checked. `index` is for the error's sentence.
Result<std::vector<uint8_t>> expand_frame(const ByteSource& compressed, const ZstdFrame& frame, size_t index);

// One frame, with its content's size and checksum.
Result<std::vector<uint8_t>> compress_frame(std::span<const uint8_t> content);

// The skippable frame that goes behind these frames; with checksums if all of them have one.
std::vector<uint8_t> make_seek_table(const std::vector<ZstdFrame>& frames);

struct FrameWalk {
  std::vector<ZstdFrame> frames;  // those that are whole
  uint64_t end = 0;               // offset after the last whole frame
  bool cut_short = false;         // the bytes end inside a frame
  bool unknown_size = false;      // the frame at `end` does not tell its content's size
  bool not_zstd = false;          // at `end` stands something else
};
// From frame to frame by their headers (RFC 8878, 3.1.1); skippable frames are left out.
Result<FrameWalk> walk_frames(const ByteSource& compressed);

}  // namespace mortem::snapshot
