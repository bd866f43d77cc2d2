// The root file system: ext3 as mke2fs makes it with -t ext3 (or ext2's layout without a journal, read-only).
//
// Nothing on the disk is believed: a number that cannot be right ends in Error::Io, never in a wild access or a loop
// without end. Each kind of damage is logged with the inode or block at fault.
//
// How it is changed: an operation begins by begin(), which may wait for the writer (disk_writer.h); from there to its
// end no other thread runs, so that nobody, the writer included, sees it half done. What it changes of the metadata is
// in the journal's running transaction; what it changes of files' content is in the page cache, and reaches the disk
// before the transaction in which its blocks were given out ("ordered").
#pragma once

#include <cstdint>
#include <span>

#include "kernel/fs/block_cache.h"
#include "kernel/fs/ext2_format.h"
#include "kernel/fs/inode.h"
#include "kernel/fs/journal.h"
#include "kernel/fs/page_cache.h"
#include "kernel/task/wait_queue.h"

namespace kernel::ext2 {

class Ext2Inode;

// Metadata blocks that the largest step of an operation changes; begin() makes room for them.
inline constexpr uint32_t kAllocationBlocks = 3;                          // bitmap, descriptor, superblock
inline constexpr uint32_t kAppendBlocks = 3 + 4 * kAllocationBlocks + 1;  // with three levels of pointers
inline constexpr uint32_t kNameBlocks = 2 * kAppendBlocks + 2 * kAllocationBlocks + 8;  // two directories, two inodes
inline constexpr uint32_t kFreeStepBlocks = 16;

// What to do when the running transaction is full.
enum class Room : bool { Wait, Now };  // Now: Error::Again

// What is the same for all inodes of one file system.
class Volume {
 public:
  Volume(BlockDevice& device, uint64_t offset, uint64_t length, size_t cache_size, size_t page_limit)
      : cache_(device, offset, length, cache_size), pages_(page_limit), journal_(cache_) {}
  ~Volume();
  Volume(const Volume&) = delete;
  Volume& operator=(const Volume&) = delete;

  void look_at_disk_again();  // in a guest that was resumed from a dump: changes only if nobody else made any
  Result<void> mount();       // reads and checks the superblock, replays the journal
  Result<Inode*> inode(uint32_t number);  // kept for ever
  FileSystemFacts facts();

  uint32_t block_size() const { return block_size_; }
  uint64_t bytes() const { return uint64_t{block_count_} * block_size_; }
  uint32_t inode_count() const { return inode_count_; }
  bool has_file_types() const { return has_file_types_; }
  bool is_writable() const { return writable_; }
  BlockCache& cache() { return cache_; }
  PageCache& pages() { return pages_; }
  Journal& journal() { return journal_; }
  // Io: no block of the file system has this number.
  Result<uint64_t> block_offset(uint32_t block) const;
  // A block of metadata; stays until the next call.
  Result<std::span<const uint8_t>> view(uint32_t block);
  Result<std::span<const uint32_t>> pointers(uint32_t block);  // 32-bit words of a block of pointers

  // --- Changes (ext2_change.cpp).
  // ReadOnly; Again (Room::Now); NoMemory: nothing has been changed.
  Result<void> begin(uint32_t blocks, Room room = Room::Wait);
  // Blocks of the running transaction. An error here leaves an operation half done: the file system takes no more
  // changes, and what is on the disk is the last commit.
  Result<std::span<uint8_t>> modify(uint32_t block);
  Result<std::span<uint8_t>> create(uint32_t block);
  Result<std::span<uint8_t>> modify_inode(uint32_t number);  // its bytes in the table
  Result<Superblock*> modify_superblock();
  Error stop_changes(const char* why, Error error);
  // Returns when what was asked for is on the disk.
  // All files (null): Content their content, ContentAndSize the running transaction, Everything both.
  Result<void> sync(Ext2Inode* inode, SyncKind kind);
  // NoSpace with blocks that will be free at the next commit: waits for it and returns true, to try again.
  bool wait_for_freed_blocks();
  bool is_slow_to_write() const { return pages_.has_too_many_dirty(); }
  void unmount();

  // --- Blocks and inodes given out (ext2_allocate.cpp).
  Result<uint32_t> allocate_block(uint32_t goal);
  Result<void> free_blocks(uint32_t first, uint32_t count);
  Result<Ext2Inode*> allocate_inode(const Ext2Inode& parent, uint16_t mode);
  Result<void> free_inode(Ext2Inode& inode);
  uint32_t first_block_of_group_with(uint32_t inode) const;

  // --- Files without a name (ext2_orphans.cpp): to be truncated or deleted at the next mount.
  Result<void> add_orphan(Ext2Inode& inode);
  Result<void> remove_orphan(Ext2Inode& inode);
  // The last name and the last opener are gone.
  void evict(Ext2Inode& inode);

  // --- The writer's (disk_writer.h).
  Result<void> do_sync(Ext2Inode* inode, SyncKind kind, DiskWait wait);
  Result<void> commit(DiskWait wait);
  void write_old_data(DiskWait wait);
  void evict_pending();
  bool has_something_to_write() const;
  Result<void> do_unmount(DiskWait wait);
  // In the list of inodes with pages to write. `ordered`: before the running transaction.
  void note_dirty(Ext2Inode& inode);

