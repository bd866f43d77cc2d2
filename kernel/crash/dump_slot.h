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

  // Counted: a crash of this kind has its dump already, and there is no slot for another: it was counted there.
  enum class Choice : uint8_t { Found, Counted, NoneFree, DiskFailed };
  // Which slot a crash of this kind goes to (snapshot/format/slot.h says by which rules), and the next sequence number.
  // `signature` 0: not known, a kind of its own.
  Choice choose(uint64_t signature, int64_t wall_clock_ns);
  uint32_t number() const { return number_; }
  uint64_t sequence() const { return header_.sequence; }
  uint64_t occurrence() const { return kind_.number; }  // the how-manieth of its kind, 0: no signature
  uint32_t first_of_kind() const { return first_; }     // Counted: the slot that holds the first

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
  static constexpr uint32_t kNoSlot = ~uint32_t{0};
  // What is to be known of the slots for a choice.
  struct Survey {
    uint32_t first, last;  // of this kind: the oldest whole dump, and the one after it; kNoSlot: none
    uint32_t cut_short;    // of this kind
    uint32_t free;         // the best one to take
    uint32_t spare;        // the last of another kind whose first is there too
  };
  bool survey(uint64_t signature, Survey& found);
  bool read_slot(uint32_t number, mortem::format::SlotHeader& header, mortem::format::CrashKind& kind);
  bool has_older_whole_one(uint32_t number, uint64_t signature, uint64_t sequence, bool& answer);
  bool update_first();
  void release_superseded();
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
  uint32_t first_ = kNoSlot;       // holds the first dump of this kind
  uint32_t superseded_ = kNoSlot;  // to be released once the new dump is whole
  mortem::format::SlotHeader header_{};
  mortem::format::CrashKind kind_{};
};

}  // namespace kernel
