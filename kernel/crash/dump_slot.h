// One slot of the dump partition (snapshot/format/slot.h), from `empty` over `writing` to `complete` or `partial`. At
// no moment does a dump that is not all there look whole: a power cut may come between any two writes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernel/crash/byte_sink.h"
#include "kernel/crash/dump_disk.h"
#include "snapshot/format/slot.h"

namespace kernel {

// Where the partition is, found at boot; kept with a checksum, because it stands in memory until a crash.
struct DumpPartition {
  uint64_t offset, length;  // bytes on the disk
  uint64_t slot_size;
  uint32_t slot_count;
  uint8_t disk_id[16];
  uint32_t reserved;
  uint32_t checksum;
};

class DumpSlot final : public ByteSink {
 public:
  static constexpr size_t kBufferSize = 128 << 10;

  // Two buffers of kBufferSize that the disk can reach: one is filled while the other is on its way.
  DumpSlot(DumpDisk& disk, const DumpPartition& partition, std::span<uint8_t> first, std::span<uint8_t> second);

  enum class Choice : uint8_t { Found, NoneFree, DiskFailed };
  // The first slot that was never written or was released; also finds the next sequence number.
  Choice choose();
  uint32_t number() const { return number_; }
  uint64_t sequence() const { return header_.sequence; }

  // Writes the header (`writing`) and the text record, and starts the dump; may be called again to start over.
  struct Start {
    uint8_t boot_id[16];
    int64_t wall_clock_ns;
    uint32_t reason_kind;
    std::span<const char> text;
  };
  bool start(const Start& start);

  // The dump's stored bytes.
  bool write(const void* bytes, size_t size) override;
  bool write_zeros(uint64_t count) override;

  // All bytes are there: flush, then the header that says so, flush. Level Full makes it `complete`, less `partial`.
  bool finish(mortem::format::DumpLevel level, uint64_t expanded_length);
  // Without a dump: the text record alone.
  bool finish_text_only();

  uint64_t stored_length() const { return header_.stored_length; }
  bool full() const { return full_; }  // the dump did not fit
  const char* error() const { return full_ ? "the slot is full" : disk_.error(); }

 private:
  uint64_t slot_offset(uint32_t number) const;
  bool put_header();
  bool put_buffer();
  uint8_t* buffer() { return buffers_[active_].data(); }

  DumpDisk& disk_;
  const DumpPartition& partition_;
  std::span<uint8_t> buffers_[2];
  int active_ = 0;
  size_t used_ = 0;       // bytes in the active buffer
  uint64_t written_ = 0;  // bytes of the dump that went to the disk
  uint32_t number_ = 0;
  bool full_ = false;
  mortem::format::SlotHeader header_{};
};

}  // namespace kernel
