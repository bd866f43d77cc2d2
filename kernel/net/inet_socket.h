// What TCP and UDP sockets have in common: who waits for them, the error that is to be told, the options of SOL_SOCKET,
// IPPROTO_IP and IPPROTO_IPV6.
#pragma once

#include <span>

#include "kernel/linux/socket.h"
#include "kernel/linux/socket_options.h"
#include "kernel/net/inet_address.h"
#include "kernel/task/wait.h"

namespace kernel::net {

class InetSocket : public linux::Socket {
 public:
  InetSocket(int family, int type, int protocol, int flags);

  Result<void> set_option(int level, int name, std::span<const uint8_t> value) override;
  Result<size_t> get_option(int level, int name, std::span<uint8_t> value) override;
  Result<uint64_t> control(uint32_t request, uint64_t user_argument) override;  // interface_calls.cpp
  Result<InodeStatus> status() override;
  WaitQueue* wait_queue() override { return &waiters_; }
  const char* path() const override { return path_; }

 protected:
  // What the program sets goes to lwIP's record of the connection.
  virtual void apply_options() = 0;
  virtual bool is_bound() const = 0;

  bool has_error() const { return error_ != 0; }
  Error take_error();  // has_error() only
  void set_error(Error error) { error_ = static_cast<int>(error); }
  void tell(uint16_t news) { waiters_.notify_all(news); }
  bool is_both() const { return family() == linux::kFamilyInet6 && !only_inet6_; }  // IPv4 too, as ::ffff:…
  bool only_inet6() const { return only_inet6_; }
  uint8_t lwip_type() const;  // IPADDR_TYPE_…
  // lwIP's flags of an address (SOF_…), hops and type of service.
  template <typename Pcb>
  void apply_to(Pcb& pcb) const {
    const uint8_t flags = static_cast<uint8_t>(lwip_flags());
    constexpr uint8_t kOurs = 0x3C;  // SOF_REUSEADDR, SOF_KEEPALIVE, SOF_REUSEPORT, SOF_BROADCAST
    pcb.so_options = static_cast<uint8_t>((pcb.so_options & ~kOurs) | flags);
    pcb.tos = type_of_service_;
    pcb.ttl = hops();
  }
  uint8_t hops() const;

  linux::KeptOptions options_;
  bool tells_packets_ = false, tells_packets6_ = false;  // IP_PKTINFO, IPV6_RECVPKTINFO
  WaitQueue waiters_;

 private:
  unsigned lwip_flags() const;
  Result<void> set_ip_option(int name, std::span<const uint8_t> value);
  Result<void> set_ipv6_option(int name, std::span<const uint8_t> value);

  int error_ = 0;  // errno; 0: none
  bool only_inet6_ = false;
  uint8_t type_of_service_ = 0, hops_ = 0;  // 0: the default
  int mtu_discovery_ = 1;                   // IP_PMTUDISC_WANT
  bool hears_itself_ = true;                // IP_MULTICAST_LOOP
  uint64_t number_;
  char path_[32];
};

// By the family that the first argument names (tcp_socket.cpp, udp_socket.cpp).
Result<linux::Socket*> make_tcp_socket(int family, int flags);
Result<linux::Socket*> make_udp_socket(int family, int flags);

}  // namespace kernel::net
