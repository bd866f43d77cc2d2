#include "kernel/net/inet_socket.h"

#include "kernel/library/log.h"
#include "kernel/linux/socket_control.h"
#include "lwip/ip.h"

namespace kernel::net {
namespace {

using namespace kernel::linux;

// ip(7), ipv6(7).
constexpr int kTypeOfService = 1, kTimeToLive = 2, kMtuDiscover = 10, kReceiveErrors = 11, kFreeBind = 15,
              kBindNoPort = 24, kMulticastTimeToLive = 33, kMulticastLoop = 34;
constexpr int kUnicastHops = 16, kMulticastHops = 18, kMtuDiscover6 = 23, kReceiveErrors6 = 25, kOnlyInet6 = 26,
              kReceivePacketInformation = 49, kTrafficClass = 67;

constexpr int kMostMtuDiscovery = 5;  // IP_PMTUDISC_OMIT

uint64_t g_next_inet_number = 4096;

}  // namespace

InetSocket::InetSocket(int family, int type, int protocol, int flags)
    : Socket(family, type, protocol, flags), number_(g_next_inet_number++) {
  format_text(path_, sizeof path_, "socket:[%lu]", number_);
  socket_summary_.number = number_;
  describe_socket(path_, socket_summary_);
}

Result<InodeStatus> InetSocket::status() {
  InodeStatus status{};
  status.device = 8;
  status.inode = number_;
  status.type = FileType::Socket;
  status.permissions = 0777;
  status.links = 1;
  return status;
}

Error InetSocket::take_error() {
  const auto error = static_cast<Error>(error_);
  error_ = 0;
  return error;
}

uint8_t InetSocket::lwip_type() const {
  if (family() == kFamilyInet) return IPADDR_TYPE_V4;
  return only_inet6_ ? IPADDR_TYPE_V6 : IPADDR_TYPE_ANY;
}

uint8_t InetSocket::hops() const {
  return hops_ != 0 ? hops_ : IP_DEFAULT_TTL;
}

unsigned InetSocket::lwip_flags() const {
  return (options_.is_on(kOptionReuseAddress) ? SOF_REUSEADDR : 0) |
         (options_.is_on(kOptionReusePort) ? SOF_REUSEPORT : 0) |
         (options_.is_on(kOptionKeepAlive) ? SOF_KEEPALIVE : 0) |
         (options_.is_on(kOptionBroadcast) ? SOF_BROADCAST : 0);
}

Result<void> InetSocket::set_option(int level, int name, std::span<const uint8_t> value) {
  switch (level) {
    case kLevelSocket:
      TRY(options_.set(name, value));
      break;
    case kLevelIp:
      TRY(set_ip_option(name, value));
      break;
    case kLevelIpv6:
      if (family() != kFamilyInet6) return Error::NoProtocolOption;
      TRY(set_ipv6_option(name, value));
      break;
    default:
      return Error::NoProtocolOption;
  }
  apply_options();
  return {};
}

Result<void> InetSocket::set_ip_option(int name, std::span<const uint8_t> value) {
  if (value.empty()) return Error::Invalid;
  const int number = value.size() >= sizeof(int) ? TRY(option_number(value)) : value[0];
  switch (name) {
    case kTypeOfService:
      type_of_service_ = static_cast<uint8_t>(number);
      return {};
    case kTimeToLive:
      if (number != -1 && (number < 1 || number > 255)) return Error::Invalid;
      hops_ = static_cast<uint8_t>(number == -1 ? 0 : number);
      return {};
    case kMtuDiscover:
      if (number < 0 || number > kMostMtuDiscovery) return Error::Invalid;
      mtu_discovery_ = number;
      return {};
    case kMulticastLoop:
      hears_itself_ = number != 0;
      return {};
    case kPacketInformation:
      tells_packets_ = number != 0;
      return {};
    case kReceiveErrors:  // what there is nothing to switch for here
    case kFreeBind:
    case kBindNoPort:
      return {};
    default:
      return Error::NoProtocolOption;
  }
}

Result<void> InetSocket::set_ipv6_option(int name, std::span<const uint8_t> value) {
  const int number = TRY(option_number(value));
  switch (name) {
    case kOnlyInet6:
      if (is_bound()) return Error::Invalid;
      only_inet6_ = number != 0;
      return {};
    case kUnicastHops:
    case kMulticastHops:
      if (number < -1 || number > 255) return Error::Invalid;
      hops_ = static_cast<uint8_t>(number == -1 ? 0 : number);
      return {};
    case kTrafficClass:
      if (number < -1 || number > 255) return Error::Invalid;
      type_of_service_ = static_cast<uint8_t>(number == -1 ? 0 : number);
      return {};
    case kMtuDiscover6:
    case kReceiveErrors6:
      return {};
    case kReceivePacketInformation:
      tells_packets6_ = number != 0;
      return {};
    default:
      return Error::NoProtocolOption;
  }
}

Result<size_t> InetSocket::get_option(int level, int name, std::span<uint8_t> value) {
  switch (level) {
    case kLevelSocket:
      if (name == kOptionError) return give_number(value, has_error() ? static_cast<int>(take_error()) : 0);
      if (name == kOptionAcceptsConnections) return give_number(value, 0);
      if (name == kOptionPeerCredentials) {
        const Credentials nobody{0, ~0u, ~0u};
        return give_option(value, &nobody, sizeof nobody);
      }
      return options_.get(name, value);
    case kLevelIp:
      if (name == kTypeOfService) return give_number(value, type_of_service_);
      if (name == kTimeToLive) return give_number(value, hops());
      if (name == kPacketInformation) return give_number(value, tells_packets_);
      if (name == kMtuDiscover) return give_number(value, mtu_discovery_);
      if (name == kMulticastTimeToLive) return give_number(value, 1);
      if (name == kMulticastLoop) return give_number(value, hears_itself_);
      return Error::NoProtocolOption;
    case kLevelIpv6:
      if (family() != kFamilyInet6) return Error::NotSupported;
      if (name == kOnlyInet6) return give_number(value, only_inet6_);
      if (name == kUnicastHops) return give_number(value, hops());
      if (name == kReceivePacketInformation) return give_number(value, tells_packets6_);
      if (name == kTrafficClass) return give_number(value, type_of_service_);
      return Error::NoProtocolOption;
    default:
      return Error::NotSupported;
  }
}

}  // namespace kernel::net

namespace kernel::linux {

Result<Socket*> make_inet_socket(int family, int type, int protocol, int flags) {
  constexpr int kProtocolTcp = 6, kProtocolUdp = 17;
  if (family != kFamilyInet && family != kFamilyInet6) return Error::FamilyNotSupported;
  switch (type) {
    case kSocketStream:
      if (protocol != 0 && protocol != kProtocolTcp) return Error::ProtocolNotSupported;
      return net::make_tcp_socket(family, flags);
    case kSocketDatagram:
      if (protocol != 0 && protocol != kProtocolUdp) return Error::ProtocolNotSupported;
      return net::make_udp_socket(family, flags);
    case kSocketRaw:
      return Error::ProtocolNotSupported;
    default:
      return Error::SocketTypeNotSupported;
  }
}

}  // namespace kernel::linux
