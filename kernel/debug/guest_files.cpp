#include "kernel/debug/guest_files.h"

#include <iterator>

#include "kernel/crash/open_files.h"
#include "kernel/library/log.h"

namespace kernel::debug {
namespace {

int64_t failed(Error error) {
  return -static_cast<int64_t>(error);
}

Result<Inode*> find(std::string_view path, FollowLast follow) {
  return find_inode(root_inode(), {path.data(), path.size()}, follow);
}

uint32_t mode_of(const InodeStatus& status) {
  constexpr uint32_t kTypes[] = {0100000, 0040000, 0120000, 0020000, 0060000, 0010000, 0140000};  // in FileType's order
  return kTypes[static_cast<size_t>(status.type)] | status.permissions;
}

int64_t fill(Inode& inode, mortem::gdbstub::FileStatus& to) {
  auto read = inode.status();
  if (read.is_error()) return failed(read.error());
  const InodeStatus& from = read.value();
  to = {.device = static_cast<uint32_t>(from.device),
        .inode = static_cast<uint32_t>(from.inode),
        .mode = mode_of(from),
        .links = from.links,
        .user = from.user,
        .group = from.group,
        .raw_device = static_cast<uint32_t>(from.device_number),
        .size = from.size,
        .block_size = 4096,
        .blocks = from.blocks,
        .access_time = static_cast<uint32_t>(from.access_s),
        .modification_time = static_cast<uint32_t>(from.modify_s),
        .change_time = static_cast<uint32_t>(from.change_s)};
  return 0;
}

// The part of what is written that was asked for.
class WindowSink final : public ByteSink {
 public:
  WindowSink(uint64_t offset, std::span<uint8_t> to) : offset_(offset), to_(to) {}
  bool write(const void* bytes, size_t size) override { return add(static_cast<const uint8_t*>(bytes), size); }
  bool write_zeros(uint64_t count) override { return add(nullptr, count); }
  size_t count() const { return count_; }

 private:
  bool add(const uint8_t* bytes, uint64_t size) {
    for (uint64_t index = 0; index < size && count_ < to_.size(); ++index) {
      if (at_ + index < offset_) continue;
      to_[count_++] = bytes != nullptr ? bytes[index] : uint8_t{0};
    }
    at_ += size;
    return count_ < to_.size();
  }

  uint64_t offset_, at_ = 0;
  std::span<uint8_t> to_;
  size_t count_ = 0;
};

struct RingFile {
  const char* path;
  const LogRing& ring;
};
constexpr RingFile kRings[] = {{mortem::format::kKernelLogPath, g_log_ring},
                               {mortem::format::kStandardErrorPath, g_error_ring},
                               {mortem::format::kStandardOutputPath, g_output_ring}};

// Of what the ring held when `end` bytes had been written; Io: it was overwritten meanwhile.
int64_t read_ring(const LogRing& ring, uint64_t end, uint64_t offset, std::span<uint8_t> to) {
  const uint64_t start = end > ring.size ? end - ring.size : 0;
  if (offset >= end - start) return 0;
  if (ring.written > start + offset + ring.size) return failed(Error::Io);
  const uint64_t left = end - start - offset, count = left < to.size() ? left : to.size();
  for (uint64_t index = 0; index < count; ++index)
    to[index] = static_cast<uint8_t>(ring.bytes[(start + offset + index) % ring.size]);
  return static_cast<int64_t>(count);
}

}  // namespace

int64_t GuestFiles::open(std::string_view path) {
  if (path == mortem::format::kDescriptorTablePath) return kDescriptorTable;
  if (path == mortem::format::kSocketTablePath) return kSocketTable;
  for (size_t number = 0; number < std::size(kRings); ++number) {
    if (path != kRings[number].path) continue;
    ring_ends_[number] = kRings[number].ring.written;
    return static_cast<int64_t>(kFirstRing + number);
  }
  auto inode = find(path, FollowLast::Yes);
  if (inode.is_error()) return failed(inode.error());
  auto status = inode.value()->status();
  if (status.is_error()) return failed(status.error());
  if (status.value().type == FileType::Directory) return failed(Error::IsDirectory);
  for (size_t number = 0; number < kMaximum; ++number) {
    if (files_[number] != nullptr) continue;
    files_[number] = inode.value();
    files_[number]->opened();  // a file in memory would be gone with its last name
    return static_cast<int64_t>(number);
  }
  return failed(Error::TooManyFiles);
}

int64_t GuestFiles::close(uint64_t number) {
  if (number >= kMaximum && number < kFirstRing + std::size(kRings)) return 0;
  if (number >= kMaximum || files_[number] == nullptr) return failed(Error::BadDescriptor);
  files_[number]->closed();
  files_[number] = nullptr;
  return 0;
}

int64_t GuestFiles::read(uint64_t number, uint64_t offset, std::span<uint8_t> to) {
  if (number == kDescriptorTable || number == kSocketTable) {
    WindowSink sink(offset, to);
    (void)(number == kSocketTable ? write_socket_table(sink) : write_descriptor_table(sink));
    return static_cast<int64_t>(sink.count());
  }
  if (number >= kFirstRing && number < kFirstRing + std::size(kRings))
    return read_ring(kRings[number - kFirstRing].ring, ring_ends_[number - kFirstRing], offset, to);
  if (number >= kMaximum || files_[number] == nullptr) return failed(Error::BadDescriptor);
  auto count = files_[number]->read(offset, to);
  return count ? static_cast<int64_t>(count.value()) : failed(count.error());
}

int64_t GuestFiles::status(uint64_t number, mortem::gdbstub::FileStatus& status) {
  if (number >= kMaximum || files_[number] == nullptr) return failed(Error::BadDescriptor);
  return fill(*files_[number], status);
}

int64_t GuestFiles::status(std::string_view path, mortem::gdbstub::FileStatus& status) {
  auto inode = find(path, FollowLast::Yes);
  return inode ? fill(*inode.value(), status) : failed(inode.error());
}

int64_t GuestFiles::read_link(std::string_view path, std::span<char> to) {
  auto inode = find(path, FollowLast::No);
  if (inode.is_error()) return failed(inode.error());
  auto count = inode.value()->read_link(to);
  return count ? static_cast<int64_t>(count.value()) : failed(count.error());
}

void GuestFiles::close_all() {
  for (size_t number = 0; number < kMaximum; ++number) (void)close(number);
}

}  // namespace kernel::debug
