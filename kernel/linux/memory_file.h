// Inodes that live in memory, and the regular files among them: of tmpfs, of memfd_create, of shared memory.
#pragma once

#include "kernel/fs/inode.h"
#include "kernel/linux/memory_content.h"

namespace kernel::linux {

// Gone when it has no name and nobody holds it (an open file, a mapping, the working directory).
class MemoryInode : public Inode {
 public:
  MemoryInode(uint64_t device, FileType type, uint16_t permissions, uint32_t links);

  Result<InodeStatus> status() override { return InodeStatus(status_); }
  Result<void> set_permissions(uint16_t permissions) override;
  Result<void> set_owner(uint32_t user, uint32_t group) override;
  Result<void> set_times(const NewTimes& times) override;
  void opened() final { ++holders_; }
  void closed() final;

  void name_added();
  void name_removed();  // may be the end of it
  FileType type() const { return status_.type; }
  uint64_t number() const { return status_.inode; }
  uint32_t holders() const { return holders_; }

 protected:
  void content_changed();
  void inode_changed();
  virtual void holder_gone() {}
  InodeStatus status_{};

  uint32_t holders_ = 0;

 private:
  void end_if_unused();
};

FileSystemFacts facts_of(const MemoryLimit& limit);

// fcntl(2)
inline constexpr uint32_t kSealSeal = 1, kSealShrink = 2, kSealGrow = 4, kSealWrite = 8, kSealFutureWrite = 16;

// A regular file, or what is like one: a symbolic link with its target, a socket or a FIFO with nothing.
class MemoryFile : public MemoryInode {
 public:
  MemoryFile(uint64_t device, FileType type, uint16_t permissions, uint32_t links, MemoryLimit& limit)
      : MemoryInode(device, type, permissions, links), content_(*this, limit) {}

  Result<InodeStatus> status() override;
  Result<size_t> read(uint64_t offset, std::span<uint8_t> to) override { return content_.read(offset, to); }
  Result<size_t> write(uint64_t offset, std::span<const uint8_t> from) override;
  Result<size_t> read_link(std::span<char> to) override;
  Result<void> resize(uint64_t size) override;
  Result<void> allocate(uint64_t offset, uint64_t length) override;
  Result<void> punch_hole(uint64_t offset, uint64_t length) override;
  uint64_t next_data(uint64_t offset, uint64_t) override { return content_.next_data(offset); }
  uint64_t next_hole(uint64_t offset, uint64_t) override { return content_.next_hole(offset); }
  Result<PhysicalAddress> shared_page(uint64_t index, PageUse use) override;
  PhysicalAddress cached_page(uint64_t index) override { return content_.cached_page(index); }
  Result<FileSystemFacts> file_system() override { return facts_of(content_.limit()); }
  Result<uint32_t> seals() override { return uint32_t{seals_}; }
  Result<void> add_seals(uint32_t seals) override;
  const PageTree* memory() const override { return &content_.tree(); }

  void allow_seals() { seals_ = 0; }
  uint64_t pages() const { return content_.pages(); }

 private:
  MemoryContent content_;
  uint32_t seals_ = kSealSeal;
};

// The kernel's own mount (Linux: shm_mnt), which has no limit.
inline constexpr uint64_t kOwnMountDevice = 1;
MemoryLimit& own_mount_limit();
// A file of it, without a name. The caller holds it at once (InodeHold): without a holder it is never freed.
Result<MemoryFile*> make_memory_file(uint16_t permissions);

}  // namespace kernel::linux
