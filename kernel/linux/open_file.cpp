// Open files of a file system, and the console as a program's output.
#include "kernel/linux/open_file.h"

#include "kernel/drivers/console.h"
#include "kernel/library/log.h"
#include "kernel/linux/epoll.h"
#include "kernel/linux/file_locks.h"
#include "kernel/linux/files.h"
#include "kernel/linux/inotify.h"
#include "kernel/memory/heap.h"
#include "kernel/task/wait.h"

namespace kernel::linux {
namespace {

bool is_device(const InodeStatus& status, uint64_t major) {
  return status.type == FileType::CharacterDevice && status.device_number >> 8 == major;
}

bool is_random_device(const InodeStatus& status) {
  constexpr uint64_t kRandom = 1 << 8 | 8, kUrandom = 1 << 8 | 9;
  return status.type == FileType::CharacterDevice &&
         (status.device_number == kRandom || status.device_number == kUrandom);
}

class InodeFile final : public OpenFile {
 public:
  InodeFile(Inode& inode, int flags, char* path, const InodeStatus& status)
      : OpenFile(flags),
        inode_(inode),
        path_(path),
        type_(status.type),
        is_terminal_(is_device(status, 5)),
        is_random_(is_random_device(status)) {
    inode_.opened();
    describe_as(mortem::format::FileKind::File, path_, &position_);
  }
  ~InodeFile() override {
    if (somebody_watches() && (flags() & kOpenPath) == 0)
      tell_of_file(inode_, path_, can_write() ? file_event::kCloseWrite : file_event::kCloseNoWrite);
    inode_.closed();
    if (somebody_watches()) tell_if_gone(inode_);
    heap_free(path_);
  }

  Result<size_t> read(std::span<uint8_t> to) override {
    const size_t count = TRY(read_at(position_, to));
    position_ += count;
    return count;
  }

  Result<size_t> read_at(uint64_t offset, std::span<uint8_t> to) override {
    if (type_ == FileType::Directory) return Error::IsDirectory;
    auto count = inode_.read(offset, to);
    if (!is_terminal_ || !count.is_error() || count.error() != Error::Again || !is_blocking()) return count;
    if (wait_for([] { return console_has_input(); }, kNoDeadline, kConsolePollNs) == WaitResult::Signal)
      return Error::RestartSystem;
    return inode_.read(offset, to);
  }

  Result<size_t> write(std::span<const uint8_t> from) override {
    if ((flags() & kOpenAppend) != 0) position_ = TRY(inode_.status()).size;
    const size_t count = TRY(inode_.write(position_, from));
    position_ += count;
    if (count > 0) tell_of_file(inode_, path_, file_event::kModify);
    TRY(sync_if_asked());
    return count;
  }

  Result<size_t> write_at(uint64_t offset, std::span<const uint8_t> from) override {
    const size_t count = TRY(inode_.write((flags() & kOpenAppend) != 0 ? TRY(inode_.status()).size : offset, from));
    if (count > 0) tell_of_file(inode_, path_, file_event::kModify);
    TRY(sync_if_asked());
    return count;
  }

  Result<uint64_t> seek(int64_t offset, int whence) override {
    constexpr int kSet = 0, kCurrent = 1, kEnd = 2, kData = 3, kHole = 4;
    if (type_ == FileType::CharacterDevice) return 0;
    int64_t base = 0;
    const auto size = static_cast<int64_t>(TRY(inode_.status()).size);
    switch (whence) {
      case kSet:
        break;
      case kCurrent:
        base = static_cast<int64_t>(position_);
        break;
      case kEnd:
        base = size;
        break;
      case kData:
      case kHole:
        if (offset < 0 || offset >= size) return Error::NoDevice;
        base = static_cast<int64_t>(whence == kData
                                        ? inode_.next_data(static_cast<uint64_t>(offset), static_cast<uint64_t>(size))
                                        : inode_.next_hole(static_cast<uint64_t>(offset), static_cast<uint64_t>(size)));
        if (whence == kData && base == size) return Error::NoDevice;
        position_ = static_cast<uint64_t>(base);
        return position_;
      default:
        return Error::Invalid;
    }
    int64_t result;
    if (__builtin_add_overflow(base, offset, &result) || result < 0) return Error::Invalid;
    position_ = static_cast<uint64_t>(result);
    return position_;
  }

