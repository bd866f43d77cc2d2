// read, write and their kin: bytes go through a kernel buffer, because file systems and devices know no user memory.
#include "kernel/linux/calls.h"
#include "kernel/linux/files.h"
#include "kernel/linux/io_counts.h"
#include "kernel/linux/signals.h"
#include "kernel/linux/socket_transfer.h"
#include "kernel/memory/heap.h"
#include "kernel/task/scheduler.h"

namespace kernel::linux {
namespace {

constexpr uint64_t kNoOffset = ~uint64_t{0};
constexpr size_t kChunk = 65536;

class Buffer {
 public:
  explicit Buffer(size_t size) : size_(size), memory_(size <= sizeof small_ ? small_ : heap_allocate(size)) {}
  ~Buffer() {
    if (memory_ != small_) heap_free(memory_);
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  bool failed() const { return memory_ == nullptr; }
  uint8_t* bytes() { return static_cast<uint8_t*>(memory_); }
  size_t size() const { return size_; }

 private:
  size_t size_;
  uint8_t small_[1024];
  void* memory_;
};

// A part was transferred: that is the result, the error comes with the next call.
Result<uint64_t> partial(uint64_t done, Error error) {
  return done > 0 ? Result<uint64_t>(done) : Result<uint64_t>(error);
}

Result<uint64_t> read_into(OpenFile& file, const UserBuffer& to, uint64_t offset) {
  if (to.length > 0 && (to.address >= kUserEnd || to.length > kUserEnd - to.address)) return Error::Fault;
  Buffer buffer(to.length < kChunk ? to.length : kChunk);
  if (buffer.failed()) return Error::NoMemory;
  uint64_t done = 0;
  do {
    const size_t wanted = to.length - done < buffer.size() ? to.length - done : buffer.size();
    auto count = offset == kNoOffset ? file.read({buffer.bytes(), wanted})
                                     : file.read_at(offset + done, {buffer.bytes(), wanted});
    if (count.is_error()) return partial(done, count.error());
    auto copied = copy_to_user(to.address + done, buffer.bytes(), count.value());
    if (copied.is_error()) return partial(done, copied.error());
    done += count.value();
    // Only a file of a file system is asked again: a pipe or a device would wait.
    if (count.value() < wanted || file.inode() == nullptr || file.needs_polling()) break;
    give_way();
  } while (done < to.length);
  return done;
}

Result<uint64_t> write_from(OpenFile& file, const UserBuffer& from, uint64_t offset) {
  if (from.length > 0 && (from.address >= kUserEnd || from.length > kUserEnd - from.address)) return Error::Fault;
  Buffer buffer(from.length < kChunk ? from.length : kChunk);
  if (buffer.failed()) return Error::NoMemory;
  uint64_t done = 0;
  do {
    const size_t part = from.length - done < buffer.size() ? from.length - done : buffer.size();
    auto copied = copy_from_user(buffer.bytes(), from.address + done, part);
    if (copied.is_error()) return partial(done, copied.error());
    auto count =
        offset == kNoOffset ? file.write({buffer.bytes(), part}) : file.write_at(offset + done, {buffer.bytes(), part});
    if (count.is_error()) {
      if (count.error() == Error::BrokenPipe) raise_signal(kSigPipe, kCodeUser);
      return partial(done, count.error());
    }
    done += count.value();
    if (count.value() < part) break;
    give_way();
  } while (done < from.length);
  return done;
}

enum class Direction : uint8_t { Read, Write };

Result<OpenFile*> file_for(int descriptor, Direction direction) {
  OpenFile* file = TRY(open_file(descriptor));
  if (direction == Direction::Read ? !file->can_read() : !file->can_write()) return Error::BadDescriptor;
  return file;
}

// All the buffers of a call are one message, or one piece of the stream.
Result<uint64_t> transfer_socket(Socket& socket, UserVector& vector, Direction direction) {
  const HeldFile held(socket);
  if (direction == Direction::Write) {
    SendRequest request;
    return send_vector(socket, vector, request);
  }
  if (vector.total() == 0) return 0;  // read(2): nothing is waited for
  ReceiveRequest request;
  auto count = receive_vector(socket, vector, request);
  release_files(request.passed);
  return count;
}

Result<uint64_t> transfer(int descriptor, UserBuffer buffer, uint64_t offset, Direction direction) {
  OpenFile* file = TRY(file_for(descriptor, direction));
  if (static_cast<int64_t>(buffer.length) < 0 || (offset != kNoOffset && static_cast<int64_t>(offset) < 0))
    return Error::Invalid;
  if (buffer.length > kMaximumTransfer) buffer.length = kMaximumTransfer;
  if (file->kind() == OpenFileKind::Socket) {
    if (offset != kNoOffset) return Error::IllegalSeek;
    UserVector vector;
    TRY(vector.set(buffer.address, buffer.length));
    return transfer_socket(static_cast<Socket&>(*file), vector, direction);
  }
  file->retain();  // a signal handler may close the descriptor while the call waits
  auto result = direction == Direction::Read ? read_into(*file, buffer, offset) : write_from(*file, buffer, offset);
  file->release();
  return result;
}

Result<uint64_t> transfer_vector(int descriptor, uint64_t vector, uint64_t count, uint64_t offset,
                                 Direction direction) {
  OpenFile* file = TRY(file_for(descriptor, direction));
  if (count > kMaximumVectors) return Error::Invalid;
  if (file->kind() == OpenFileKind::Socket) {
    if (offset != kNoOffset) return Error::IllegalSeek;
    UserVector buffers;
    TRY(buffers.read(vector, count));
    return transfer_socket(static_cast<Socket&>(*file), buffers, direction);
  }
  uint64_t total = 0;
  for (uint64_t index = 0; index < count; ++index) {
    auto buffer = read_user<UserBuffer>(vector + index * sizeof(UserBuffer));
    if (buffer.is_error()) return partial(total, buffer.error());
    if (buffer.value().length == 0) continue;
    auto done = transfer(descriptor, buffer.value(), offset == kNoOffset ? offset : offset + total, direction);
    if (done.is_error()) return partial(total, done.error());
    total += done.value();
    if (done.value() < buffer.value().length) break;
  }
  return total;
}

// As Linux counts: an error is a call, too, once the file is found.
Result<uint64_t> counted(Direction direction, Result<uint64_t> result) {
  const bool reads = direction == Direction::Read;
  if (result.is_error() && result.error() == Error::BadDescriptor) return result;
  ++(reads ? g_io_counts.reads : g_io_counts.writes);
  if (!result.is_error()) (reads ? g_io_counts.bytes_read : g_io_counts.bytes_written) += result.value();
  return result;
}
Result<uint64_t> call_transfer(int descriptor, UserBuffer buffer, uint64_t offset, Direction direction) {
  return counted(direction, transfer(descriptor, buffer, offset, direction));
}
Result<uint64_t> call_transfer_vector(int descriptor, uint64_t vector, uint64_t count, uint64_t offset,
                                      Direction direction) {
  return counted(direction, transfer_vector(descriptor, vector, count, offset, direction));
}

}  // namespace

MORTEM_CALL(read) {
  return call_transfer(argument.number(0), {argument[1], argument[2]}, kNoOffset, Direction::Read);
}
MORTEM_CALL(write) {
  return call_transfer(argument.number(0), {argument[1], argument[2]}, kNoOffset, Direction::Write);
}
MORTEM_CALL(pread64) {
  if (static_cast<int64_t>(argument[3]) < 0) return Error::Invalid;
  return call_transfer(argument.number(0), {argument[1], argument[2]}, argument[3], Direction::Read);
}
MORTEM_CALL(pwrite64) {
  if (static_cast<int64_t>(argument[3]) < 0) return Error::Invalid;
  return call_transfer(argument.number(0), {argument[1], argument[2]}, argument[3], Direction::Write);
}
MORTEM_CALL(readv) {
  return call_transfer_vector(argument.number(0), argument[1], argument[2], kNoOffset, Direction::Read);
}
MORTEM_CALL(writev) {
  return call_transfer_vector(argument.number(0), argument[1], argument[2], kNoOffset, Direction::Write);
}
MORTEM_CALL(preadv) {
  if (static_cast<int64_t>(argument[3]) < 0) return Error::Invalid;
  return call_transfer_vector(argument.number(0), argument[1], argument[2], argument[3], Direction::Read);
}
MORTEM_CALL(pwritev) {
  if (static_cast<int64_t>(argument[3]) < 0) return Error::Invalid;
  return call_transfer_vector(argument.number(0), argument[1], argument[2], argument[3], Direction::Write);
}

namespace {

// Offset -1: the file's own position. Of the flags one is known; of others preadv2(2) says EOPNOTSUPP.
Result<uint64_t> transfer_vector_with_flags(const Arguments& argument, Direction direction) {
  constexpr uint64_t kAppend = 0x10;  // RWF_APPEND
  const bool appends = direction == Direction::Write && argument[5] == kAppend;
  if (argument[5] != 0 && !appends) return Error::NotSupported;
  uint64_t offset = argument[3];
  if (static_cast<int64_t>(offset) < -1) return Error::Invalid;
  OpenFile* const file = TRY(open_file(argument.number(0)));
  if (appends && file->inode() != nullptr) {
    constexpr int kFromEnd = 2;  // SEEK_END
    if (offset == kNoOffset)
      TRY(file->seek(0, kFromEnd));
    else
      offset = TRY(file->status()).size;
  }
  return call_transfer_vector(argument.number(0), argument[1], argument[2], offset, direction);
}
static_assert(kNoOffset == ~uint64_t{0});

}  // namespace

MORTEM_CALL(preadv2) {
  return transfer_vector_with_flags(argument, Direction::Read);
}
MORTEM_CALL(pwritev2) {
  return transfer_vector_with_flags(argument, Direction::Write);
}

MORTEM_CALL(lseek) {
  return TRY(open_file(argument.number(0)))->seek(static_cast<int64_t>(argument[1]), argument.number(2));
}

}  // namespace kernel::linux
