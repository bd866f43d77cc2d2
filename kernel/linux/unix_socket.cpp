// The life of a Unix socket, and what it says about itself.
#include "kernel/linux/unix_socket.h"

#include <cstddef>

#include "kernel/arch/x86_64/user_access.h"
#include "kernel/library/log.h"
#include "kernel/linux/unix_socket_class.h"
#include "kernel/memory/heap.h"
#include "kernel/net/interfaces.h"

namespace kernel::linux {
namespace {

uint64_t g_next_unix_number = 1;

Result<int> checked_type(int type, int protocol) {
  if (protocol != 0 && protocol != kFamilyUnix) return Error::ProtocolNotSupported;
  switch (type) {
    case kSocketStream:
    case kSocketDatagram:
    case kSocketSequenced:
      return type;
    case kSocketRaw:  // Linux makes a datagram socket of it
      return kSocketDatagram;
    default:
      return Error::SocketTypeNotSupported;
  }
}

}  // namespace

UnixSocket::UnixSocket(int type, int protocol, int flags, UnixSender& sender)
    : Socket(kFamilyUnix, type, protocol, flags), sender_(sender), number_(g_next_unix_number++) {
  sender_.owner = this;
  format_text(path_, sizeof path_, "socket:[%lu]", number_);
  static_assert(sizeof state_ == 1 && offsetof(SocketAddress, length) == 128);
  socket_summary_.number = number_;
  socket_summary_.received = reinterpret_cast<uint64_t>(&unread_);
  socket_summary_.sent = reinterpret_cast<uint64_t>(&sender_.used);
  socket_summary_.unix_state = reinterpret_cast<uint64_t>(&state_);
  socket_summary_.unix_name = reinterpret_cast<uint64_t>(&sender_.name);
  describe_socket(path_, socket_summary_);
}

UnixSocket::~UnixSocket() {
  UnixNames::unbind(*this);
  drop_waiting();
  // A peer that would have been read, or never was accepted, sees a reset (Linux: unix_release_sock).
  const bool was_reset = queue_.count() > 0 || is_waiting_;
  while (connected_ != nullptr) connected_->lose_peer(was_reset);
  set_peer(nullptr);
  sender_.owner = nullptr;
  release_sender(sender_);
}

Result<UnixSocket*> new_unix_socket(int type, int protocol, int flags) {
  UnixSender* sender = TRY(make<UnixSender>());
  auto socket = make<UnixSocket>(type, protocol, flags, *sender);
  if (socket.is_error()) destroy(sender);
  return socket;
}

Result<Socket*> make_unix_socket(int type, int protocol, int flags) {
  return static_cast<Socket*>(TRY(new_unix_socket(TRY(checked_type(type, protocol)), 0, flags)));
}

Result<UnixPair> make_unix_pair(int type, int protocol, int flags) {
  const int checked = TRY(checked_type(type, protocol));
  UnixSocket* first = TRY(new_unix_socket(checked, 0, flags));
  auto second = new_unix_socket(checked, 0, flags);
  if (second.is_error()) {
    first->release();
    return second.error();
  }
  first->join(*second.value());
  return UnixPair{first, second.value()};
}

Result<SocketAddress> UnixSocket::local_address() {
  if (sender_.name.length > 0) return SocketAddress(sender_.name);
  SocketAddress unnamed;
  unnamed.bytes[0] = kFamilyUnix;
  unnamed.length = 2;
  return unnamed;
}

Result<SocketAddress> UnixSocket::peer_address() {
  if (peer_ != nullptr) return peer_->local_address();
  if (peer_name_.length == 0) return Error::NotConnected;
  return SocketAddress(peer_name_);
}

Result<void> UnixSocket::set_option(int level, int name, std::span<const uint8_t> value) {
  if (level != kLevelSocket) return Error::NotSupported;
  return options_.set(name, value);
}

Result<size_t> UnixSocket::get_option(int level, int name, std::span<uint8_t> value) {
  if (level != kLevelSocket) return Error::NotSupported;
  switch (name) {
    case kOptionError: {
      const auto error = static_cast<int32_t>(error_);
      error_ = {};
      return give_number(value, error);
    }
    case kOptionAcceptsConnections:
      return give_number(value, state_ == State::Listening ? 1 : 0);
    case kOptionPeerCredentials: {
      // There is one process: whoever is at the other end is the program itself.
      const bool is_known = state_ != State::Closed || (is_datagram() && peer_ != nullptr && peer_->peer_ == this);
      const Credentials credentials = is_known ? own_credentials() : Credentials{0, ~0u, ~0u};
      return give_option(value, &credentials, sizeof credentials);
    }
    default:
      return options_.get(name, value);
  }
}

Result<uint64_t> UnixSocket::control(uint32_t request, uint64_t user_argument) {
  return net::interface_control(request, user_argument);
}

Result<InodeStatus> UnixSocket::status() {
  constexpr uint64_t kSocketDevice = 8;  // as Linux's sockfs: an anonymous device
  InodeStatus out{};
  out.device = kSocketDevice;
  out.inode = number_;
  out.type = FileType::Socket;
  out.permissions = 0777;
  out.links = 1;
  return out;
}

Result<uint32_t> UnixSocket::bytes_available() {
  if (state_ == State::Listening) return Error::Invalid;
  if (type() == kSocketStream || type() == kSocketSequenced) return static_cast<uint32_t>(queue_.byte_count());
  return queue_.first() == nullptr ? 0u : static_cast<uint32_t>(queue_.first()->length());
}

// Linux: unix_outq_len, the memory that unread messages take.
Result<uint32_t> UnixSocket::bytes_unsent() {
  return static_cast<uint32_t>(sender_.used);
}

// Linux: unix_poll, unix_dgram_poll.
uint16_t UnixSocket::poll_events() {
  unsigned events = 0;
  if (error_ != Error{}) events |= kPollError;
  if (shut_ == kShutAll) events |= kPollHangUp;
  if ((shut_ & kShutRead) != 0) events |= kPollPeerHangUp | kPollIn;
  if (queue_.count() > 0 || first_waiting_ != nullptr) events |= kPollIn;
  if (!is_datagram() && state_ == State::Closed) events |= kPollHangUp;
  const bool is_blocked = is_datagram() && peer_ != nullptr && peer_->is_full_for(*this);
  if (state_ != State::Listening && is_writable() && !is_blocked) events |= kPollOut;
  return static_cast<uint16_t>(events);
}

Result<void> UnixSocket::take_error() {
  const Error error = error_;
  error_ = {};
  return error == Error{} ? Result<void>() : error;
}

Result<void> UnixSocket::shutdown(int how) {
  if (how < kShutdownRead || how > kShutdownBoth) return Error::Invalid;
  const auto mine = static_cast<uint8_t>(how + 1);
  shut_ |= mine;
  waiters_.notify_all();
  if (is_datagram() || peer_ == nullptr) return {};
  peer_->shut_ |=
      static_cast<uint8_t>(((mine & kShutRead) != 0 ? kShutWrite : 0) | ((mine & kShutWrite) != 0 ? kShutRead : 0));
  peer_->waiters_.notify_all();
  return {};
}

}  // namespace kernel::linux