 private:
  friend class Ext2Inode;
  struct Group {
    uint64_t *freed, *freed_before;  // bits of blocks freed in the running and in the closed transaction; null: none
  };

  Result<void> check(const Superblock& superblock);
  Result<void> open_journal(const Superblock& superblock);
  Result<void> prepare_for_changes(const Superblock& superblock);
  void mount_orphans();
  Result<Ext2Inode*> find_inode(uint32_t number, bool deleted_too);
  Result<std::span<const uint8_t>> inode_bytes(uint32_t number);
  struct InodePlace {
    uint32_t block, offset;
  };
  Result<InodePlace> inode_place(uint32_t number);
  uint32_t descriptor_block(uint32_t group) const;
  Result<GroupDescriptor> group(uint32_t group);
  Result<GroupDescriptor*> modify_group(uint32_t group);
  Result<uint32_t> find_free_block(uint32_t group, uint32_t from);
  uint32_t blocks_in_group(uint32_t group) const;
  Result<uint64_t*> freed_bits(uint32_t group);
  void close_freed();
  void release_freed();
  Result<void> start_log(DiskWait wait);
  Result<void> write_recovery_flag(bool on, DiskWait wait);
  Result<void> write_back(Ext2Inode& inode, DiskWait wait);
  Result<void> write_ordered(DiskWait wait);
  Result<void> delete_inode(Ext2Inode& inode, Room room);

  static constexpr size_t kBuckets = 256;
  BlockCache cache_;
  PageCache pages_;
  Journal journal_;
  uint32_t block_size_ = 0, block_count_ = 0, first_data_block_ = 0, blocks_per_group_ = 0;
  uint32_t inode_count_ = 0, inodes_per_group_ = 0, inode_size_ = 0, group_count_ = 0, first_inode_ = 0;
  bool has_file_types_ = false, has_large_files_ = false, writable_ = false, stopped_ = false;
  Ext2Inode* buckets_[kBuckets] = {};
  Group* groups_ = nullptr;  // null: read-only
  bool has_freed_ = false, has_freed_before_ = false;
  Ext2Inode* dirty_ = nullptr;     // inodes with pages to write
  Ext2Inode* to_evict_ = nullptr;  // nobody waited for their deletion
  Ext2Inode* orphans_ = nullptr;   // as the list on the disk
  uint32_t generation_ = 0;
};

class Ext2Inode : public Inode, public CachedFile {
 public:
  Ext2Inode(Volume& volume, uint32_t number) : volume_(volume), number_(number) {}
  void load(std::span<const uint8_t> bytes);  // as in the table
  Result<void> check() const;                 // what can be known to be wrong without reading more

  Result<InodeStatus> status() override;
  Result<size_t> read(uint64_t offset, std::span<uint8_t> to) override;
  Result<size_t> write(uint64_t offset, std::span<const uint8_t> from) override;
  Result<Inode*> lookup(std::span<const char> name) override;
  Result<void> list(uint64_t cursor, DirectoryVisitor visit, void* context) override;
  Result<size_t> read_link(std::span<char> to) override;
  Result<PhysicalAddress> shared_page(uint64_t index, PageUse use) override;
  PhysicalAddress cached_page(uint64_t index) override;
  uint64_t next_data(uint64_t offset, uint64_t end) override;
  uint64_t next_hole(uint64_t offset, uint64_t end) override;
  void opened() override { ++open_count_; }
  void closed() override;
  Result<Inode*> create(std::span<const char> name, FileType type, uint16_t permissions) override;
  Result<Inode*> create_symlink(std::span<const char> name, std::span<const char> target) override;
  Result<Inode*> create_device(std::span<const char> name, FileType type, uint16_t permissions,
                               uint64_t device_number) override;
  Result<Inode*> create_unnamed(uint16_t permissions) override;
  Result<void> add_link(std::span<const char> name, Inode& inode) override;
  Result<void> remove_entry(std::span<const char> name) override;
  Result<void> rename_entry(std::span<const char> name, Inode& to, std::span<const char> new_name) override;
  Result<void> rename_entry_as(RenameMode mode, std::span<const char> name, Inode& to,
                               std::span<const char> new_name) override;
  Result<void> resize(uint64_t size) override;
  Result<void> set_permissions(uint16_t permissions) override;
  Result<void> set_owner(uint32_t user, uint32_t group) override;
  Result<void> set_times(const NewTimes& times) override;
  Result<void> sync(SyncKind kind) override;
  Result<FileSystemFacts> file_system() override { return volume_.facts(); }

  uint32_t number() const { return number_; }
  uint32_t links() const { return disk_.links; }
  uint64_t size() const;
  Ext2Inode* next_in_bucket = nullptr;

