#include "kernel/net/udp_socket.h"

#include "kernel/linux/socket_control.h"
#include "kernel/memory/heap.h"
#include "kernel/net/ethernet.h"
#include "kernel/net/network.h"
#include "lwip/udp.h"

namespace kernel::net {

using namespace kernel::linux;

namespace {

constexpr int kProtocolUdp = 17;
constexpr size_t kDatagramCost = 256;        // what one takes of SO_RCVBUF beside its bytes
constexpr size_t kLongest = 65535 - 20 - 8;  // of IPv4, the header's length field
constexpr size_t kLongest6 = 65535 - 8;

}  // namespace

UdpSocket::UdpSocket(int family, int flags) : InetSocket(family, kSocketDatagram, kProtocolUdp, flags) {
  socket_summary_.record = reinterpret_cast<uint64_t>(&pcb_);
  socket_summary_.received = reinterpret_cast<uint64_t>(&unread_);
}

UdpSocket::~UdpSocket() {
  const NetworkScope scope;
  if (pcb_ != nullptr) udp_remove(pcb_);
  while (first_ != nullptr) drop_first();
}

Result<void> UdpSocket::need_pcb() {
  if (pcb_ != nullptr) return {};
  pcb_ = udp_new_ip_type(lwip_type());
  if (pcb_ == nullptr) return Error::NoBuffers;
  udp_recv(pcb_, received, this);
  apply_options();
  return {};
}

void UdpSocket::apply_options() {
  if (pcb_ != nullptr) apply_to(*pcb_);
}

void UdpSocket::received(void* context, udp_pcb*, pbuf* bytes, const ip_addr_t* from, uint16_t port) {
  auto& socket = *static_cast<UdpSocket*>(context);
  const size_t cost = bytes->tot_len + kDatagramCost;
  const bool has_room =
      socket.queued_ + cost <= static_cast<size_t>(socket.options_.receive_buffer) && may_keep_received(socket.queued_);
  auto datagram = has_room ? make<Datagram>() : Result<Datagram*>(Error::NoBuffers);
  if (datagram.is_error()) {
    pbuf_free(bytes);
    return;
  }
  *datagram.value() = {
      move_if_small(bytes), {*from, port}, *ip_current_dest_addr(), netif_get_index(ip_current_input_netif()), nullptr};
  (socket.last_ != nullptr ? socket.last_->next : socket.first_) = datagram.value();
  socket.last_ = datagram.value();
  socket.queued_ += cost;
  socket.unread_ += bytes->tot_len;
  socket.tell(kPollIn);
}

void UdpSocket::drop_first() {
  Datagram* gone = first_;
  first_ = gone->next;
  if (first_ == nullptr) last_ = nullptr;
  queued_ -= gone->bytes->tot_len + kDatagramCost;
  unread_ -= gone->bytes->tot_len;
  pbuf_free(gone->bytes);
  destroy(gone);
}

UdpSocket* UdpSocket::of(const udp_pcb& pcb) {
  return pcb.recv == received ? static_cast<UdpSocket*>(pcb.recv_arg) : nullptr;
}

void UdpSocket::report(Error error) {
  if (!connected_) return;
  set_error(error);
  tell(kPollError | kPollIn | kPollOut);
}

Result<void> UdpSocket::bind(const SocketAddress& address) {
  const Endpoint wanted = TRY(endpoint_of(address, family(), is_both()));
  const bool is_group = ip_addr_ismulticast(&wanted.address) ||
                        (IP_IS_V4_VAL(wanted.address) && ip_2_ip4(&wanted.address)->addr == IPADDR_BROADCAST);
  if (!is_group && !is_local_address(wanted.address)) return Error::AddressNotAvailable;
  if (bound_) return Error::Invalid;
  const NetworkScope scope;
  TRY(need_pcb());
  IP_SET_TYPE_VAL(pcb_->local_ip, lwip_type());
  IP_SET_TYPE_VAL(pcb_->remote_ip, lwip_type());
  if (const err_t error = udp_bind(pcb_, &wanted.address, wanted.port); error != ERR_OK) return error_of(error);
  bound_ = true;
  return {};
}

Result<void> UdpSocket::connect(const SocketAddress& address) {
  const NetworkScope scope;
  TRY(need_pcb());
  if (address.family() == kFamilyUnspecified && address.length >= 2) {
    udp_disconnect(pcb_);
    connected_ = false;
    return {};
  }
  Endpoint to = TRY(endpoint_of(address, family(), false));
  if (only_inet6() && IP_IS_V4_VAL(to.address)) return Error::NetworkUnreachable;
  if (ip_addr_isany_val(to.address)) ip_addr_set_loopback(IP_IS_V6_VAL(to.address), &to.address);
  netif* interface = ip_route(&pcb_->local_ip, &to.address);
  if (interface == nullptr) return Error::NetworkUnreachable;
  if (const err_t error = udp_connect(pcb_, &to.address, to.port); error != ERR_OK) return error_of(error);
  // getsockname() tells where its datagrams come from now.
  if (ip_addr_isany(&pcb_->local_ip))
    if (const ip_addr_t* own = ip_netif_get_local_ip(interface, &to.address); own != nullptr)
      ip_addr_copy(pcb_->local_ip, *own);
  bound_ = connected_ = true;
  read_shut_ = write_shut_ = false;
  return {};
}

Result<Endpoint> UdpSocket::target(const SendRequest& request) {
  if (request.to == nullptr) {
    if (!connected_) return Error::DestinationRequired;
    return Endpoint{pcb_->remote_ip, pcb_->remote_port};
  }
  Endpoint to = TRY(endpoint_of(*request.to, family(), false));
  if (to.port == 0) return Error::Invalid;
  if (ip_addr_isany_val(to.address)) ip_addr_set_loopback(IP_IS_V6_VAL(to.address), &to.address);
  if (only_inet6() && IP_IS_V4_VAL(to.address)) return Error::NetworkUnreachable;
  return to;
}

// By the address that the program wants it to come from, if there is one.
Result<err_t> UdpSocket::send_from(const SendRequest& request, pbuf& datagram, const Endpoint& to) {
  ip_addr_t source{};
  if (request.has_source) source = address_of_bytes(request.source);
  if (!request.has_source || ip_addr_isany_val(source)) return udp_sendto(pcb_, &datagram, &to.address, to.port);
  if (IP_GET_TYPE(&source) != IP_GET_TYPE(&to.address)) return Error::Invalid;
  if (!is_local_address(source)) return IP_IS_V4_VAL(source) ? Error::NetworkUnreachable : Error::Invalid;
  netif* interface = ip_route(&source, &to.address);
  if (interface == nullptr) return Error::NetworkUnreachable;
  return udp_sendto_if_src(pcb_, &datagram, &to.address, to.port, interface, &source);
}

// Where it went: to which address, and by which interface it came.
void UdpSocket::tell_packet(const Datagram& datagram, ReceiveRequest& request) const {
  if (!tells_packets_ && !tells_packets6_) return;
  const auto add = [&request](int level, int type, const auto& information) {
    ControlMessage& control = request.control[request.control_count++];
    control.level = level;
    control.type = type;
    control.length = sizeof information;
    __builtin_memcpy(control.bytes, &information, sizeof information);
  };
  uint8_t to[16];
  bytes_of_address(datagram.to, to);
  if (tells_packets6_ && family() == kFamilyInet6) {
    PacketInformation6 information{{}, datagram.interface};
    __builtin_memcpy(information.to, to, sizeof to);
    add(kLevelIpv6, kPacketInformation6, information);
  }
  if (tells_packets_ && IP_IS_V4_VAL(datagram.to)) {
    PacketInformation information{datagram.interface, {}, {}};
    const netif* interface = netif_get_by_index(datagram.interface);
    const bool is_own = is_local_address(datagram.to) || interface == nullptr;
    const ip4_addr_t own = is_own ? *ip_2_ip4(&datagram.to) : *netif_ip4_addr(interface);
    __builtin_memcpy(information.own, &own, sizeof information.own);
    __builtin_memcpy(information.to, to + 12, sizeof information.to);
    add(kLevelIp, kPacketInformation, information);
  }
}

Result<size_t> UdpSocket::send(std::span<const uint8_t> bytes, const SendRequest& request) {
  if ((request.flags & kMessageOutOfBand) != 0) return Error::NotSupported;
  if (has_error()) return take_error();
  if (write_shut_) return Error::BrokenPipe;
  TRY(need_pcb());
  const Endpoint to = TRY(target(request));
  if (bytes.size() > (IP_IS_V4_VAL(to.address) ? kLongest : kLongest6)) return Error::MessageTooLong;
  const bool is_broadcast = IP_IS_V4_VAL(to.address) && ip_2_ip4(&to.address)->addr == IPADDR_BROADCAST;
  if (is_broadcast && !options_.is_on(kOptionBroadcast)) return Error::AccessDenied;
  const NetworkScope scope;
  pbuf* datagram = pbuf_alloc(PBUF_TRANSPORT, static_cast<u16_t>(bytes.size()), PBUF_RAM);
  if (datagram == nullptr) return Error::NoBuffers;
  __builtin_memcpy(datagram->payload, bytes.data(), bytes.size());
  auto sent = send_from(request, *datagram, to);
  pbuf_free(datagram);
  const err_t error = TRY(sent);
  if (pcb_->local_port != 0) bound_ = true;
  if (error == ERR_OK) return bytes.size();
  // lwIP: a broadcast without SO_BROADCAST.
  return error == ERR_VAL ? Error::AccessDenied : error_of(error);
}

Result<size_t> UdpSocket::receive(std::span<uint8_t> to, ReceiveRequest& request) {
  if ((request.flags & kMessageOutOfBand) != 0) return Error::Invalid;
  const uint64_t deadline = receive_deadline();
  while (first_ == nullptr) {
    if (has_error()) return take_error();
    if (read_shut_) return size_t{0};
    if (!waits(request.flags)) return Error::Again;
    TRY(wait_in_call(
        waiters_, [this] { return first_ != nullptr || has_error() || read_shut_; }, deadline));
  }
  Datagram& datagram = *first_;
  const size_t whole = datagram.bytes->tot_len;
  const size_t count =
      pbuf_copy_partial(datagram.bytes, to.data(), static_cast<u16_t>(to.size() < whole ? to.size() : whole), 0);
  request.message_length = whole;
  if (whole > to.size()) request.result_flags |= kMessageTruncated;
  tell_packet(datagram, request);
  request.from = socket_address_of(datagram.from.address, datagram.from.port, family());
  if ((request.flags & kMessagePeek) == 0) {
    const NetworkScope scope;
    drop_first();
  }
  return count;
}

Result<void> UdpSocket::shutdown(int how) {
  if (how < kShutdownRead || how > kShutdownBoth) return Error::Invalid;
  if (!connected_) return Error::NotConnected;
  if (how != kShutdownWrite) read_shut_ = true;
  if (how != kShutdownRead) write_shut_ = true;
  tell(kPollIn | kPollOut | kPollHangUp | kPollPeerHangUp);
  return {};
}

Result<SocketAddress> UdpSocket::local_address() {
  if (pcb_ == nullptr) return socket_address_of({}, 0, family());
  return socket_address_of(pcb_->local_ip, pcb_->local_port, family());
}

Result<SocketAddress> UdpSocket::peer_address() {
  if (!connected_) return Error::NotConnected;
  return socket_address_of(pcb_->remote_ip, pcb_->remote_port, family());
}

uint16_t UdpSocket::poll_events() {
  uint16_t events = kPollOut;
  if (first_ != nullptr || read_shut_) events |= kPollIn;
  if (read_shut_) events |= kPollPeerHangUp;
  if (read_shut_ && write_shut_) events |= kPollHangUp;
  if (has_error()) events |= kPollError;
  return events;
}

Result<uint32_t> UdpSocket::bytes_available() {
  return first_ != nullptr ? first_->bytes->tot_len : 0u;
}

Result<Socket*> make_udp_socket(int family, int flags) {
  return static_cast<Socket*>(TRY(make<UdpSocket>(family, flags)));
}

}  // namespace kernel::net
