// Who is connected to whom among Unix sockets.
#include "kernel/linux/unix_socket_class.h"
#include "kernel/task/wait.h"

namespace kernel::linux {

void UnixSocket::set_peer(UnixSocket* peer) {
  if (peer_ != nullptr) {
    (previous_connected_ != nullptr ? previous_connected_->next_connected_ : peer_->connected_) = next_connected_;
    if (next_connected_ != nullptr) next_connected_->previous_connected_ = previous_connected_;
    next_connected_ = previous_connected_ = nullptr;
  }
  peer_ = peer;
  if (peer == nullptr) return;
  next_connected_ = peer->connected_;
  if (peer->connected_ != nullptr) peer->connected_->previous_connected_ = this;
  peer->connected_ = this;
}

void UnixSocket::join(UnixSocket& other) {
  set_peer(&other);
  other.set_peer(this);
  if (is_datagram()) return;
  state_ = other.state_ = State::Connected;
}

// The peer is going.
void UnixSocket::lose_peer(bool was_reset) {
  if (is_datagram()) {
    peer_was_closed_ = true;
  } else {
    if (auto name = peer_->local_address()) peer_name_ = name.value();
    shut_ = kShutAll;
    if (was_reset) error_ = Error::ConnectionReset;
  }
  set_peer(nullptr);
  waiters_.notify_all();
}

void UnixSocket::drop_waiting() {
  while (first_waiting_ != nullptr) {
    UnixSocket* waiting = first_waiting_;
    first_waiting_ = waiting->next_waiting_;
    waiting->release();
  }
  last_waiting_ = nullptr;
  waiting_count_ = 0;
}

Result<void> UnixSocket::bind(const SocketAddress& address) {
  return UnixNames::bind(*this, address);
}

Result<void> UnixSocket::listen(int backlog) {
  if (is_datagram()) return Error::NotSupported;
  if (sender_.name.length == 0 || state_ == State::Connected) return Error::Invalid;
  state_ = State::Listening;
  backlog_ = backlog;
  waiters_.notify_all(kPollOut);
  return {};
}

Result<void> UnixSocket::connect_datagram(const SocketAddress& address) {
  UnixSocket* peer = nullptr;
  if (address.length < 2) return Error::Invalid;
  if (address.family() != kFamilyUnspecified) {
    TRY(UnixNames::check(address));
    if (options_.is_on(kOptionPassCredentials)) TRY(UnixNames::bind_automatically(*this));
    peer = TRY(UnixNames::find(address, type()));
    if (peer->peer_ != nullptr && peer->peer_ != this) return Error::NotPermitted;
  }
  if (peer_ != nullptr && peer != peer_)  // what the old peer sent is not the new one's
    while (queue_.count() > 0) queue_.remove_first();
  set_peer(peer);
  peer_was_closed_ = false;
  waiters_.notify_all();
  return {};
}

// One that listens and has room. It is looked for again after each wait: it may be closed meanwhile.
Result<UnixSocket*> UnixSocket::find_listener(const SocketAddress& address, uint64_t deadline) {
  while (true) {
    UnixSocket* listener = TRY(UnixNames::find(address, type()));
    if (listener->state_ != State::Listening || (listener->shut_ & kShutRead) != 0) return Error::ConnectionRefused;
    if (listener->accepts_more()) return listener;
    if (!is_blocking()) return Error::Again;
    const auto may_go_on = [listener] {
      return !UnixNames::is_bound(listener) || listener->accepts_more() || (listener->shut_ & kShutRead) != 0;
    };
    TRY(wait_in_call(listener->waiters_, may_go_on, deadline));
  }
}

Result<void> UnixSocket::connect_stream(const SocketAddress& address) {
  TRY(UnixNames::check(address));
  if (options_.is_on(kOptionPassCredentials)) TRY(UnixNames::bind_automatically(*this));
  UnixSocket* listener = TRY(find_listener(address, send_deadline()));
  if (state_ == State::Connected) return Error::IsConnected;
  if (state_ == State::Listening) return Error::Invalid;
  UnixSocket* other = TRY(new_unix_socket(type(), 0, 0));
  other->sender_.name = listener->sender_.name;  // what getsockname shows; nobody finds it by this name
  other->options_ = listener->options_;
  join(*other);
  other->is_waiting_ = true;
  (listener->last_waiting_ != nullptr ? listener->last_waiting_->next_waiting_ : listener->first_waiting_) = other;
  listener->last_waiting_ = other;
  ++listener->waiting_count_;
  listener->waiters_.notify_all(kPollIn);
  waiters_.notify_all(kPollOut);
  return {};
}

Result<void> UnixSocket::connect(const SocketAddress& address) {
  return is_datagram() ? connect_datagram(address) : connect_stream(address);
}

Result<Socket*> UnixSocket::accept(int flags, SocketAddress& peer) {
  if (is_datagram()) return Error::NotSupported;
  if (state_ != State::Listening) return Error::Invalid;
  const uint64_t deadline = receive_deadline();
  while (first_waiting_ == nullptr) {
    if ((shut_ & kShutRead) != 0) return Error::Invalid;
    if (!is_blocking()) return Error::Again;
    TRY(wait_in_call(
        waiters_, [this] { return first_waiting_ != nullptr || (shut_ & kShutRead) != 0; }, deadline));
  }
  UnixSocket* accepted = first_waiting_;
  first_waiting_ = accepted->next_waiting_;
  if (first_waiting_ == nullptr) last_waiting_ = nullptr;
  accepted->next_waiting_ = nullptr;
  accepted->is_waiting_ = false;
  --waiting_count_;
  waiters_.notify_all(kPollOut);  // for those who wait to connect
  accepted->set_status_flags(flags);
  auto name = accepted->peer_address();
  if (name) peer = name.value();
  return static_cast<Socket*>(accepted);
}

}  // namespace kernel::linux