 private:
  friend class Volume;
  // Blocks that follow each other in the file and on the disk; block 0: a hole.
  struct Run {
    uint32_t block;
    uint32_t count;
  };
  // A record of a directory.
  struct Place {
    uint32_t block;   // on the disk
    uint32_t offset;  // in the block
    uint32_t before;  // offset of the record before it in the block; its own: it is the first
    uint32_t inode;
    uint8_t type;
    uint64_t index;  // of the block in the directory
  };
  enum class Change : uint8_t { Content, Status, Both };

  uint16_t type() const { return disk_.mode & kTypeMask; }
  bool is_regular() const { return type() == kRegular; }
  bool is_directory() const { return type() == kDirectory; }
  bool is_fast_symlink() const;
  Error damaged(const char* what) const;  // logs it, gives Error::Io
  void set_size(uint64_t size);
  void touch(Change change);
  void set_time(uint32_t& seconds, uint32_t& extra, int64_t now_ns, size_t extra_end);
  Result<void> store();        // into the running transaction
  Result<void> store_sized();  // the same, and fdatasync has to wait for it

  // Where blocks are (ext2_blocks.cpp).
  Result<Run> map(uint64_t index, uint32_t limit);
  Result<uint32_t> map_or_allocate(uint64_t index);
  Result<uint32_t> goal_of(uint64_t index);
  Result<void> free_blocks_from(uint64_t from, Room room);
  Result<void> free_below(uint32_t parent, uint32_t slot, int depth, uint64_t first, uint64_t from, Room room);
  Result<void> clear_slots(uint32_t parent, uint32_t slot, uint32_t count);
  Result<void> free_run(uint32_t block, uint32_t count, bool is_metadata);
  Result<void> begin_free_step(Room room);
  Result<uint32_t> slot_value(uint32_t parent, uint32_t slot);

  // Content (ext2_data.cpp).
  Result<size_t> read_data(uint64_t offset, std::span<uint8_t> to);
  Result<size_t> read_cached(uint64_t offset, std::span<uint8_t> to);
  Result<void> read_page(uint64_t index, uint8_t* to);
  Result<CachedPage*> load_page(uint64_t index);
  void load_around(uint64_t index);
  size_t load_run(uint64_t index, Run run);
  uint64_t next_of(uint64_t offset, uint64_t end, bool data);
  Result<void> write_page_part(uint64_t offset, std::span<const uint8_t> from);
  Result<void> allocate_for(CachedPage& page);
  void zero_behind_end();
  Result<void> grow_to(uint64_t new_size);
  void wait_while_resizing();

  // Directories (ext2_directory.cpp, ext2_names.cpp).
  template <typename Visit>
  Result<void> walk(uint64_t offset, Visit visit);
  Result<Place> find_place(std::span<const char> name);
  Result<Place> make_place(std::span<const char> name);
  Result<void> fill_place(const Place& place, std::span<const char> name, const Ext2Inode& inode);
  Result<void> clear_place(const Place& place);
  Result<void> point_to(const Place& place, const Ext2Inode& inode);
  Result<bool> is_empty();
  Result<void> check_name(std::span<const char> name) const;
  Result<Ext2Inode*> make_child(std::span<const char> name, uint16_t mode, std::span<const char> target,
                                uint64_t device_number);
  Result<void> begin_directory(Ext2Inode& parent);
  Result<Ext2Inode*> child(const Place& place);
  Result<void> set_parent(Ext2Inode& parent);
  Result<bool> is_below(Ext2Inode& directory);
  Result<void> begin_names();
  Result<void> drop_link(Ext2Inode& child);
  Result<void> rename_once(std::span<const char> name, Ext2Inode& to, std::span<const char> new_name,
                           std::optional<RenameMode> mode);
  Result<void> rename_over(Ext2Inode& moved, Ext2Inode& to, const Place& target);
  Result<void> exchange(const Place& here, Ext2Inode& to, const Place& there);
  Result<Ext2Inode*> make_child_once(std::span<const char> name, uint16_t mode, std::span<const char> target,
                                     uint64_t device_number);
  Result<void> fill_symlink(std::span<const char> target);

  Volume& volume_;
  uint32_t number_;
  DiskInode disk_{};
  ExtraInode extra_{};
  uint32_t open_count_ = 0;
  bool in_use_ = false;    // it is a file; false: its number is free
  bool resizing_ = false;  // between two steps of a truncation
  bool ordered_ = false;   // has pages whose blocks were given out in the running transaction
  bool in_dirty_list_ = false, in_evict_list_ = false, is_orphan_ = false;
  uint32_t sized_sequence_ = 0, changed_sequence_ = 0;  // transactions that changed it last
  bool was_sized_ = false, was_changed_ = false;        // and whether there is one
  bool write_failed_ = false;                           // to be told by the next sync
  bool is_linkable_ = false;                            // O_TMPFILE: without a name, it may get one
  uint64_t dirty_since_ns_ = 0;
  uint64_t insert_hint_ = 0;  // of a directory: no room before this block
  Ext2Inode *next_dirty_ = nullptr, *next_to_evict_ = nullptr, *next_orphan_ = nullptr;
  WaitQueue resized_;
};

FileType file_type_of_mode(uint16_t mode);
uint16_t mode_of_file_type(FileType type);
void put_device_number(DiskInode& disk, uint64_t number);

}  // namespace kernel::ext2
