#include "kernel/linux/transfer_buffer.h"

#include "kernel/memory/heap.h"

namespace kernel::linux {
namespace {

uint8_t* g_kept = nullptr;

uint8_t* take(size_t size) {
  if (size > TransferBuffer::kKeptSize) return static_cast<uint8_t*>(heap_allocate(size));
  uint8_t* kept = g_kept;
  g_kept = nullptr;
  return kept != nullptr ? kept : static_cast<uint8_t*>(heap_allocate(TransferBuffer::kKeptSize));
}

}  // namespace

TransferBuffer::TransferBuffer(size_t size) : size_(size), memory_(size <= kSmall ? small_ : take(size)) {}

TransferBuffer::~TransferBuffer() {
  if (memory_ == small_) return;
  if (memory_ != nullptr && size_ <= kKeptSize && g_kept == nullptr)
    g_kept = memory_;
  else
    heap_free(memory_);
}

}  // namespace kernel::linux
