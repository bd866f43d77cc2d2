// Bytes and messages through Unix sockets. Errors and their order are Linux's (unix_stream_sendmsg, unix_dgram_sendmsg,
// unix_stream_read_generic, __unix_dgram_recvmsg).
#include "kernel/linux/socket_control.h"
#include "kernel/linux/unix_socket_class.h"
#include "kernel/memory/heap.h"
#include "kernel/task/wait.h"

namespace kernel::linux {
namespace {

constexpr size_t kLargestPiece = 16384;  // of a stream, in one message
constexpr size_t kLongestQueue = 10;     // datagrams from strangers; Linux: net.unix.max_dgram_qlen
constexpr uint32_t kOwnShare = 32;       // of the send buffer, what a datagram cannot have

// While a message is only looked at, its files stay in it and others are given out.
Result<PassedFiles> copy_of(const PassedFiles& passed) {
  PassedFiles copy;
  if (passed.count == 0) return PassedFiles{};
  copy.files = static_cast<OpenFile**>(heap_allocate(passed.count * sizeof(OpenFile*)));
  if (copy.files == nullptr) return Error::NoMemory;
  copy.count = passed.count;
  for (size_t index = 0; index < copy.count; ++index) {
    copy.files[index] = passed.files[index];
    copy.files[index]->retain();
  }
  return PassedFiles(copy);
}

Result<void> hand_on_files(UnixMessage& message, ReceiveRequest& request) {
  if ((request.flags & kMessagePeek) != 0) {
    request.passed = TRY(copy_of(message.passed));
  } else {
    request.passed = message.passed;
    forget_passed(message);
  }
  return {};
}

}  // namespace

Result<size_t> UnixSocket::send(std::span<const uint8_t> bytes, const SendRequest& request) {
  if ((request.flags & kMessageOutOfBand) != 0) return Error::NotSupported;
  return type() == kSocketStream ? send_stream(bytes, request) : send_message(bytes, request);
}

Result<size_t> UnixSocket::receive(std::span<uint8_t> to, ReceiveRequest& request) {
  if ((request.flags & kMessageOutOfBand) != 0) return type() == kSocketStream ? Error::Invalid : Error::NotSupported;
  return type() == kSocketStream ? receive_stream(to, request) : receive_message(to, request);
}

// Until the messages on their way leave room in this socket's send buffer.
Result<void> UnixSocket::wait_for_room(int flags, uint64_t deadline) {
  while (true) {
    TRY(take_error());
    if ((shut_ & kShutWrite) != 0) return Error::BrokenPipe;
    if (has_room()) return {};
    if (!waits(flags)) return Error::Again;
    const auto may_go_on = [this] { return has_room() || error_ != Error{} || (shut_ & kShutWrite) != 0; };
    TRY(wait_in_call(waiters_, may_go_on, deadline));
  }
}

// More bytes of the same stream go into the last message where they fit.
bool UnixSocket::extend_last(std::span<const uint8_t> bytes, const SendRequest& request, UnixSender& from) {
  UnixMessage* last = queue_.last();
  if (last == nullptr || last->sender != &from || request.passed.count + last->passed.count > 0 ||
      last->capacity - last->end < bytes.size())
    return false;
  if (last->credentials.user != request.credentials.user || last->credentials.group != request.credentials.group)
    return false;
  __builtin_memcpy(last->bytes() + last->end, bytes.data(), bytes.size());
  last->end += static_cast<uint32_t>(bytes.size());
  unread_ += bytes.size();
  return true;
}

Result<size_t> UnixSocket::send_stream(std::span<const uint8_t> bytes, const SendRequest& request) {
  if (request.to != nullptr) return state_ == State::Connected ? Error::IsConnected : Error::NotSupported;
  if (state_ != State::Connected) return Error::NotConnected;
  if ((shut_ & kShutWrite) != 0) return Error::BrokenPipe;
  const uint64_t deadline = send_deadline();
  SendRequest rest = request;
  size_t done = 0;
  while (done < bytes.size()) {
    const size_t left = bytes.size() - done;
    const auto piece = bytes.subspan(done, left < kLargestPiece ? left : kLargestPiece);
    auto room = wait_for_room(request.flags, deadline);
    if (room.is_error()) return done > 0 ? Result<size_t>(done) : room.error();
    if (!peer_->extend_last(piece, rest, sender_)) {
      auto message = make_message(sender_, piece, rest);
      if (message.is_error()) return done > 0 ? Result<size_t>(done) : message.error();
      peer_->queue_.append(*message.value());
      peer_->unread_ += piece.size();
    }
    rest.passed = {};
    done += piece.size();
    peer_->waiters_.notify_all(kPollIn);
  }
  release_files(rest.passed);  // no bytes, no message
  return done;
}

bool UnixSocket::is_full_for(const UnixSocket& sender) const {
  return peer_ != &sender && queue_.count() > kLongestQueue;
}

// Who gets the message, when there is room in its queue.
Result<UnixSocket*> UnixSocket::find_target(const SendRequest& request, uint64_t deadline) {
  while (true) {
    UnixSocket* target = peer_;
    if (request.to != nullptr && is_datagram()) {
      target = TRY(UnixNames::find(*request.to, type()));
    } else if (target == nullptr) {
      if (!peer_was_closed_) return Error::NotConnected;
      peer_was_closed_ = false;
      return Error::ConnectionRefused;
    }
    if (is_datagram() && target->peer_ != nullptr && target->peer_ != this) return Error::NotPermitted;
    if ((target->shut_ & kShutRead) != 0) return Error::BrokenPipe;
    if (!is_datagram() || !target->is_full_for(*this)) return target;
    if (!waits(request.flags)) return Error::Again;
    const bool is_named = target != peer_;
    const auto may_go_on = [this, target, is_named] {
      if (is_named ? !UnixNames::is_bound(target) : peer_ != target) return true;
      return !target->is_full_for(*this) || (target->shut_ & kShutRead) != 0;
    };
    TRY(wait_in_call(target->waiters_, may_go_on, deadline));
  }
}

Result<size_t> UnixSocket::send_message(std::span<const uint8_t> bytes, const SendRequest& request) {
  if (!is_datagram()) {
    TRY(take_error());
    if (state_ != State::Connected) return Error::NotConnected;
  } else if (request.to != nullptr) {
    TRY(UnixNames::check(*request.to));
  } else if (peer_ == nullptr && !peer_was_closed_) {
    return Error::NotConnected;
  }
  if (options_.is_on(kOptionPassCredentials)) TRY(UnixNames::bind_automatically(*this));
  if (bytes.size() > static_cast<size_t>(options_.send_buffer) - kOwnShare) return Error::MessageTooLong;
  const uint64_t deadline = send_deadline();
  UnixSocket* target;
  do {
    TRY(wait_for_room(request.flags, deadline));
    target = TRY(find_target(request, deadline));
  } while (!has_room());
  UnixMessage* message = TRY(make_message(sender_, bytes, request));
  target->queue_.append(*message);
  target->unread_ += bytes.size();
  target->waiters_.notify_all(kPollIn);
  return bytes.size();
}

void UnixSocket::describe(UnixMessage& message, ReceiveRequest& request) {
  if (message.sender->name.length > 0) request.from = message.sender->name;
  if (!options_.is_on(kOptionPassCredentials)) return;
  ControlMessage& control = request.control[0];
  control.level = kLevelSocket;
  control.type = kControlCredentials;
  control.length = sizeof message.credentials;
  __builtin_memcpy(control.bytes, &message.credentials, sizeof message.credentials);
  request.control_count = 1;
}

Result<size_t> UnixSocket::receive_stream(std::span<uint8_t> to, ReceiveRequest& request) {
  if (state_ != State::Connected) return Error::Invalid;
  const bool peeks = (request.flags & kMessagePeek) != 0;
  const auto low_water = static_cast<size_t>(options_.receive_low_water);
  const size_t least = (request.flags & kMessageWaitAll) != 0 || low_water > to.size() ? to.size() : low_water;
  const uint64_t deadline = receive_deadline();
  size_t done = 0;
  UnixMessage* message = queue_.first();
  while (done < to.size() || message == nullptr) {
    if (message == nullptr) {
      if (done > 0 && (done >= least || peeks)) break;
      if (error_ != Error{}) {
        if (done > 0) break;
        TRY(take_error());
      }
      if ((shut_ & kShutRead) != 0 || (done > 0 && !waits(request.flags))) break;
      if (!waits(request.flags)) return Error::Again;
      const auto may_go_on = [this] { return queue_.count() > 0 || error_ != Error{} || (shut_ & kShutRead) != 0; };
      auto waited = wait_in_call(waiters_, may_go_on, deadline);
      if (waited.is_error()) {
        if (done > 0) break;
        return waited.error();
      }
      message = queue_.first();
      continue;
    }
    if (done == 0) describe(*message, request);
    const bool passes_files = message->passed.count > 0;
    if (passes_files) {
      auto handed = hand_on_files(*message, request);
      if (handed.is_error()) return done > 0 ? Result<size_t>(done) : handed.error();
    }
    const size_t part = to.size() - done < message->length() ? to.size() - done : message->length();
    __builtin_memcpy(to.data() + done, message->bytes() + message->start, part);
    done += part;
    if (peeks) {
      message = message->next;
    } else {
      message->start += static_cast<uint32_t>(part);
      unread_ -= part;
      if (message->length() == 0) queue_.remove_first();
      message = queue_.first();
    }
    if (passes_files || to.empty()) break;
  }
  return done;
}

Result<size_t> UnixSocket::receive_message(std::span<uint8_t> to, ReceiveRequest& request) {
  if (!is_datagram() && state_ != State::Connected) return Error::NotConnected;
  const uint64_t deadline = receive_deadline();
  while (true) {
    TRY(take_error());
    if (queue_.first() != nullptr) break;
    const bool is_shut = (shut_ & kShutRead) != 0;
    if (is_shut && (waits(request.flags) || !is_datagram())) return size_t{0};
    if (!waits(request.flags)) return Error::Again;
    const auto may_go_on = [this] { return queue_.count() > 0 || error_ != Error{} || (shut_ & kShutRead) != 0; };
    TRY(wait_in_call(waiters_, may_go_on, deadline));
  }
  UnixMessage& message = *queue_.first();
  describe(message, request);
  TRY(hand_on_files(message, request));
  request.message_length = message.length();
  size_t count = message.length();
  if (count > to.size()) {
    count = to.size();
    request.result_flags |= kMessageTruncated;
  }
  __builtin_memcpy(to.data(), message.bytes(), count);
  if ((request.flags & kMessagePeek) != 0) return count;
  const bool was_full = queue_.count() > kLongestQueue;
  unread_ -= message.length();
  queue_.remove_first();
  if (was_full) {
    waiters_.notify_all(kPollOut);
    for (UnixSocket* each = connected_; each != nullptr; each = each->next_connected_)
      each->waiters_.notify_all(kPollOut);
  }
  return count;
}

}  // namespace kernel::linux
