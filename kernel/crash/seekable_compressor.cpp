#include "kernel/crash/seekable_compressor.h"

#define ZSTD_STATIC_LINKING_ONLY  // memory given by the caller
// ZSTD_compress_advanced is the one call that takes exactly these parameters and needs no buffers of its own.
#define ZSTD_DISABLE_DEPRECATE_WARNINGS
#include <zstd.h>

#include "snapshot/format/notes.h"

namespace kernel {

namespace {

ZSTD_parameters parameters() {
  ZSTD_parameters result = ZSTD_getParams(kCompressionLevel, kFrameSize, 0);
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
  return ZSTD_estimateCCtxSize_usingCParams(parameters().cParams);
}
size_t compressor_output_size() {
  return ZSTD_COMPRESSBOUND(kFrameSize);
}

SeekableCompressor::SeekableCompressor(const CompressorMemory& memory, ByteSink& to)
    : memory_(memory), to_(to), context_(ZSTD_initStaticCCtx(memory.workspace.data(), memory.workspace.size())) {}

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
    count -= part;
    if (used_ == kFrameSize && !frame_full()) return false;
  }
  return true;
}

size_t SeekableCompressor::compress(size_t content) {
  const size_t size =
      ZSTD_compress_advanced(static_cast<ZSTD_CCtx*>(context_), memory_.output.data(), memory_.output.size(),
                             memory_.frame.data(), content, nullptr, 0, parameters());
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

bool SeekableCompressor::frame_full() {
  if (context_ == nullptr) return fail(Failure::Compression);
  const size_t content = used_;
  const bool zeros = all_zero_;
  used_ = 0;
  all_zero_ = true;
  if (zeros && content == kFrameSize && zero_frame_size_ != 0) return put_frame(zero_frame_, zero_frame_size_, content);
  if (zeros) __builtin_memset(memory_.frame.data(), 0, content);
  const size_t size = compress(content);
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
