#include "kernel/linux/memory_file.h"

#include "kernel/arch/x86_64/interrupts.h"
#include "kernel/memory/heap.h"
#include "kernel/task/file_mappings.h"

namespace kernel::linux {
namespace {

uint64_t g_next_file_number = 1;
constinit MemoryLimit g_no_limit{};

void set_time(int64_t& seconds, uint32_t& nanoseconds, int64_t time_ns) {
  constexpr int64_t kSecond = 1'000'000'000;
  seconds = time_ns / kSecond;
  int64_t rest = time_ns % kSecond;
  if (rest < 0) --seconds, rest += kSecond;
  nanoseconds = static_cast<uint32_t>(rest);
}

}  // namespace

MemoryInode::MemoryInode(uint64_t device, FileType type, uint16_t permissions, uint32_t links) {
  status_.device = device;
  status_.inode = g_next_file_number++;
  status_.type = type;
  status_.permissions = permissions;
  status_.links = links;
  content_changed();
  status_.access_s = status_.modify_s;
  status_.access_ns = status_.modify_ns;
}

Result<void> MemoryInode::set_permissions(uint16_t permissions) {
  status_.permissions = permissions;
  inode_changed();
  return {};
}

Result<void> MemoryInode::set_owner(uint32_t user, uint32_t group) {
  if (user != ~0u) status_.user = user;
  if (group != ~0u) status_.group = group;
  inode_changed();
  return {};
}

Result<void> MemoryInode::set_times(const NewTimes& times) {
  if (times.access_ns) set_time(status_.access_s, status_.access_ns, *times.access_ns);
  if (times.modify_ns) set_time(status_.modify_s, status_.modify_ns, *times.modify_ns);
  inode_changed();
  return {};
}

void MemoryInode::closed() {
  --holders_;
  holder_gone();
  end_if_unused();
}

void MemoryInode::name_added() {
  ++status_.links;
  inode_changed();
}

void MemoryInode::name_removed() {
  --status_.links;
  inode_changed();
  end_if_unused();
}

void MemoryInode::content_changed() {
  inode_changed();
  status_.modify_s = status_.change_s;
  status_.modify_ns = status_.change_ns;
}

void MemoryInode::inode_changed() {
  set_time(status_.change_s, status_.change_ns, wall_clock_ns());
}

void MemoryInode::end_if_unused() {
  if (holders_ == 0 && status_.links == 0) destroy(this);
}

FileSystemFacts facts_of(const MemoryLimit& limit) {
  const bool limited = limit.most != ~uint64_t{0};
  const uint64_t most = limited ? limit.most : 0, free = limited ? limit.most - limit.used : 0;
  return {.block_size = kPageSize,
          .blocks = most,
          .free_blocks = free,
          .inodes = most,
          .free_inodes = free,
          .read_only = false};
}

Result<InodeStatus> MemoryFile::status() {
  InodeStatus out = status_;
  out.size = content_.size();
  out.blocks = content_.pages() * (kPageSize / 512);
  return out;
}

Result<size_t> MemoryFile::write(uint64_t offset, std::span<const uint8_t> from) {
  if ((seals_ & (kSealWrite | kSealFutureWrite)) != 0) return Error::NotPermitted;
  if ((seals_ & kSealGrow) != 0 && (offset > content_.size() || from.size() > content_.size() - offset))
    return Error::NotPermitted;
  const size_t done = TRY(content_.write(offset, from));
  content_changed();
  return done;
}

Result<size_t> MemoryFile::read_link(std::span<char> to) {
  if (type() != FileType::Symlink) return Error::Invalid;
  return content_.read(0, {reinterpret_cast<uint8_t*>(to.data()), to.size()});
}

Result<void> MemoryFile::resize(uint64_t size) {
  if ((seals_ & kSealShrink) != 0 && size < content_.size()) return Error::NotPermitted;
  if ((seals_ & kSealGrow) != 0 && size > content_.size()) return Error::NotPermitted;
  TRY(content_.resize(size));
  content_changed();
  return {};
}

Result<void> MemoryFile::allocate(uint64_t offset, uint64_t length) {
  if ((seals_ & kSealGrow) != 0 && offset + length > content_.size()) return Error::NotPermitted;
  TRY(content_.allocate(offset, length));
  inode_changed();
  return {};
}

Result<void> MemoryFile::punch_hole(uint64_t offset, uint64_t length) {
  if ((seals_ & (kSealWrite | kSealFutureWrite)) != 0) return Error::NotPermitted;
  content_.punch_hole(offset, length);
  content_changed();
  return {};
}

Result<PhysicalAddress> MemoryFile::shared_page(uint64_t index, PageUse use) {
  const PhysicalAddress page = TRY(content_.shared_page(index));
  if (use == PageUse::Write) content_changed();
  return page;
}

Result<void> MemoryFile::add_seals(uint32_t seals) {
  constexpr uint32_t kAll = kSealSeal | kSealShrink | kSealGrow | kSealWrite | kSealFutureWrite;
  if ((seals & ~kAll) != 0) return Error::Invalid;
  if ((seals_ & kSealSeal) != 0) return Error::NotPermitted;
  if ((seals & kSealWrite) != 0 && (seals_ & kSealWrite) == 0 && has_writable_mapping(*this)) return Error::Busy;
  seals_ |= seals;
  return {};
}

MemoryLimit& own_mount_limit() {
  return g_no_limit;
}

Result<MemoryFile*> make_memory_file(uint16_t permissions) {
  return TRY(make<MemoryFile>(kOwnMountDevice, FileType::Regular, permissions, 0u, g_no_limit));
}

}  // namespace kernel::linux
