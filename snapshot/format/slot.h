// The dump partition of an image and the slots in it: where a dying guest leaves its dump.
//
// Layout, all little-endian, all offsets from the start of the partition:
//   0                                    PartitionHeader, one block
//   kBlockSize + i * slot_size           slot i:
//     +0                                 SlotHeader, CrashKind, ReleaseMark: one block
//     +kBlockSize                        text record, one block: the report of last resort, UTF-8, text_length bytes
//     +2 * kBlockSize                    the dump, stored_length bytes (seekable zstd, exactly the file `pull` writes)
//
// Order of writes: header `writing` → text record → dump → flush → header `complete` (or `partial`) → flush.
// A crash in between leaves `writing`, which readers report as a dump that was cut short, never as whole.
// The first dump of its kind (CrashKind) that is `partial` or `complete` is never overwritten: `mortem pull --release`
// (or `mortem run`, which pulls by itself) releases it (ReleaseMark). Of a kind that comes again only the newest dump is
// kept beside the first: it goes into an empty slot, and the one before it is released after that; without an empty
// slot it takes the place of the one before it. Without either it is only counted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "snapshot/format/checksum.h"

namespace mortem::format {

inline constexpr size_t kBlockSize = 4096;

// GPT partition types. Root: "Linux filesystem data"; dump: this project's own (random, version 4).
// Bytes as they stand on disk (UEFI 2.10 appendix A: first three fields little-endian).
inline constexpr uint8_t kRootPartitionType[16] = {0xAF, 0x3D, 0xC6, 0x0F, 0x83, 0x84, 0x72, 0x47,
                                                   0x8E, 0x79, 0x3D, 0x69, 0xD8, 0x47, 0x7D, 0xE4};
inline constexpr const char* kRootPartitionTypeText = "0FC63DAF-8483-4772-8E79-3D69D8477DE4";
inline constexpr uint8_t kDumpPartitionType[16] = {0x6B, 0x1D, 0x4F, 0x9E, 0x52, 0xC7, 0x33, 0x4A,
                                                   0x9D, 0x60, 0x2E, 0x8A, 0x77, 0x15, 0xB4, 0xD8};
inline constexpr const char* kDumpPartitionTypeText = "9E4F1D6B-C752-4A33-9D60-2E8A7715B4D8";

inline constexpr char kPartitionMagic[8] = {'M', 'O', 'R', 'T', 'D', 'U', 'M', 'P'};
inline constexpr char kSlotMagic[8] = {'M', 'O', 'R', 'T', 'S', 'L', 'O', 'T'};
inline constexpr uint32_t kSlotVersion = 1;

struct PartitionHeader {
  char magic[8];
  uint32_t version;
  uint32_t slot_count;
  uint64_t slot_size;   // bytes, a multiple of kBlockSize, header and text record included
  uint8_t disk_id[16];  // random, made with the image
  uint32_t reserved;
  uint32_t checksum;    // CRC-32 of all bytes before it
};
static_assert(sizeof(PartitionHeader) == 48);

enum class SlotState : uint32_t { Empty = 0, Writing = 1, Partial = 2, Complete = 3 };

// How much of the guest a dump holds: the steps by which the dump writer falls back.
enum class DumpLevel : uint32_t { None = 0, TextOnly = 1, Registers = 2, AppOnly = 3, Full = 4 };  // 5: cut_dump.h

struct SlotHeader {
  char magic[8];
  uint32_t version;
  SlotState state;
  uint64_t sequence;         // grows by one with each dump on this disk
  uint64_t stored_length;    // bytes of the dump as it stands in the slot
  uint64_t expanded_length;  // bytes of the ELF core after decompression
  uint8_t boot_id[16];
  int64_t wall_clock_ns;     // Unix time of the crash, 0: unknown
  DumpLevel level;
  uint32_t reason_kind;      // ReasonKind of notes.h
  uint32_t dump_checksum;    // CRC-32 of the stored bytes
  uint32_t text_length;
  uint32_t reserved;
  uint32_t checksum;         // CRC-32 of all bytes before it
};
static_assert(sizeof(SlotHeader) == 88);

// Which crash it was, and how often that one came: in the header's block, and in its first 512 bytes, so that a disk
// writes both or neither. Slots that an older kernel wrote have zeros here. It stays when a slot is released.
inline constexpr size_t kCrashKindOffset = 128;
inline constexpr char kCrashKindMagic[8] = {'M', 'O', 'R', 'T', 'K', 'I', 'N', 'D'};
inline constexpr uint32_t kCrashKindVersion = 1;

struct CrashKind {
  char magic[8];
  uint32_t version;
  uint32_t reserved;
  uint64_t signature;          // of reason and innermost frames, by module: the same on every boot
  uint64_t number;             // the slot's dump is of the how-manieth crash of this kind on this disk, from 1 on
  uint64_t count;              // crashes of this kind that this slot knows of: the largest of all slots is true
  int64_t last_wall_clock_ns;  // of the newest of them, 0: unknown
  uint32_t reserved_end;
  uint32_t checksum;           // CRC-32 of all bytes before it
};
static_assert(sizeof(CrashKind) == 56 && kCrashKindOffset + sizeof(CrashKind) <= 512);

template <typename Header>
uint32_t header_checksum(const Header& header) {
  return crc32({reinterpret_cast<const uint8_t*>(&header), offsetof(Header, checksum)});
}

// From a slot's first block; false: it has none, or none that can be believed.
inline bool read_crash_kind(const uint8_t* block, CrashKind& kind) {
  __builtin_memcpy(&kind, block + kCrashKindOffset, sizeof kind);
  return __builtin_memcmp(kind.magic, kCrashKindMagic, sizeof kCrashKindMagic) == 0 &&
         kind.version == kCrashKindVersion && kind.checksum == header_checksum(kind) && kind.signature != 0;
}
inline void write_crash_kind(uint8_t* block, CrashKind& kind) {
  __builtin_memcpy(kind.magic, kCrashKindMagic, sizeof kCrashKindMagic);
  kind.version = kCrashKindVersion;
  kind.checksum = header_checksum(kind);
  __builtin_memcpy(block + kCrashKindOffset, &kind, sizeof kind);
}

// How a dump is released while its guest runs: the host marks the dump by its sequence number, in a sector that only
// the host writes, and a slot whose header has that number is empty. So a header that the guest writes at the same
// moment is never lost: it has another number, and a mark of an older one means nothing.
inline constexpr size_t kReleaseMarkOffset = 1024;
inline constexpr char kReleaseMarkMagic[8] = {'M', 'O', 'R', 'T', 'F', 'R', 'E', 'E'};

struct ReleaseMark {
  char magic[8];
  uint64_t sequence;
  uint32_t reserved;
  uint32_t checksum;  // CRC-32 of all bytes before it
};
static_assert(sizeof(ReleaseMark) == 24 && kReleaseMarkOffset % 512 == 0);

// From a slot's first block, whose header can be believed.
inline bool is_released(const uint8_t* block, const SlotHeader& header) {
  ReleaseMark mark;
  __builtin_memcpy(&mark, block + kReleaseMarkOffset, sizeof mark);
  return __builtin_memcmp(mark.magic, kReleaseMarkMagic, sizeof kReleaseMarkMagic) == 0 &&
         mark.checksum == header_checksum(mark) && mark.sequence == header.sequence;
}

}  // namespace mortem::format
