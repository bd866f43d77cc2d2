#include "kernel/crash/dump_slot.h"

namespace kernel {

using namespace mortem::format;

namespace {

constexpr size_t kSector = 512;

}  // namespace

DumpSlot::DumpSlot(DumpDisk& disk, const DumpPartition& partition, std::span<uint8_t> first, std::span<uint8_t> second)
    : disk_(disk), partition_(partition), buffers_{first, second} {}

uint64_t DumpSlot::slot_offset(uint32_t number) const {
  return partition_.offset + kBlockSize + number * partition_.slot_size;
}

bool DumpSlot::put_header() {
  header_.checksum = header_checksum(header_);
  active_ ^= 1;  // the other buffer's write is over when this one returns
  __builtin_memset(buffer(), 0, kBlockSize);
  __builtin_memcpy(buffer(), &header_, sizeof header_);
  if (kind_.signature != 0) write_crash_kind(buffer(), kind_);
  return disk_.write(slot_offset(number_), buffer(), kBlockSize);
}

bool DumpSlot::start(const Start& start) {
  const uint64_t sequence = header_.sequence;
  header_ = {};
  __builtin_memcpy(header_.magic, kSlotMagic, sizeof kSlotMagic);
  header_.version = kSlotVersion;
  header_.state = SlotState::Writing;
  header_.sequence = sequence;
  __builtin_memcpy(header_.boot_id, start.boot_id, sizeof header_.boot_id);
  header_.wall_clock_ns = start.wall_clock_ns;
  header_.reason_kind = start.reason_kind;
  const size_t text_length = start.text.size() < kBlockSize ? start.text.size() : kBlockSize;
  header_.text_length = static_cast<uint32_t>(text_length);
  used_ = 0;
  written_ = 0;
  full_ = false;
  // The header must say `writing` before anything of the slot's content changes.
  if (!put_header() || !disk_.flush()) return false;
  active_ ^= 1;
  __builtin_memset(buffer(), 0, kBlockSize);
  __builtin_memcpy(buffer(), start.text.data(), text_length);
  if (!disk_.write(slot_offset(number_) + kBlockSize, buffer(), kBlockSize) || !disk_.flush()) return false;
  return true;
}

bool DumpSlot::put_buffer() {
  if (used_ == 0) return true;
  const size_t whole = (used_ + kSector - 1) / kSector * kSector;
  if (2 * kBlockSize + written_ + whole > partition_.slot_size) {
    full_ = true;
    return false;
  }
  __builtin_memset(buffer() + used_, 0, whole - used_);
  header_.dump_checksum = crc32({buffer(), used_}, header_.dump_checksum);
  if (!disk_.write(slot_offset(number_) + 2 * kBlockSize + written_, buffer(), whole)) return false;
  written_ += used_;
  used_ = 0;
  active_ ^= 1;
  return true;
}

bool DumpSlot::write(const void* bytes, size_t size) {
  const auto* at = static_cast<const uint8_t*>(bytes);
  while (size > 0) {
    size_t part = kBufferSize - used_;
    if (part > size) part = size;
    __builtin_memcpy(buffer() + used_, at, part);
    used_ += part;
    at += part;
    size -= part;
    if (used_ == kBufferSize && !put_buffer()) return false;
  }
  return true;
}

bool DumpSlot::write_zeros(uint64_t count) {
  const uint8_t zeros[64] = {};
  for (; count > 0; count -= count < sizeof zeros ? count : sizeof zeros)
    if (!write(zeros, count < sizeof zeros ? count : sizeof zeros)) return false;
  return true;
}

bool DumpSlot::finish(DumpLevel level, uint64_t expanded_length) {
  if (!put_buffer() || !disk_.flush()) return false;
  header_.stored_length = written_;
  header_.expanded_length = expanded_length;
  header_.level = level;
  header_.state = level == DumpLevel::Full ? SlotState::Complete : SlotState::Partial;
  if (!put_header() || !disk_.flush()) return false;
  active_ ^= 1;
  if (update_first()) (void)disk_.flush();
  release_superseded();
  return true;
}

bool DumpSlot::finish_text_only() {
  header_.stored_length = 0;
  header_.expanded_length = 0;
  header_.dump_checksum = 0;
  header_.level = DumpLevel::TextOnly;
  header_.state = SlotState::Partial;
  return disk_.flush() && put_header() && disk_.flush();
}

}  // namespace kernel
