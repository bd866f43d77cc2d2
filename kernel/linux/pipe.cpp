// pipe(2): 64 KiB of bytes between two open files.
#include "kernel/library/log.h"
#include "kernel/linux/calls.h"
#include "kernel/linux/files.h"
#include "kernel/memory/heap.h"
#include "kernel/task/wait.h"

namespace kernel::linux {
namespace {

constexpr size_t kCapacity = 65536;
constexpr size_t kAtomicSize = 4096;  // PIPE_BUF: such writes go in one piece

struct PipeBuffer {
  uint8_t* bytes = nullptr;
  size_t start = 0, count = 0;
  int readers = 0, writers = 0;
  uint64_t number = 0;
  WaitQueue waiters;  // both ends'
};
uint64_t g_next_pipe = 3;  // 1 is the console, 2 standard input

class PipeEnd final : public OpenFile {
 public:
  PipeEnd(PipeBuffer& buffer, int flags) : OpenFile(flags), buffer_(buffer) {
    ++(can_read() ? buffer_.readers : buffer_.writers);
    format_text(path_, sizeof path_, "pipe:[%lu]", buffer_.number);
    describe_as(mortem::format::FileKind::Pipe, path_);
  }
  ~PipeEnd() override {
    --(can_read() ? buffer_.readers : buffer_.writers);
    buffer_.waiters.notify_all();
    if (buffer_.readers + buffer_.writers > 0) return;
    heap_free(buffer_.bytes);
    destroy(&buffer_);
  }

  Result<size_t> read(std::span<uint8_t> to) override {
    if (to.empty()) return size_t{0};
    if (buffer_.count == 0 && buffer_.writers > 0) {
      if (!is_blocking()) return Error::Again;
      if (wait_on(buffer_.waiters, [this] { return buffer_.count > 0 || buffer_.writers == 0; }) == WaitResult::Signal)
        return Error::RestartSystem;
    }
    const bool was_full = kCapacity - buffer_.count < kAtomicSize;
    size_t done = 0;
    while (done < to.size() && buffer_.count > 0) {
      size_t part = kCapacity - buffer_.start;
      if (part > buffer_.count) part = buffer_.count;
      if (part > to.size() - done) part = to.size() - done;
      __builtin_memcpy(to.data() + done, buffer_.bytes + buffer_.start, part);
      buffer_.start = (buffer_.start + part) % kCapacity;
      buffer_.count -= part;
      done += part;
    }
    if (done > 0 && was_full) buffer_.waiters.notify_all(kPollOut);
    return done;
  }

  Result<size_t> write(std::span<const uint8_t> from) override {
    if (buffer_.readers == 0) return Error::BrokenPipe;
    size_t done = 0;
    while (done < from.size()) {
      // The second part of a small write, behind the end of the buffer, has its room already.
      const size_t needed = done == 0 && from.size() <= kAtomicSize ? from.size() : 1;
      if (kCapacity - buffer_.count < needed) {
        if (!is_blocking()) return done > 0 ? Result<size_t>(done) : Error::Again;
        const WaitResult waited = wait_on(buffer_.waiters, [this, needed] {
          return kCapacity - buffer_.count >= needed || buffer_.readers == 0;
        });
        if (waited == WaitResult::Signal) return done > 0 ? Result<size_t>(done) : Error::RestartSystem;
        if (buffer_.readers == 0) return done > 0 ? Result<size_t>(done) : Error::BrokenPipe;
      }
      const size_t end = (buffer_.start + buffer_.count) % kCapacity;
      size_t part = kCapacity - buffer_.count;
      if (part > kCapacity - end) part = kCapacity - end;
      if (part > from.size() - done) part = from.size() - done;
      __builtin_memcpy(buffer_.bytes + end, from.data() + done, part);
      buffer_.count += part;
      done += part;
      buffer_.waiters.notify_all(kPollIn);
    }
    return done;
  }

  Result<InodeStatus> status() override {
    InodeStatus status{};
    status.device = 13;
    status.inode = buffer_.number;
    status.type = FileType::Fifo;
    status.permissions = 0600;
    status.links = 1;
    return status;
  }

  uint16_t poll_events() override {
    if (can_read())
      return static_cast<uint16_t>((buffer_.count > 0 ? kPollIn : 0) | (buffer_.writers == 0 ? kPollHangUp : 0));
    return static_cast<uint16_t>((kCapacity - buffer_.count >= kAtomicSize ? kPollOut : 0) |
                                 (buffer_.readers == 0 ? kPollError : 0));
  }
  WaitQueue* wait_queue() override { return &buffer_.waiters; }
  const char* path() const override { return path_; }
  Result<uint32_t> bytes_available() override { return static_cast<uint32_t>(buffer_.count); }

 private:
  PipeBuffer& buffer_;
  char path_[32];
};

}  // namespace

Result<Pipe> make_pipe(int flags) {
  PipeBuffer* buffer = TRY(make<PipeBuffer>());
  buffer->bytes = static_cast<uint8_t*>(heap_allocate(kCapacity));
  buffer->number = g_next_pipe++;
  if (buffer->bytes == nullptr) {
    destroy(buffer);
    return Error::NoMemory;
  }
  auto reader = make<PipeEnd>(*buffer, flags | kOpenReadOnly);
  if (reader.is_error()) {
    heap_free(buffer->bytes);
    destroy(buffer);
    return reader.error();
  }
  auto writer = make<PipeEnd>(*buffer, flags | kOpenWriteOnly);
  if (writer.is_error()) {
    reader.value()->release();
    return writer.error();
  }
  return Pipe{reader.value(), writer.value()};
}

namespace {

Result<uint64_t> open_pipe(uint64_t user_descriptors, int flags) {
  if ((flags & ~(kOpenCloseOnExec | kOpenNonBlock | kOpenDirect)) != 0) return Error::Invalid;
  const Pipe pipe = TRY(make_pipe(flags & ~kOpenCloseOnExec));
  const bool close_on_exec = (flags & kOpenCloseOnExec) != 0;
  auto reader = install(pipe.read_end, close_on_exec);
  if (reader.is_error()) {
    pipe.write_end->release();
    return reader.error();
  }
  auto writer = install(pipe.write_end, close_on_exec);
  int32_t pair[2] = {static_cast<int32_t>(reader.value()), 0};
  Error error = Error::Fault;
  if (writer) {
    pair[1] = static_cast<int32_t>(writer.value());
    if (copy_to_user(user_descriptors, pair, sizeof pair)) return 0;
    TRY(close_descriptor(pair[1]));
  } else {
    error = writer.error();
  }
  TRY(close_descriptor(pair[0]));
  return error;
}

}  // namespace

MORTEM_CALL(pipe) {
  return open_pipe(argument[0], 0);
}
MORTEM_CALL(pipe2) {
  return open_pipe(argument[0], argument.number(1));
}

}  // namespace kernel::linux
