#include "kernel/net/netlink_messages.h"

#include "kernel/linux/socket.h"
#include "kernel/net/interfaces.h"
#include "lwip/netif.h"

namespace kernel::net {
namespace {

// linux/netlink.h, linux/rtnetlink.h, linux/if_link.h, linux/if_addr.h
constexpr uint16_t kError = 2, kDone = 3, kNewLink = 16, kGetLink = 18, kNewAddress = 20, kGetAddress = 22,
                   kFirstRoute = 16;
constexpr uint16_t kRequest = 1, kMulti = 2, kAcknowledge = 4, kDump = 0x300;
constexpr uint16_t kLinkAddress = 1, kLinkBroadcast = 2, kLinkName = 3, kLinkMtu = 4, kLinkQueue = 13, kLinkState = 16;
constexpr uint16_t kAddressAddress = 1, kAddressLocal = 2, kAddressLabel = 3, kAddressBroadcast = 4, kAddressFlags = 8;
constexpr uint8_t kScopeGlobal = 0, kScopeLink = 253, kScopeHost = 254;
constexpr uint32_t kPermanent = 0x80;
constexpr int kFamilyPacket = 17;

struct LinkMessage {  // struct ifinfomsg
  uint8_t family, padding;
  uint16_t type;
  int32_t index;
  uint32_t flags, change;
};
struct AddressMessage {  // struct ifaddrmsg
  uint8_t family, prefix, flags, scope;
  uint32_t index;
};
struct ErrorMessage {  // struct nlmsgerr
  int32_t error;
  NetlinkHeader asked;
};
struct AttributeHeader {  // struct rtattr
  uint16_t length, type;
};

constexpr size_t aligned(size_t size) {
  return (size + 3) & ~size_t{3};
}

}  // namespace

uint8_t* NetlinkAnswer::take(size_t size) {
  if (full_ || room_.size() - size_ < aligned(size)) {
    full_ = true;
    return nullptr;
  }
  uint8_t* at = room_.data() + size_;
  __builtin_memset(at, 0, aligned(size));
  size_ += aligned(size);
  return at;
}

void NetlinkAnswer::begin(uint16_t type, uint16_t flags, const NetlinkHeader& asked, uint32_t port) {
  begin_ = size_;
  const NetlinkHeader header{0, type, flags, asked.sequence, port};
  if (uint8_t* at = take(sizeof header)) __builtin_memcpy(at, &header, sizeof header);
}

void NetlinkAnswer::end() {
  if (full_) {
    size_ = begin_;
    return;
  }
  const auto length = static_cast<uint32_t>(size_ - begin_);
  __builtin_memcpy(room_.data() + begin_, &length, sizeof length);
}

void NetlinkAnswer::attribute(uint16_t type, const void* value, size_t size) {
  const AttributeHeader header{static_cast<uint16_t>(sizeof header + size), type};
  uint8_t* at = take(sizeof header + size);
  if (at == nullptr) return;
  __builtin_memcpy(at, &header, sizeof header);
  __builtin_memcpy(at + sizeof header, value, size);
}

void NetlinkAnswer::error(int number, const NetlinkHeader& asked, uint32_t port) {
  begin(kError, 0, asked, port);
  const ErrorMessage message{-number, asked};
  if (uint8_t* at = take(sizeof message)) __builtin_memcpy(at, &message, sizeof message);
  end();
}

void NetlinkAnswer::done(const NetlinkHeader& asked, uint32_t port) {
  begin(kDone, kMulti, asked, port);
  take(sizeof(int32_t));
  end();
}

void NetlinkAnswer::link(int index, uint16_t flags, const NetlinkHeader& asked, uint32_t port) {
  const netif* interface = netif_get_by_index(static_cast<u8_t>(index));
  if (interface == nullptr) return;
  begin(kNewLink, flags, asked, port);
  const LinkMessage message{0, 0, interface_type(*interface), index, interface_flags(*interface), 0};
  if (uint8_t* at = take(sizeof message)) __builtin_memcpy(at, &message, sizeof message);
  const char* name = interface_name(*interface);
  attribute(kLinkName, name, __builtin_strlen(name) + 1);
  number(kLinkQueue, 1000);
  const uint8_t up = 6, unknown = 0;  // RFC 2863's ifOperStatus, as Linux says it of either
  attribute(kLinkState, is_loopback(*interface) ? &unknown : &up, 1);
  number(kLinkMtu, interface_mtu(*interface));
  uint8_t hardware[6] = {}, broadcast[6] = {};
  if (!is_loopback(*interface)) {
    __builtin_memcpy(hardware, interface->hwaddr, 6);
    __builtin_memset(broadcast, 0xFF, 6);
  }
  attribute(kLinkAddress, hardware, 6);
  attribute(kLinkBroadcast, broadcast, 6);
  end();
}

void NetlinkAnswer::address(int index, int family, unsigned prefix, unsigned scope, const void* bytes, size_t size,
                            const uint32_t* broadcast, const NetlinkHeader& asked, uint32_t port) {
  begin(kNewAddress, kMulti, asked, port);
  const AddressMessage message{static_cast<uint8_t>(family), static_cast<uint8_t>(prefix), kPermanent,
                               static_cast<uint8_t>(scope), static_cast<uint32_t>(index)};
  if (uint8_t* at = take(sizeof message)) __builtin_memcpy(at, &message, sizeof message);
  attribute(kAddressAddress, bytes, size);
  if (family == linux::kFamilyInet) {
    attribute(kAddressLocal, bytes, size);
    if (broadcast != nullptr) attribute(kAddressBroadcast, broadcast, sizeof *broadcast);
    const char* name = interface_name(*netif_get_by_index(static_cast<u8_t>(index)));
    attribute(kAddressLabel, name, __builtin_strlen(name) + 1);
  }
  number(kAddressFlags, kPermanent);
  end();
}

void NetlinkAnswer::addresses(int index, int family, const NetlinkHeader& asked, uint32_t port) {
  const netif* interface = netif_get_by_index(static_cast<u8_t>(index));
  if (interface == nullptr) return;
  const bool loops = is_loopback(*interface);
  if (family == linux::kFamilyInet && !ip4_addr_isany_val(*netif_ip4_addr(interface))) {
    const uint32_t own = netif_ip4_addr(interface)->addr, mask = netif_ip4_netmask(interface)->addr;
    const uint32_t broadcast = own | ~mask;
    address(index, family, static_cast<unsigned>(__builtin_popcount(mask)), loops ? kScopeHost : kScopeGlobal, &own,
            sizeof own, loops ? nullptr : &broadcast, asked, port);
  }
  if (family != linux::kFamilyInet6) return;
  for (int number = 0; number < LWIP_IPV6_NUM_ADDRESSES; ++number) {
    if (ip6_addr_isinvalid(netif_ip6_addr_state(interface, number))) continue;
    const ip6_addr_t& own = *netif_ip6_addr(interface, number);
    address(index, family, loops ? 128 : 64,
            loops                        ? kScopeHost
            : ip6_addr_islinklocal(&own) ? kScopeLink
                                         : kScopeGlobal,
            own.addr, 16, nullptr, asked, port);
  }
}

void NetlinkAnswer::answer(std::span<const uint8_t> message, uint32_t port) {
  NetlinkHeader asked;
  __builtin_memcpy(&asked, message.data(), sizeof asked);
  if ((asked.flags & kRequest) == 0 || asked.type < kFirstRoute) {  // Linux: only told that it came, if asked
    if ((asked.flags & kAcknowledge) != 0) error(0, asked, port);
    return;
  }
  const size_t body = message.size() - sizeof asked;
  const uint8_t family = body > 0 ? message[sizeof asked] : 0;
  const bool is_dump = (asked.flags & kDump) != 0;
  if (asked.type == kGetLink && is_dump && (family == 0 || family == kFamilyPacket)) {
    for (int index = 1; index < 256; ++index) link(index, kMulti, asked, port);
    return done(asked, port);
  }
  if (asked.type == kGetAddress && is_dump) {
    for (const int each : {linux::kFamilyInet, linux::kFamilyInet6})
      for (int index = 1; index < 256 && (family == 0 || family == each); ++index) addresses(index, each, asked, port);
    return done(asked, port);
  }
  if (asked.type == kGetLink && !is_dump && body >= sizeof(LinkMessage)) {
    LinkMessage wanted;
    __builtin_memcpy(&wanted, message.data() + sizeof asked, sizeof wanted);
    const size_t before = size_;
    if (wanted.index > 0 && wanted.index < 256) link(wanted.index, 0, asked, port);
    if (size_ == before && !full_)
      error(wanted.index > 0 ? static_cast<int>(Error::NoDevice) : static_cast<int>(Error::Invalid), asked, port);
    return;
  }
  error(static_cast<int>(Error::NotSupported), asked, port);
}

}  // namespace kernel::net
