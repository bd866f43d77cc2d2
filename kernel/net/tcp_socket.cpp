#include "kernel/net/tcp_socket.h"

#include "kernel/memory/heap.h"
#include "kernel/net/network.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/tcp.h"

namespace kernel::net {

using namespace kernel::linux;

namespace {

constexpr int kProtocolTcp = 6;

}  // namespace

TcpSocket::TcpSocket(int family, int flags) : InetSocket(family, kSocketStream, kProtocolTcp, flags) {
  socket_summary_.record = reinterpret_cast<uint64_t>(&pcb_);
  socket_summary_.received = reinterpret_cast<uint64_t>(received_.size_counter());
}

TcpSocket::~TcpSocket() {
  const NetworkScope scope;
  while (TcpSocket* connection = take_waiting()) {
    if (tcp_pcb* pcb = connection->pcb_) {
      connection->let_go();
      tcp_abort(pcb);
    }
    connection->release();
  }
  close_connection();
}

void TcpSocket::close_connection() {
  if (pcb_ == nullptr) return;
  tcp_pcb& pcb = *pcb_;
  const bool resets = state_ == State::Connected && options_.linger_on != 0 && options_.linger_seconds == 0;
  let_go();
  if (resets || tcp_close(&pcb) != ERR_OK) tcp_abort(&pcb);
}

bool TcpSocket::is_closing() const {
  return pcb_ != nullptr && (pcb_->state == FIN_WAIT_1 || pcb_->state == CLOSING || pcb_->state == LAST_ACK ||
                             (pcb_->flags & TF_CLOSEPEND) != 0);
}

// socket(7). What was not read makes the close a reset, which waits for nothing.
void TcpSocket::linger() {
  const int seconds = options_.linger_seconds;
  if (options_.linger_on == 0 || seconds <= 0 || state_ != State::Connected || received_.size() > 0) return;
  lingers_ = true;
  if (!write_shut_ && pcb_ != nullptr) {
    const NetworkScope scope;
    write_shut_ = true;
    tcp_shutdown(pcb_, 0, 1);
  }
  wait_on(
      waiters_, [this] { return !is_closing(); }, monotonic_ns() + static_cast<uint64_t>(seconds) * 1'000'000'000);
  lingers_ = false;
}

Result<void> TcpSocket::need_pcb() {
  if (pcb_ != nullptr) return {};
  pcb_ = tcp_new_ip_type(lwip_type());
  if (pcb_ == nullptr) return Error::NoBuffers;
  TcpCallbacks::watch(*pcb_, *this);
  apply_options();
  return {};
}

void TcpSocket::let_go() {
  TcpCallbacks::leave(*pcb_);
  pcb_ = nullptr;
}

void TcpSocket::keep_names() {
  local_ = {pcb_->local_ip, pcb_->local_port};
  peer_ = {pcb_->remote_ip, pcb_->remote_port};
}

void TcpSocket::end_if_both_closed() {
  if (!peer_closed_ || !write_shut_ || pcb_ == nullptr || (lingers_ && is_closing())) return;
  // lwIP frees a record in TIME_WAIT without a word.
  let_go();
  state_ = State::Ended;
}

void TcpSocket::apply_options() {
  if (pcb_ == nullptr) return;
  const bool had_keepalive = ip_get_option(pcb_, SOF_KEEPALIVE);
  apply_to(*pcb_);
  if (state_ == State::Listening) {  // a smaller record: what follows is its connections'
    reinterpret_cast<tcp_pcb_listen*>(pcb_)->syn_count = syn_count_;
    return;
  }
  pcb_->syn_count = syn_count_;
  if (!had_keepalive && ip_get_option(pcb_, SOF_KEEPALIVE)) {
    pcb_->keep_since = tcp_ticks;
    pcb_->keep_cnt_sent = 0;
  }
  if (no_delay_)
    tcp_nagle_disable(pcb_);
  else
    tcp_nagle_enable(pcb_);
  pcb_->keep_idle = static_cast<u32_t>(keep_idle_) * 1000;
  pcb_->keep_intvl = static_cast<u32_t>(keep_interval_) * 1000;
  pcb_->keep_cnt = static_cast<u32_t>(keep_count_);
  pcb_->user_timeout = static_cast<u32_t>(user_timeout_);
  lwip_port_tcp_is_busy(pcb_);  // its times may be shorter now than those it rests for
}

bool TcpSocket::is_bound() const {
  return state_ != State::Idle || local_.port != 0;
}

Result<void> TcpSocket::bind(const SocketAddress& address) {
  const Endpoint wanted = TRY(endpoint_of(address, family(), is_both()));
  if (!is_local_address(wanted.address)) return Error::AddressNotAvailable;
  if (is_bound()) return Error::Invalid;
  const NetworkScope scope;
  TRY(need_pcb());
  // An IPv6 socket that is bound to an IPv4 address is an IPv4 one from then on.
  IP_SET_TYPE_VAL(pcb_->local_ip, lwip_type());
  IP_SET_TYPE_VAL(pcb_->remote_ip, lwip_type());
  if (const err_t error = tcp_bind(pcb_, &wanted.address, wanted.port); error != ERR_OK) return error_of(error);
  keep_names();
  return {};
}

Result<void> TcpSocket::connected_result() {
  switch (state_) {
    case State::Connecting:
      return Error::InProgress;
    case State::Connected:
      connect_is_told_ = true;
      return {};
    default:
      // The socket is a fresh one again.
      peer_closed_ = read_shut_ = write_shut_ = end_is_told_ = false;
      return has_error() ? take_error() : Error::ConnectionAborted;
  }
}

Result<void> TcpSocket::connect(const SocketAddress& address) {
  if (address.family() == kFamilyUnspecified && address.length >= 2) {  // connect(2): the association is dissolved
    const NetworkScope scope;
    if (pcb_ != nullptr && state_ != State::Listening && state_ != State::Idle) {
      tcp_pcb* pcb = pcb_;
      let_go();
      tcp_abort(pcb);
    }
    if (state_ != State::Listening) state_ = State::Idle;
    return {};
  }
  if (state_ == State::Idle && has_error()) return connected_result();  // of the last try
  switch (state_) {
    case State::Idle:
      break;
    case State::Connecting:
      if (!is_blocking()) return Error::Already;
      break;
    case State::Connected:
      if (connect_is_told_) return Error::IsConnected;
      return connected_result();
    case State::Listening:
    case State::Ended:
      return Error::IsConnected;
  }
  if (state_ == State::Idle) {
    Endpoint to = TRY(endpoint_of(address, family(), false));
    if (family() == kFamilyInet6 && only_inet6() && IP_IS_V4_VAL(to.address)) return Error::NetworkUnreachable;
    if (ip_addr_isany_val(to.address)) ip_addr_set_loopback(IP_IS_V6_VAL(to.address), &to.address);
    if (ip_addr_ismulticast(&to.address)) return Error::NetworkUnreachable;
    const NetworkScope scope;
    TRY(need_pcb());
    peer_closed_ = read_shut_ = write_shut_ = connect_is_told_ = end_is_told_ = false;
    state_ = State::Connecting;
    if (const err_t error = tcp_connect(pcb_, &to.address, to.port, TcpCallbacks::connected); error != ERR_OK) {
      state_ = State::Idle;
      return error == ERR_USE ? Error::AddressNotAvailable : error_of(error);
    }
    keep_names();
    if (!is_blocking()) return Error::InProgress;  // also where a listener of our own is about to answer
  }
  if (state_ == State::Connecting) {
    const uint64_t deadline = send_deadline();
    auto waited = wait_in_call(
        waiters_, [this] { return state_ != State::Connecting; }, deadline);
    if (waited.is_error() && waited.error() != Error::Again) return waited.error();
  }
  return connected_result();
}

Result<void> TcpSocket::listen(int backlog) {
  if (state_ != State::Idle && state_ != State::Listening) return Error::Invalid;
  // listen(2) leaves it open how the number is understood; Linux's queue holds one more.
  const auto most = static_cast<u16_t>((backlog < 0 || backlog > 4096 ? 4096 : backlog) + 1);
  const NetworkScope scope;
  if (state_ == State::Listening) {
    tcp_backlog_set(pcb_, most);
    return {};
  }
  TRY(need_pcb());
  if (pcb_->local_port == 0) {
    const ip_addr_t any = family() == kFamilyInet ? *IP4_ADDR_ANY : (is_both() ? *IP_ANY_TYPE : *IP6_ADDR_ANY);
    if (const err_t error = tcp_bind(pcb_, &any, 0); error != ERR_OK) return error_of(error);
  }
  err_t error = ERR_OK;
  tcp_pcb* listener = tcp_listen_with_backlog_and_err(pcb_, most, &error);
  if (listener == nullptr) return error_of(error);  // the record is still the old one
  pcb_ = listener;
  state_ = State::Listening;
  TcpCallbacks::watch_listener(*pcb_, *this);
  apply_options();
  local_ = {pcb_->local_ip, pcb_->local_port};
  return {};
}

void TcpSocket::add_waiting(TcpSocket& connection) {
  connection.keep_names();
  connection.socket_summary_.awaits_accept = 1;
  (last_waiting_ != nullptr ? last_waiting_->next_waiting_ : first_waiting_) = &connection;
  last_waiting_ = &connection;
}

TcpSocket* TcpSocket::take_waiting() {
  TcpSocket* connection = first_waiting_;
  if (connection == nullptr) return nullptr;
  first_waiting_ = connection->next_waiting_;
  if (first_waiting_ == nullptr) last_waiting_ = nullptr;
  connection->next_waiting_ = nullptr;
  connection->socket_summary_.awaits_accept = 0;
  if (connection->pcb_ != nullptr) tcp_backlog_accepted(connection->pcb_);
  return connection;
}

Result<Socket*> TcpSocket::accept(int flags, SocketAddress& peer) {
  if (state_ != State::Listening) return Error::Invalid;
  if (first_waiting_ == nullptr) {
    if (!is_blocking()) return Error::Again;
    const uint64_t deadline = receive_deadline();
    TRY(wait_in_call(
        waiters_, [this] { return first_waiting_ != nullptr || state_ != State::Listening; }, deadline));
    if (first_waiting_ == nullptr) return Error::Invalid;  // shut down meanwhile
  }
  TcpSocket* connection = take_waiting();
  connection->set_status_flags(flags);
  peer = socket_address_of(connection->peer_.address, connection->peer_.port, family());
  return static_cast<Socket*>(connection);
}

Result<void> TcpSocket::shutdown(int how) {
  if (how < kShutdownRead || how > kShutdownBoth) return Error::Invalid;
  const NetworkScope scope;
  if (state_ == State::Listening) {
    if (how == kShutdownWrite) return {};
    // Linux: the socket does not listen any more, and whoever waits in accept() is told.
    tcp_pcb* pcb = pcb_;
    let_go();
    tcp_close(pcb);
    state_ = State::Idle;
    tell(kPollIn | kPollHangUp);
    return {};
  }
  if (state_ == State::Idle || state_ == State::Connecting) return Error::NotConnected;
  if (state_ == State::Ended && has_error()) return Error::NotConnected;
  if (how != kShutdownWrite) read_shut_ = true;
  if (how != kShutdownRead && !write_shut_) {
    write_shut_ = true;
    if (pcb_ != nullptr) tcp_shutdown(pcb_, 0, 1);
    end_if_both_closed();
  }
  tell(kPollIn | kPollOut | kPollPeerHangUp | kPollHangUp);
  return {};
}

Result<SocketAddress> TcpSocket::local_address() {
  return socket_address_of(local_.address, local_.port, family());
}

Result<SocketAddress> TcpSocket::peer_address() {
  if (state_ != State::Connected) return Error::NotConnected;
  return socket_address_of(peer_.address, peer_.port, family());
}

uint16_t TcpSocket::poll_events() {
  uint16_t events = has_error() ? kPollError : 0;
  if (state_ == State::Listening) return first_waiting_ != nullptr ? kPollIn : 0;
  if (state_ == State::Connecting) return events;
  const bool never_connected = state_ == State::Idle;
  const bool no_more_input = peer_closed_ || read_shut_;
  if (never_connected || (no_more_input && write_shut_)) events |= kPollHangUp;
  if (no_more_input) events |= kPollIn | kPollPeerHangUp;
  if (received_.size() > 0) events |= kPollIn;
  if (never_connected || write_shut_ || is_writable())
    events |= kPollOut;
  else
    wants_room_ = true;
  return events;
}

// What the other side has not acknowledged (tcp(7)).
Result<uint32_t> TcpSocket::bytes_unsent() {
  if (state_ == State::Listening) return Error::Invalid;
  return pcb_ != nullptr && state_ != State::Connecting ? pcb_->snd_lbb - pcb_->lastack : 0u;
}

Result<uint32_t> TcpSocket::bytes_available() {
  if (state_ == State::Listening) return Error::Invalid;
  return static_cast<uint32_t>(received_.size());
}

Result<Socket*> make_tcp_socket(int family, int flags) {
  return static_cast<Socket*>(TRY(make<TcpSocket>(family, flags)));
}

}  // namespace kernel::net
