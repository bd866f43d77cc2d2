// The journal's buffers and the running transaction.
#include "kernel/fs/journal.h"

#include "kernel/library/log.h"
#include "kernel/memory/heap.h"
#include "kernel/memory/physical.h"

namespace kernel::ext2 {
namespace {

Error refuse_journal(const char* what) {
  log(LogLevel::Warning, "ext3: journal: %s", what);
  return Error::Io;
}

constexpr uint32_t kLeastLogBlocks = 16;
constexpr uint32_t kSpareAtMost = 64;  // pages kept for the next change

}  // namespace

Journal::~Journal() {
  for (Buffer*& bucket : buckets_)
    while (bucket != nullptr) {
      bucket->in_running = false;
      drop(*bucket);
    }
  while (spare_pages_ != nullptr) {
    SparePage* page = spare_pages_;
    spare_pages_ = page->next;
    free_pages(direct_map_physical(page), 1);
  }
  while (spare_buffers_ != nullptr) {
    Buffer* buffer = spare_buffers_;
    spare_buffers_ = buffer->next;
    destroy(buffer);
  }
  if (staging_ != nullptr) free_pages(direct_map_physical(staging_), kStagingBlocks);
  heap_free(blocks_);
  heap_free(running_);
  heap_free(committing_);
  heap_free(running_revokes_);
  heap_free(committing_revokes_);
}

Result<void> Journal::open(uint32_t* blocks, uint32_t count, uint32_t block_size, uint32_t volume_blocks) {
  blocks_ = blocks;
  block_size_ = block_size;
  volume_blocks_ = volume_blocks;
  TRY(disk_.read(uint64_t{blocks[0]} * block_size, {reinterpret_cast<uint8_t*>(&superblock_), sizeof superblock_}));
  const uint32_t type = superblock_.header.type;
  if (superblock_.header.magic != kJournalMagic || (type != kSuperblockV1 && type != kSuperblockV2))
    return refuse_journal("no superblock in its first block");
  if (superblock_.block_size != block_size) return refuse_journal("its block size is not the file system's");
  if (superblock_.error != 0) return refuse_journal("it was stopped by an error: run e2fsck on the image");
  block_count_ = superblock_.block_count;
  first_ = superblock_.first;
  if (block_count_ > count || first_ == 0 || first_ >= block_count_ || block_count_ - first_ < kLeastLogBlocks)
    return refuse_journal("impossible size");
  if (type == kSuperblockV2) {
    const uint32_t unknown = superblock_.feature_incompatible & ~kJournalRevokes;
    if (unknown != 0 || superblock_.feature_read_only != 0) {
      log(LogLevel::Warning, "ext3: journal: feature bits %x are not supported: use mke2fs -t ext3", unknown);
      return Error::NotSupported;
    }
  }
  start_ = superblock_.start;
  if (start_ != 0 && (start_ < first_ || start_ >= block_count_)) return refuse_journal("impossible start of the log");
  next_sequence_ = superblock_.sequence;
  committed_sequence_ = next_sequence_ - 1;
  head_ = first_;
  transaction_limit_ = (block_count_ - first_) / 4;
  return {};
}

Result<bool> Journal::is_as_left() {
  if (blocks_ == nullptr) return false;
  uint8_t sector[512];
  TRY(disk_.read_again(uint64_t{blocks_[0]} * block_size_, sector));
  return __builtin_memcmp(sector, &superblock_, sizeof superblock_) == 0;
}

Journal::Buffer* Journal::find(uint32_t block) const {
  Buffer* buffer = buckets_[block % kBuckets];
  while (buffer != nullptr && buffer->block != block) buffer = buffer->next;
  return buffer;
}

Result<uint8_t*> Journal::take_page() {
  if (spare_pages_ == nullptr) return direct_map<uint8_t>(TRY(allocate_page(PageOwner::DiskState)));
  SparePage* page = spare_pages_;
  spare_pages_ = page->next;
  --spare_page_count_;
  return reinterpret_cast<uint8_t*>(page);
}

void Journal::give_page(uint8_t* bytes) {
  if (spare_page_count_ >= kSpareAtMost) return free_pages(direct_map_physical(bytes), 1);
  auto* page = reinterpret_cast<SparePage*>(bytes);
  page->next = spare_pages_;
  spare_pages_ = page;
  ++spare_page_count_;
}

Result<Journal::Buffer*> Journal::add(uint32_t block) {
  uint8_t* page = TRY(take_page());
  Buffer* buffer = spare_buffers_;
  if (buffer != nullptr) {
    spare_buffers_ = buffer->next;
    --spare_buffer_count_;
  } else {
    auto made = make<Buffer>();
    if (made.is_error()) {
      give_page(page);
      return made.error();
    }
    buffer = made.value();
  }
  *buffer = {block, 0, false, false, page, nullptr, buckets_[block % kBuckets]};
  buckets_[block % kBuckets] = buffer;
  ++buffer_count_;
  return buffer;
}

void Journal::drop(Buffer& buffer) {
  if (buffer.committed != nullptr && buffer.committed != buffer.bytes) give_page(buffer.committed);
  give_page(buffer.bytes);
  Buffer** link = &buckets_[buffer.block % kBuckets];
  while (*link != &buffer) link = &(*link)->next;
  *link = buffer.next;
  --buffer_count_;
  if (spare_buffer_count_ >= kSpareAtMost) return destroy(&buffer);
  buffer.next = spare_buffers_;
  spare_buffers_ = &buffer;
  ++spare_buffer_count_;
}

Result<std::span<const uint8_t>> Journal::view(uint32_t block) {
  if (buffer_count_ > 0)
    if (const Buffer* buffer = find(block)) return std::span<const uint8_t>{buffer->bytes, block_size_};
  const uint32_t size = block_size_;
  return disk_.view(uint64_t{block} * size, size);
}

// The buffer gets bytes of its own, if those it has belong to a closed transaction.
Result<std::span<uint8_t>> Journal::join(Buffer& buffer) {
  if (buffer.bytes == buffer.committed) {
    uint8_t* copy = TRY(take_page());
    __builtin_memcpy(copy, buffer.committed, block_size_);
    buffer.bytes = copy;
  }
  if (!buffer.in_running) {
    if (running_count_ == transaction_limit_) return Error::NoSpace;  // less was reserved than is used
    buffer.in_running = true;
    buffer.forgotten = false;
    buffer.running_index = running_count_;
    running_[running_count_++] = &buffer;
  }
  return std::span<uint8_t>{buffer.bytes, block_size_};
}

Result<std::span<uint8_t>> Journal::modify(uint32_t block) {
  Buffer* buffer = find(block);
  if (buffer == nullptr) {
    const auto content = TRY(disk_.view(uint64_t{block} * block_size_, block_size_));
    buffer = TRY(add(block));
    __builtin_memcpy(buffer->bytes, content.data(), block_size_);
  }
  return join(*buffer);
}

Result<std::span<uint8_t>> Journal::create(uint32_t block) {
  Buffer* buffer = find(block);
  if (buffer == nullptr) buffer = TRY(add(block));
  auto bytes = TRY(join(*buffer));
  __builtin_memset(bytes.data(), 0, bytes.size());
  return bytes;
}

void Journal::forget(uint32_t block) {
  running_revokes_[running_revoke_count_++] = block;
  Buffer* buffer = find(block);
  if (buffer == nullptr) return;
  if (buffer->in_running) {
    Buffer* last = running_[--running_count_];
    running_[buffer->running_index] = last;
    last->running_index = buffer->running_index;
    buffer->in_running = false;
  }
  if (buffer->committed == nullptr) return drop(*buffer);
  if (buffer->bytes != buffer->committed) give_page(buffer->bytes);
  buffer->bytes = buffer->committed;
  buffer->forgotten = true;  // until this transaction is on the disk the block belongs to the old state
}

uint32_t Journal::log_blocks_for(uint32_t blocks, uint32_t revokes) const {
  const uint32_t tags = (block_size_ - sizeof(JournalHeader) - kTagIdSize) / sizeof(JournalTag);
  const uint32_t numbers = (block_size_ - sizeof(RevokeHeader)) / 4;
  return blocks + (blocks + tags - 1) / tags + (revokes + numbers - 1) / numbers + 1;
}

bool Journal::has_room(uint32_t blocks) const {
  return log_blocks_for(running_count_ + blocks, running_revoke_count_ + blocks) <= transaction_limit_;
}

Result<void> Journal::reserve(uint32_t blocks) {
  if (running_ == nullptr) {
    auto allocate = [this] { return static_cast<Buffer**>(heap_allocate(transaction_limit_ * sizeof(Buffer*))); };
    if (committing_ == nullptr) committing_ = allocate();
    if (staging_ == nullptr) staging_ = direct_map<uint8_t>(TRY(allocate_pages(kStagingBlocks, PageOwner::DiskState)));
    if (committing_ == nullptr || (running_ = allocate()) == nullptr) return Error::NoMemory;
  }
  while (running_revoke_count_ + blocks > revoke_capacity_) {
    const uint32_t capacity = (running_revoke_count_ + blocks) * 2;
    auto* running = static_cast<uint32_t*>(heap_allocate(capacity * sizeof(uint32_t)));
    if (running == nullptr) return Error::NoMemory;
    if (running_revoke_count_ > 0) __builtin_memcpy(running, running_revokes_, running_revoke_count_ * 4);
    heap_free(running_revokes_);
    running_revokes_ = running;
    revoke_capacity_ = capacity;
  }
  while (spare_page_count_ < blocks) give_page(direct_map<uint8_t>(TRY(allocate_page(PageOwner::DiskState))));
  while (spare_buffer_count_ < blocks) {
    Buffer* buffer = TRY(make<Buffer>());
    buffer->next = spare_buffers_;
    spare_buffers_ = buffer;
    ++spare_buffer_count_;
  }
  return {};
}

}  // namespace kernel::ext2