  Result<InodeStatus> status() override { return inode_.status(); }
  uint16_t poll_events() override {
    if (!is_terminal_) return kPollIn | kPollOut;
    return console_has_input() ? kPollIn | kPollOut : kPollOut;
  }
  bool can_be_polled() const override { return is_terminal_ || is_random_; }
  bool needs_polling() const override { return is_terminal_; }
  Inode* inode() override { return &inode_; }
  const char* path() const override { return path_; }

 private:
  Result<void> sync_if_asked() {
    if ((flags() & kOpenDataSync) == 0) return {};
    return inode_.sync((flags() & kOpenSync) == kOpenSync ? SyncKind::Everything : SyncKind::ContentAndSize);
  }

  Inode& inode_;
  char* path_;
  FileType type_;
  bool is_terminal_, is_random_;
  uint64_t position_ = 0;  // of a directory: the cursor of Inode::list
};

// Standard output and standard error: a stream like a pipe to the host, no terminal.
class ConsoleFile final : public OpenFile {
 public:
  ConsoleFile(int flags, LogRing* copy) : OpenFile(flags), copy_(copy) {
    describe_as(mortem::format::FileKind::Console, "pipe:[1]");
  }
  Result<size_t> read(std::span<uint8_t> to) override {
    if (to.empty()) return size_t{0};
    if (!console_has_input()) {
      if (!is_blocking()) return Error::Again;
      if (wait_for([] { return console_has_input(); }, kNoDeadline, kConsolePollNs) == WaitResult::Signal)
        return Error::RestartSystem;
    }
    return console_read({reinterpret_cast<char*>(to.data()), to.size()});
  }
  Result<size_t> write(std::span<const uint8_t> from) override {
    const auto* bytes = reinterpret_cast<const char*>(from.data());
    if (copy_ != nullptr) ring_append(*copy_, bytes, from.size());
    console_write({bytes, from.size()});
    return from.size();
  }
  Result<InodeStatus> status() override {
    InodeStatus status{};
    status.device = 13;  // as Linux's pipefs: an anonymous device
    status.inode = 1;
    status.type = FileType::Fifo;
    status.permissions = 0600;
    status.links = 1;
    return status;
  }
  uint16_t poll_events() override {
    if (!can_read()) return kPollOut;
    return console_has_input() ? kPollIn | kPollOut : kPollOut;
  }
  bool needs_polling() const override { return can_read(); }
  const char* path() const override { return "pipe:[1]"; }

 private:
  LogRing* copy_;
};

}  // namespace

void OpenFile::release() {
  if (--references_ > 0) return;
  forget_interests(*this);
  forget_file_locks(*this);
  destroy(this);
}

InodeStatus anonymous_status() {
  InodeStatus status{};
  status.device = 14;  // as Linux's anon_inodefs: an anonymous device, one inode for all
  status.inode = 1;
  status.type = FileType::Anonymous;
  status.permissions = 0600;
  status.links = 1;
  return status;
}

Result<OpenFile*> make_inode_file(Inode& inode, int flags, const char* path) {
  const InodeStatus status = TRY(inode.status());
  const size_t length = __builtin_strlen(path);
  auto* copy = static_cast<char*>(heap_allocate(length + 1));
  if (copy == nullptr) return Error::NoMemory;
  __builtin_memcpy(copy, path, length);
  auto file = make<InodeFile>(inode, flags, copy, status);
  if (file.is_error()) {
    heap_free(copy);
    return file.error();
  }
  return static_cast<OpenFile*>(file.value());
}

Result<OpenFile*> make_console_file(int flags, LogRing* copy) {
  return static_cast<OpenFile*>(TRY(make<ConsoleFile>(flags, copy)));
}

bool is_zero_device(Inode& inode) {
  auto status = inode.status();
  constexpr uint64_t kZeroDevice = 1 << 8 | 5;
  return status && status.value().type == FileType::CharacterDevice && status.value().device_number == kZeroDevice;
}

}  // namespace kernel::linux
