#include "kernel/crash/seekable_compressor.h"

#define ZSTD_STATIC_LINKING_ONLY  // memory given by the caller
// ZSTD_compress_advanced is the one call that takes exactly these parameters and needs no buffers of its own.
#define ZSTD_DISABLE_DEPRECATE_WARNINGS
#include <zstd.h>

#include "snapshot/format/notes.h"

namespace kernel {

namespace {

// Of zstd's levels the one that looks for the fewest matches: it copies, and sums up.
int storing_level() {
  return ZSTD_minCLevel();
}
constexpr unsigned kTrialFrames = 4;

ZSTD_parameters parameters(int level) {
  ZSTD_parameters result = ZSTD_getParams(level, kFrameSize, 0);
  result.fParams.contentSizeFlag = 1;
  result.fParams.checksumFlag = 1;
  return result;
}

bool is_zero(const void* bytes, size_t size) {
  const auto* at = static_cast<const uint8_t*>(bytes);
  for (; size >= 8; at += 8, size -= 8) {
    uint64_t word;
    __builtin_memcpy(&word, at, sizeof word);
    if (word != 0) return false;
  }
  for (; size > 0; ++at, --size)
    if (*at != 0) return false;
  return true;
}

}  // namespace

size_t compressor_workspace_size() {
  const size_t compressing = ZSTD_estimateCCtxSize_usingCParams(parameters(kCompressionLevel).cParams);
  const size_t storing = ZSTD_estimateCCtxSize_usingCParams(parameters(storing_level()).cParams);
  return compressing > storing ? compressing : storing;
}
size_t compressor_output_size() {
  return ZSTD_COMPRESSBOUND(kFrameSize);
}

uint64_t cycle_count() {
  return __builtin_ia32_rdtsc();
}

SeekableCompressor::SeekableCompressor(const CompressorMemory& memory, ByteSink& to, bool may_store,
                                       uint64_t (*clock)())
    : memory_(memory),
      to_(to),
      context_(ZSTD_initStaticCCtx(memory.workspace.data(), memory.workspace.size())),
      may_store_(may_store),
      clock_(clock) {}

bool SeekableCompressor::write(const void* bytes, size_t size) {
  const auto* at = static_cast<const uint8_t*>(bytes);
  while (size > 0) {
    size_t part = kFrameSize - used_;
    if (part > size) part = size;
    // Zeros stay virtual as long as the frame has nothing else.
    if (all_zero_ && !is_zero(at, part)) {
      __builtin_memset(memory_.frame.data(), 0, used_);
      all_zero_ = false;
    }
    if (!all_zero_) __builtin_memcpy(memory_.frame.data() + used_, at, part);
    used_ += part;
    at += part;
    size -= part;
    if (used_ == kFrameSize && !frame_full()) return false;
  }
  return true;
}

bool SeekableCompressor::write_zeros(uint64_t count) {
  while (count > 0) {
    uint64_t part = kFrameSize - used_;
    if (part > count) part = count;
    if (!all_zero_) __builtin_memset(memory_.frame.data() + used_, 0, part);
    used_ += part;
    virtual_zeros_ += part;
    count -= part;
    if (used_ == kFrameSize && !frame_full()) return false;
  }
  return true;
}

size_t SeekableCompressor::compress(size_t content, int level) {
  const size_t size =
      ZSTD_compress_advanced(static_cast<ZSTD_CCtx*>(context_), memory_.output.data(), memory_.output.size(),
                             memory_.frame.data(), content, nullptr, 0, parameters(level));
  return ZSTD_isError(size) ? 0 : size;
}

bool SeekableCompressor::put_frame(const void* bytes, size_t size, size_t content) {
  if (2 * (frames_ + 1) > memory_.table.size()) return fail(Failure::TableFull);
  memory_.table[2 * frames_] = static_cast<uint32_t>(size);
  memory_.table[2 * frames_ + 1] = static_cast<uint32_t>(content);
  ++frames_;
  content_bytes_ += content;
  return to_.write(bytes, size) || fail(Failure::Sink);
}

// A full frame of what memory holds. The first ones are compressed, the next ones stored, all others go the way that
// was better. Frames with more in them than memory holds are always compressed: the whole is never larger than memory.
bool SeekableCompressor::measure_frame(size_t content) {
  const bool decided = stored_.frames == kTrialFrames;
  const bool store =
      decided ? compressed_.steady() > kStoreAdvantage * stored_.steady() : compressed_.frames == kTrialFrames;
  const uint64_t begin = clock_();
  const size_t size = compress(content, store ? storing_level() : kCompressionLevel);
  if (size == 0) return fail(Failure::Compression);
  if (!put_frame(memory_.output.data(), size, content)) return false;
  Trial& trial = store ? stored_ : compressed_;
  if (!decided) trial.add(clock_() - begin);
  return true;
}

bool SeekableCompressor::frame_full() {
  if (context_ == nullptr) return fail(Failure::Compression);
  const size_t content = used_;
  const bool zeros = all_zero_, held = virtual_zeros_ == 0;
  used_ = virtual_zeros_ = 0;
  all_zero_ = true;
  if (zeros && content == kFrameSize && zero_frame_size_ != 0) return put_frame(zero_frame_, zero_frame_size_, content);
  if (may_store_ && held && !zeros && content == kFrameSize) return measure_frame(content);
  if (zeros) __builtin_memset(memory_.frame.data(), 0, content);
  const size_t size = compress(content, kCompressionLevel);
  if (size == 0) return fail(Failure::Compression);
  if (zeros && content == kFrameSize && size <= sizeof zero_frame_) {
    __builtin_memcpy(zero_frame_, memory_.output.data(), size);
    zero_frame_size_ = size;
  }
  return put_frame(memory_.output.data(), size, content);
}

bool SeekableCompressor::finish() {
  if (used_ > 0 && !frame_full()) return false;
  using namespace mortem::format;
  const uint32_t table_bytes = static_cast<uint32_t>(frames_ * 2 * sizeof(uint32_t));
  constexpr uint32_t kFooterSize = 9;
  const uint32_t head[2] = {kSkippableFrameMagic, table_bytes + kFooterSize};
  uint8_t footer[kFooterSize];
  const auto count = static_cast<uint32_t>(frames_);
  __builtin_memcpy(footer, &count, sizeof count);
  footer[4] = 0;  // no checksums a frame here: the frames have their own
  __builtin_memcpy(footer + 5, &kSeekTableMagic, sizeof kSeekTableMagic);
  return (to_.write(head, sizeof head) && to_.write(memory_.table.data(), table_bytes) &&
          to_.write(footer, sizeof footer)) ||
         fail(Failure::Sink);
}

}  // namespace kernel
