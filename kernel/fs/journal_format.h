// A JBD2 journal on disk (Linux: Documentation/filesystems/ext4, chapter "Journal (jbd2)"); all numbers big-endian.
#pragma once

#include <cstddef>
#include <cstdint>

namespace kernel::ext2 {

class BigEndian32 {
 public:
  constexpr BigEndian32() = default;
  constexpr BigEndian32(uint32_t value) : raw_(__builtin_bswap32(value)) {}
  constexpr operator uint32_t() const { return __builtin_bswap32(raw_); }

 private:
  uint32_t raw_ = 0;
};

inline constexpr uint32_t kJournalMagic = 0xC03B3998;
enum JournalBlockType : uint32_t {
  kDescriptorBlock = 1,
  kCommitBlock = 2,
  kSuperblockV1 = 3,
  kSuperblockV2 = 4,
  kRevokeBlock = 5,
};

struct JournalHeader {
  BigEndian32 magic, type, sequence;
};

struct JournalSuperblock {
  JournalHeader header;
  BigEndian32 block_size, block_count, first;  // `first`: block of the log in the journal
  BigEndian32 sequence, start;                 // of the oldest transaction; start 0: nothing to replay
  BigEndian32 error;
  BigEndian32 feature_compatible, feature_incompatible, feature_read_only;
  uint8_t id[16];
  BigEndian32 user_count;
};
static_assert(offsetof(JournalSuperblock, id) == 48);
inline constexpr uint32_t kJournalRevokes = 0x1;  // feature_incompatible
inline constexpr uint32_t kJournal64Bit = 0x2, kJournalAsync = 0x4, kJournalChecksum2 = 0x8, kJournalChecksum3 = 0x10,
                          kJournalFastCommit = 0x20;

// After a descriptor block's header, one a block that follows it; after one without kTagSameId stand 16 bytes of id.
struct JournalTag {
  BigEndian32 block;
  uint16_t checksum;  // only with kJournalChecksum2
  uint16_t flags;     // big-endian
};
static_assert(sizeof(JournalTag) == 8);
// Escaped: the block began with the magic number, which is zero in the log.
inline constexpr uint16_t kTagEscaped = 1, kTagSameId = 2, kTagDeleted = 4, kTagLast = 8;
inline constexpr size_t kTagIdSize = 16;

struct RevokeHeader {
  JournalHeader header;
  BigEndian32 used;  // bytes of the block, this header included; block numbers follow
};

struct CommitBlock {
  JournalHeader header;
  uint8_t checksum_type, checksum_size, padding[2];
  BigEndian32 checksum[8];
  BigEndian32 seconds_high, seconds_low, nanoseconds;
};
static_assert(offsetof(CommitBlock, seconds_high) == 48);

}  // namespace kernel::ext2
