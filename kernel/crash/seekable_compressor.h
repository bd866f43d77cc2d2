// Seekable zstd (facebook/zstd contrib/seekable_format/zstd_seekable_compression_format.md 0.1.0): independent frames
// of a fixed content size, each with its size and checksum, then the seek table as a skippable frame. `zstd -d` of the
// whole gives the content.
//
// All memory is given by the caller (crash_prepare reserves it); nothing is allocated.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernel/crash/byte_sink.h"

namespace kernel {

// Bytes of content a frame: a reader decompresses that much to see one byte. Measured at level 1 on shared libraries
// and on a dump of this kernel: 256 KiB would save 3 % of the space, cost 256 KiB more reserved memory and twice the
// time a seek takes; 64 KiB would cost another 1 %.
inline constexpr size_t kFrameSize = 128 << 10;
inline constexpr int kCompressionLevel = 1;

// Where compressing takes this many times as long as storing and writing what is not compressed, frames are stored:
// the way back into service is shorter. An emulated processor is such a place, a real one with any disk is not.
inline constexpr uint64_t kStoreAdvantage = 4;

uint64_t cycle_count();

struct CompressorMemory {
  std::span<uint8_t> workspace;  // compressor_workspace_size() bytes, 8-byte aligned
  std::span<uint8_t> frame;      // kFrameSize
  std::span<uint8_t> output;     // compressor_output_size()
  std::span<uint32_t> table;     // two numbers a frame
};
size_t compressor_workspace_size();
size_t compressor_output_size();

class SeekableCompressor final : public ByteSink {
 public:
  enum class Failure : uint8_t { None, Sink, Compression, TableFull };

  // `may_store`: there is room for all of the content as it is; `clock` counts up at a steady rate.
  SeekableCompressor(const CompressorMemory& memory, ByteSink& to, bool may_store = false,
                     uint64_t (*clock)() = cycle_count);

  bool write(const void* bytes, size_t size) override;
  bool write_zeros(uint64_t count) override;
  bool finish();  // the last frame and the seek table

  uint64_t content_bytes() const { return content_bytes_; }
  Failure failure() const { return failure_; }

 private:
  bool fail(Failure why) { return failure_ = why, false; }
  bool frame_full();
  bool put_frame(const void* bytes, size_t size, size_t content);
  bool measure_frame(size_t content);
  size_t compress(size_t content, int level);

  CompressorMemory memory_;
  ByteSink& to_;
  void* context_ = nullptr;     // ZSTD_CCtx, null: the workspace is too small
  size_t used_ = 0;             // bytes of the open frame
  size_t virtual_zeros_ = 0;    // of them, bytes that no memory holds
  bool all_zero_ = true;        // the open frame has only zeros so far (and they are not in memory_.frame yet)
  uint8_t zero_frame_[64];      // a full frame of zeros, compressed once
  size_t zero_frame_size_ = 0;  // 0: not made yet
  size_t frames_ = 0;
  uint64_t content_bytes_ = 0;
  Failure failure_ = Failure::None;
  const bool may_store_;
  uint64_t (*const clock_)();
  // The slowest frame does not count: the host may have stopped us in the middle of it.
  struct Trial {
    unsigned frames = 0;
    uint64_t time = 0, slowest = 0;
    void add(uint64_t frame) {
      ++frames;
      time += frame;
      if (frame > slowest) slowest = frame;
    }
    uint64_t steady() const { return time - slowest; }
  };
  Trial compressed_, stored_;
};

}  // namespace kernel
