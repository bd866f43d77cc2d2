#include "kernel/linux/socket_transfer.h"

#include "kernel/linux/app.h"
#include "kernel/linux/signals.h"
#include "kernel/linux/transfer_buffer.h"
#include "kernel/memory/heap.h"
#include "kernel/task/wait.h"

namespace kernel::linux {
namespace {

constexpr size_t kPart = TransferBuffer::kKeptSize;  // of a stream
constexpr size_t kLargestDatagram = 425984;          // as much as a send buffer can be made to hold (net.core.wmem_max)

Result<uint64_t> partial(uint64_t done, Error error) {
  return done > 0 ? Result<uint64_t>(done) : Result<uint64_t>(error);
}

size_t smaller(size_t left, size_t right) {
  return left < right ? left : right;
}

void raise_broken_pipe() {
  SignalInformation information;
  information.signal = kSigPipe;
  information.code = kCodeUser;
  information.sender.process = kProcessId;
  (void)raise_signal(information, &current()).is_error();  // a classic signal: it has its place
}

bool has_news(Socket& socket) {
  return (socket.poll_events() & (kPollIn | kPollError | kPollHangUp | kPollPeerHangUp)) != 0;
}

Result<void> wait_for_input(Socket& socket, uint64_t deadline) {
  return Socket::wait_in_call(
      *socket.wait_queue(), [&socket] { return has_news(socket); }, deadline);
}

Result<uint64_t> receive_parts(Socket& socket, UserVector& to, ReceiveRequest& request) {
  const bool is_stream = socket.type() == kSocketStream;
  const size_t total = to.total();
  size_t part_size = smaller(total, is_stream ? kPart : kLargestDatagram);
  if (!is_stream && part_size > TransferBuffer::kSmall && !socket.waits(request.flags))
    if (auto available = socket.bytes_available()) part_size = smaller(part_size, available.value());
  TransferBuffer buffer(part_size);
  if (buffer.failed()) return Error::NoMemory;
  const int flags = request.flags;
  size_t done = 0;
  while (true) {
    const size_t part = smaller(total - done, part_size);
    auto count = socket.receive(buffer.first(part), request);
    if (count.is_error()) return partial(done, count.error());
    auto copied = to.copy_out(done, buffer.bytes(), count.value());
    if (copied.is_error()) return partial(done, copied.error());
    done += count.value();
    const bool goes_on =
        is_stream && count.value() == part && done < total && (flags & kMessagePeek) == 0 && request.passed.count == 0;
    if (!goes_on) break;
    // What is there already is taken too; only MSG_WAITALL waits for more.
    if ((flags & kMessageWaitAll) == 0) request.flags |= kMessageDontWait;
  }
  if (!is_stream && (flags & kMessageTruncated) != 0) return request.message_length;
  return done;
}

}  // namespace

void release_files(PassedFiles& passed) {
  for (size_t index = 0; index < passed.count; ++index) passed.files[index]->release();
  heap_free(passed.files);
  passed = {};
}

Result<Socket*> open_socket(int descriptor) {
  OpenFile* file = TRY(open_file(descriptor));
  if ((file->flags() & kOpenPath) != 0) return Error::BadDescriptor;
  if (file->kind() != OpenFileKind::Socket) return Error::NotSocket;
  return static_cast<Socket*>(file);
}

Result<uint64_t> send_vector(Socket& socket, UserVector& from, SendRequest& request) {
  const bool is_stream = socket.type() == kSocketStream;
  const size_t total = from.total();
  if (!is_stream && total > kLargestDatagram) return Error::MessageTooLong;
  const size_t part_size = is_stream ? smaller(total, kPart) : total;
  TransferBuffer buffer(part_size);
  if (buffer.failed()) return Error::NoMemory;
  const int flags = request.flags;
  size_t done = 0;
  do {
    const size_t part = smaller(total - done, part_size);
    auto copied = from.copy_in(buffer.bytes(), done, part);
    if (copied.is_error()) return partial(done, copied.error());
    request.flags = done + part < total ? flags | kMessageMore : flags;
    auto sent = socket.send(buffer.first(part), request);
    if (sent.is_error()) {
      if (sent.error() == Error::BrokenPipe && done == 0 && is_stream && (flags & kMessageNoSignal) == 0)
        raise_broken_pipe();
      return partial(done, sent.error());
    }
    request.passed = {};
    done += sent.value();
    if (sent.value() < part) break;
  } while (done < total);
  return done;
}

Result<uint64_t> receive_vector(Socket& socket, UserVector& to, ReceiveRequest& request) {
  const bool wants_all = socket.type() == kSocketStream && (request.flags & kMessageWaitAll) != 0;
  if (to.total() <= TransferBuffer::kSmall || !socket.waits(request.flags) || wants_all ||
      socket.wait_queue() == nullptr)
    return receive_parts(socket, to, request);
  // A thread that waits for bytes holds no buffer of many KiB meanwhile.
  const uint64_t deadline = socket.receive_deadline();
  const int flags = request.flags;
  while (true) {
    request.flags = flags | kMessageDontWait;
    auto result = receive_parts(socket, to, request);
    request.flags = flags;
    if (!result.is_error() || result.error() != Error::Again) return result;
    // Something that only a call which waits is told: that a datagram socket is shut down, for one.
    if (has_news(socket)) return receive_parts(socket, to, request);
    TRY(wait_for_input(socket, deadline));
  }
}

}  // namespace kernel::linux
