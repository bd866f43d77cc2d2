// ext2's layout on disk (Linux: Documentation/filesystems/ext4, chapters "Super Block", "Block Group Descriptors",
// "Index Nodes", "Directory Entries"); all numbers little-endian.
#pragma once

#include <cstddef>
#include <cstdint>

namespace kernel::ext2 {

inline constexpr uint64_t kSuperblockOffset = 1024;
inline constexpr uint16_t kMagic = 0xEF53;
inline constexpr uint32_t kRootInode = 2;

struct Superblock {
  uint32_t inode_count, block_count, reserved_block_count, free_block_count, free_inode_count;
  uint32_t first_data_block, log_block_size, log_fragment_size;
  uint32_t blocks_per_group, fragments_per_group, inodes_per_group;
  uint32_t mount_time, write_time;
  uint16_t mount_count, maximum_mount_count, magic, state, errors, minor_revision;
  uint32_t last_check, check_interval, creator, revision;
  uint16_t reserved_user, reserved_group;
  uint32_t first_inode;
  uint16_t inode_size, block_group;
  uint32_t feature_compatible, feature_incompatible, feature_read_only;
  uint8_t id[16], name[16], last_mounted[64];
  uint32_t compression;
  uint8_t preallocated_blocks, preallocated_directory_blocks;
  uint16_t reserved_descriptors;
  uint8_t journal_id[16];
  uint32_t journal_inode, journal_device, last_orphan;
};
static_assert(offsetof(Superblock, magic) == 56 && offsetof(Superblock, id) == 104 &&
              offsetof(Superblock, last_orphan) == 232 && sizeof(Superblock) == 236);

// feature_compatible, feature_incompatible, feature_read_only (those that a writer has to know).
inline constexpr uint32_t kHasJournal = 0x4;
inline constexpr uint32_t kFileType = 0x2, kNeedsRecovery = 0x4;
inline constexpr uint32_t kSparseSuper = 0x1, kLargeFile = 0x2, kExtraInodeSize = 0x40;
// state: cleanly unmounted (with a journal it stays so), errors found.
inline constexpr uint16_t kStateClean = 1, kStateErrors = 2;

struct GroupDescriptor {
  uint32_t block_bitmap, inode_bitmap, inode_table;
  uint16_t free_blocks, free_inodes, directories, padding;
  uint32_t reserved[3];
};
static_assert(sizeof(GroupDescriptor) == 32);

inline constexpr size_t kDirectBlocks = 12;

struct DiskInode {
  uint16_t mode, user;
  uint32_t size, access_time, change_time, modify_time, deletion_time;
  uint16_t group, links;
  uint32_t sectors;  // of 512 bytes, metadata of the file included
  uint32_t flags, version;
  uint32_t block[15];  // 12 direct, indirect, double, triple; or the text of a short symbolic link; or a device number
  uint32_t generation, attribute_block, size_high;
  uint32_t fragment;
  uint8_t reserved[4];
  uint16_t user_high, group_high;
  uint32_t reserved_end;
};
static_assert(sizeof(DiskInode) == 128 && offsetof(DiskInode, block) == 40);
inline constexpr size_t kFastSymlinkSize = sizeof(DiskInode::block);  // shorter targets stand in the inode

// What follows in inodes of 256 bytes; `size` of these bytes are in use. A time's word: bits 0-1 are bits 32-33 of the
// seconds, the rest is nanoseconds.
struct ExtraInode {
  uint16_t size, checksum_high;
  uint32_t change_time, modify_time, access_time, birth_time, birth_time_extra;
};
static_assert(sizeof(ExtraInode) == 24);

// mode & kTypeMask.
inline constexpr uint16_t kTypeMask = 0xF000, kFifo = 0x1000, kCharacter = 0x2000, kDirectory = 0x4000, kBlock = 0x6000,
                          kRegular = 0x8000, kSymlink = 0xA000, kSocket = 0xC000;

// flags: what may not be changed, a directory with a hash tree; then those whose blocks are not laid out as here.
inline constexpr uint32_t kImmutable = 0x10, kAppendOnly = 0x20, kIndexed = 0x1000;
inline constexpr uint32_t kCompressed = 0x4, kEncrypted = 0x800, kExtents = 0x80000, kInlineData = 0x10000000;

struct DirectoryRecord {
  uint32_t inode;  // 0: unused
  uint16_t record_length;
  uint8_t name_length, file_type;  // file_type only with kFileType, else the name's length's high byte
};
static_assert(sizeof(DirectoryRecord) == 8);

}  // namespace kernel::ext2
