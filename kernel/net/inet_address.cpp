#include "kernel/net/inet_address.h"

#include "lwip/def.h"
#include "lwip/netif.h"

namespace kernel::net {
namespace {

using linux::kFamilyInet;
using linux::kFamilyInet6;
using linux::SocketAddress;

struct AddressInet {  // struct sockaddr_in
  uint16_t family, port;
  uint32_t address;
  uint8_t zero[8];
};
struct AddressInet6 {  // struct sockaddr_in6
  uint16_t family, port;
  uint32_t flow;
  uint32_t address[4];
  uint32_t scope;
};
static_assert(sizeof(AddressInet) == 16 && sizeof(AddressInet6) == 28);
constexpr uint32_t kShortestInet6 = 24;  // without the scope: RFC 2133's

constexpr uint32_t kMappedPrefix = lwip_htonl(0xFFFF);

}  // namespace

Result<Endpoint> endpoint_of(const SocketAddress& address, int family, bool any_of_both) {
  Endpoint endpoint;
  if (family == kFamilyInet) {
    if (address.length < sizeof(AddressInet)) return Error::Invalid;
    AddressInet given;
    __builtin_memcpy(&given, address.bytes, sizeof given);
    if (given.family != kFamilyInet) return Error::FamilyNotSupported;
    ip_addr_set_ip4_u32(&endpoint.address, given.address);
    endpoint.port = lwip_ntohs(given.port);
    return endpoint;
  }
  if (address.length < kShortestInet6) return Error::Invalid;
  AddressInet6 given{};
  __builtin_memcpy(&given, address.bytes, address.length < sizeof given ? address.length : sizeof given);
  if (given.family != kFamilyInet6) return Error::FamilyNotSupported;
  endpoint.port = lwip_ntohs(given.port);
  const uint32_t* words = given.address;
  if (words[0] == 0 && words[1] == 0 && words[2] == kMappedPrefix) {
    ip_addr_set_ip4_u32(&endpoint.address, words[3]);
    return endpoint;
  }
  if ((words[0] | words[1] | words[2] | words[3]) == 0) {
    if (any_of_both)
      endpoint.address = *IP_ANY_TYPE;
    else
      ip_addr_set_any(1, &endpoint.address);
    return endpoint;
  }
  IP_ADDR6(&endpoint.address, words[0], words[1], words[2], words[3]);
  if (ip6_addr_has_scope(ip_2_ip6(&endpoint.address), IP6_UNKNOWN)) {
    if (given.scope > 0xFF) return Error::Invalid;
    ip6_addr_set_zone(ip_2_ip6(&endpoint.address), static_cast<u8_t>(given.scope));
  }
  return endpoint;
}

SocketAddress socket_address_of(const ip_addr_t& address, uint16_t port, int family) {
  SocketAddress result;
  if (family == kFamilyInet) {
    AddressInet inet{kFamilyInet, lwip_htons(port), 0, {}};
    if (IP_IS_V4_VAL(address)) inet.address = ip_2_ip4(&address)->addr;
    __builtin_memcpy(result.bytes, &inet, sizeof inet);
    result.length = sizeof inet;
    return result;
  }
  AddressInet6 inet6{kFamilyInet6, lwip_htons(port), 0, {}, 0};
  if (IP_IS_V4_VAL(address)) {
    inet6.address[2] = kMappedPrefix;
    inet6.address[3] = ip_2_ip4(&address)->addr;
  } else if (!IP_IS_ANY_TYPE_VAL(address)) {
    __builtin_memcpy(inet6.address, ip_2_ip6(&address)->addr, sizeof inet6.address);
    inet6.scope = ip6_addr_zone(ip_2_ip6(&address));
  }
  __builtin_memcpy(result.bytes, &inet6, sizeof inet6);
  result.length = sizeof inet6;
  return result;
}

ip_addr_t address_of_bytes(const uint8_t (&bytes)[16]) {
  uint32_t words[4];
  __builtin_memcpy(words, bytes, sizeof words);
  ip_addr_t address{};
  if (words[0] == 0 && words[1] == 0 && words[2] == kMappedPrefix)
    ip_addr_set_ip4_u32(&address, words[3]);
  else
    IP_ADDR6(&address, words[0], words[1], words[2], words[3]);
  return address;
}

void bytes_of_address(const ip_addr_t& address, uint8_t (&bytes)[16]) {
  uint32_t words[4] = {0, 0, kMappedPrefix, 0};
  if (IP_IS_V4_VAL(address))
    words[3] = ip_2_ip4(&address)->addr;
  else
    __builtin_memcpy(words, ip_2_ip6(&address)->addr, sizeof words);
  __builtin_memcpy(bytes, words, sizeof words);
}

bool is_local_address(const ip_addr_t& address) {
  if (IP_IS_ANY_TYPE_VAL(address) || ip_addr_isany_val(address)) return true;
  netif* interface;
  NETIF_FOREACH(interface) {
    if (IP_IS_V4_VAL(address)) {
      if (ip4_addr_cmp(ip_2_ip4(&address), netif_ip4_addr(interface))) return true;
      continue;
    }
    for (int index = 0; index < LWIP_IPV6_NUM_ADDRESSES; ++index)
      if (!ip6_addr_isinvalid(netif_ip6_addr_state(interface, index)) &&
          ip6_addr_cmp_zoneless(ip_2_ip6(&address), netif_ip6_addr(interface, index)))
        return true;
  }
  return false;
}

Error error_of(err_t error) {
  switch (error) {
    case ERR_MEM:
    case ERR_BUF:
      return Error::NoBuffers;
    case ERR_RTE:
      return Error::NetworkUnreachable;
    case ERR_USE:
      return Error::AddressInUse;
    case ERR_ISCONN:
      return Error::IsConnected;
    case ERR_CONN:
      return Error::NotConnected;
    case ERR_RST:
      return Error::ConnectionReset;
    case ERR_ABRT:
    case ERR_TIMEOUT:
      return Error::TimedOut;
    case ERR_IF:
      return Error::NetworkDown;
    default:
      return Error::Invalid;
  }
}

}  // namespace kernel::net
