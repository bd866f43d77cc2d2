// UDP sockets (udp(7)) on lwIP's raw interface.
#pragma once

#include "kernel/net/inet_socket.h"

struct pbuf;
struct udp_pcb;

namespace kernel::net {

class UdpSocket final : public InetSocket {
 public:
  UdpSocket(int family, int flags);
  ~UdpSocket() override;

  Result<void> bind(const linux::SocketAddress& address) override;
  Result<void> connect(const linux::SocketAddress& address) override;
  Result<void> listen(int) override { return Error::NotSupported; }
  Result<linux::Socket*> accept(int, linux::SocketAddress&) override { return Error::NotSupported; }
  Result<size_t> send(std::span<const uint8_t> bytes, const linux::SendRequest& request) override;
  Result<size_t> receive(std::span<uint8_t> to, linux::ReceiveRequest& request) override;
  Result<void> shutdown(int how) override;
  Result<linux::SocketAddress> local_address() override;
  Result<linux::SocketAddress> peer_address() override;
  uint16_t poll_events() override;
  Result<uint32_t> bytes_available() override;
  Result<uint32_t> bytes_unsent() override { return 0u; }  // a datagram goes at once

  static UdpSocket* of(const udp_pcb& pcb);  // null: lwIP's own (DHCP)
  // An ICMP error about what a connected socket has sent (udp(7)): the next call says so.
  void report(Error error);

 private:
  struct Datagram {
    pbuf* bytes;
    Endpoint from;
    ip_addr_t to;
    uint8_t interface;
    Datagram* next;
  };

  void apply_options() override;
  bool is_bound() const override { return bound_; }
  Result<void> need_pcb();
  Result<Endpoint> target(const linux::SendRequest& request);
  Result<err_t> send_from(const linux::SendRequest& request, pbuf& datagram, const Endpoint& to);
  void tell_packet(const Datagram& datagram, linux::ReceiveRequest& request) const;
  void drop_first();
  static void received(void* socket, udp_pcb* pcb, pbuf* bytes, const ip_addr_t* from, uint16_t port);

  udp_pcb* pcb_ = nullptr;
  bool bound_ = false, connected_ = false, read_shut_ = false, write_shut_ = false;
  Datagram *first_ = nullptr, *last_ = nullptr;
  size_t queued_ = 0;    // bytes, with what a datagram costs besides
  uint64_t unread_ = 0;  // bytes
};

}  // namespace kernel::net
