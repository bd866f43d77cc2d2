// What lwIP tells of TCP connections.
#include "kernel/memory/heap.h"
#include "kernel/net/ethernet.h"
#include "kernel/net/lwip/hooks.h"
#include "kernel/net/tcp_socket.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/tcp.h"

namespace kernel::net {

using namespace kernel::linux;

void TcpCallbacks::watch(tcp_pcb& pcb, TcpSocket& socket) {
  tcp_arg(&pcb, &socket);
  tcp_recv(&pcb, received);
  tcp_sent(&pcb, sent);
  tcp_err(&pcb, failed);
}

void TcpCallbacks::watch_listener(tcp_pcb& pcb, TcpSocket& socket) {
  tcp_arg(&pcb, &socket);
  tcp_accept(&pcb, accepted);
}

void TcpCallbacks::leave(tcp_pcb& pcb) {
  tcp_arg(&pcb, nullptr);
  if (pcb.state == LISTEN) {
    tcp_accept(&pcb, nullptr);
    return;
  }
  tcp_recv(&pcb, nullptr);
  tcp_sent(&pcb, nullptr);
  tcp_err(&pcb, nullptr);
}

err_t TcpCallbacks::accepted(void* context, tcp_pcb* pcb, err_t) {
  auto& listener = *static_cast<TcpSocket*>(context);
  if (pcb == nullptr) return ERR_OK;  // there was no memory for it; the client tries again
  auto made = make<TcpSocket>(listener.family(), 0);
  if (made.is_error()) {
    tcp_abort(pcb);
    return ERR_ABRT;
  }
  TcpSocket& connection = *made.value();
  connection.pcb_ = pcb;
  connection.state_ = TcpSocket::State::Connected;
  connection.connect_is_told_ = true;
  connection.options_ = listener.options_;  // socket(7): a connection has the listener's
  connection.no_delay_ = listener.no_delay_;
  connection.keep_idle_ = listener.keep_idle_;
  connection.keep_interval_ = listener.keep_interval_;
  connection.keep_count_ = listener.keep_count_;
  connection.user_timeout_ = listener.user_timeout_;
  connection.syn_count_ = listener.syn_count_;
  connection.apply_options();
  watch(*pcb, connection);
  tcp_backlog_delayed(pcb);
  listener.add_waiting(connection);
  listener.tell(kPollIn);
  return ERR_OK;
}

err_t TcpCallbacks::connected(void* context, tcp_pcb*, err_t) {
  auto& socket = *static_cast<TcpSocket*>(context);
  socket.state_ = TcpSocket::State::Connected;
  socket.tell(kPollOut);
  return ERR_OK;
}

err_t TcpCallbacks::received(void* context, tcp_pcb* pcb, pbuf* bytes, err_t) {
  auto& socket = *static_cast<TcpSocket*>(context);
  if (bytes == nullptr) {
    socket.peer_closed_ = true;
    socket.tell(kPollIn | kPollPeerHangUp | (socket.write_shut_ ? kPollHangUp : 0));
    socket.end_if_both_closed();
    return ERR_OK;
  }
  if (socket.read_shut_) {
    tcp_recved(pcb, bytes->tot_len);
    pbuf_free(bytes);
    return ERR_OK;
  }
  socket.received_.append(move_if_small(bytes));
  socket.tell(kPollIn);
  return ERR_OK;
}

// What comes out of turn is kept too, by lwIP, until what is missing comes.
bool TcpCallbacks::has_room(const tcp_pcb& pcb, uint32_t sequence) {
  if (receive_room() == ReceiveRoom::Enough || pcb.recv != received) return true;
  const size_t kept = static_cast<const TcpSocket*>(pcb.callback_arg)->received_.size();
  return sequence == pcb.rcv_nxt && may_keep_received(kept);
}

extern "C" int lwip_port_tcp_has_room(const tcp_pcb* connection, uint32_t sequence) {
  return TcpCallbacks::has_room(*connection, sequence);
}

err_t TcpCallbacks::sent(void* context, tcp_pcb*, u16_t) {
  auto& socket = *static_cast<TcpSocket*>(context);
  if (socket.lingers_ && !socket.is_closing()) {
    socket.end_if_both_closed();
    socket.tell(kPollHangUp);
    return ERR_OK;
  }
  if (socket.wants_room_ && socket.is_writable()) {
    socket.wants_room_ = false;
    socket.tell(kPollOut);
  }
  return ERR_OK;
}

// lwIP has freed its record.
void TcpCallbacks::failed(void* context, err_t error) {
  auto& socket = *static_cast<TcpSocket*>(context);
  const bool was_connecting = socket.state_ == TcpSocket::State::Connecting;
  socket.pcb_ = nullptr;
  socket.state_ = was_connecting ? TcpSocket::State::Idle : TcpSocket::State::Ended;
  if (error == ERR_RST)
    socket.set_error(was_connecting        ? Error::ConnectionRefused
                     : socket.peer_closed_ ? Error::BrokenPipe
                                           : Error::ConnectionReset);
  else if (error == ERR_RTE)
    socket.set_error(Error::HostUnreachable);
  else if (error != ERR_CLSD)
    socket.set_error(Error::TimedOut);
  socket.read_shut_ = socket.write_shut_ = true;
  socket.tell(kPollIn | kPollOut | kPollError | kPollHangUp | kPollPeerHangUp);
}

TcpOwner TcpCallbacks::owner(const tcp_pcb& pcb) {
  const bool is_watched = pcb.state == LISTEN ? reinterpret_cast<const tcp_pcb_listen&>(pcb).accept == accepted
                                              : pcb.state != TIME_WAIT && pcb.state != SYN_RCVD && pcb.errf == failed;
  const auto* socket = is_watched ? static_cast<const TcpSocket*>(pcb.callback_arg) : nullptr;
  if (socket == nullptr) return {IP_IS_V4_VAL(pcb.local_ip) ? kFamilyInet : kFamilyInet6, 0, 0};
  const bool awaits_accept = socket->socket_summary_.awaits_accept != 0;
  const bool has_end = socket->peer_closed_ && !socket->end_is_told_;
  return {socket->family(), awaits_accept ? 0 : socket->socket_summary_.number,
          socket->received_.size() + (has_end ? 1 : 0)};
}

// As if each other side had sent a reset. Connections from the guest to itself have both their ends here.
void TcpCallbacks::reset_those_to_others() {
  for (tcp_pcb *pcb = tcp_active_pcbs, *next = nullptr; pcb != nullptr; pcb = next) {
    next = pcb->next;
    if (ip_addr_isloopback(&pcb->remote_ip) || ip_addr_cmp(&pcb->remote_ip, &pcb->local_ip)) continue;
    void* const socket = pcb->errf == failed ? pcb->callback_arg : nullptr;
    tcp_err(pcb, nullptr);
    tcp_abandon(pcb, 0);
    if (socket != nullptr) failed(socket, ERR_RST);
  }
}

void reset_connections_to_others() {
  TcpCallbacks::reset_those_to_others();
}

}  // namespace kernel::net
