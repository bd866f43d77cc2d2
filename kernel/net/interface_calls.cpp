// ioctl(2) on sockets that asks about network interfaces (netdevice(7)).
#include "kernel/arch/x86_64/user_access.h"
#include "kernel/net/inet_socket.h"
#include "kernel/net/interfaces.h"
#include "lwip/netif.h"

namespace kernel::net {
namespace {

constexpr uint32_t kName = 0x8910, kList = 0x8912, kFlags = 0x8913, kAddress = 0x8915, kBroadcast = 0x8919,
                   kMask = 0x891B, kMtu = 0x8921, kHardwareAddress = 0x8927, kIndex = 0x8933;  // SIOCGIF…
constexpr int kNameSize = 16;

struct InterfaceRequest {  // struct ifreq
  char name[kNameSize];
  union {
    struct {
      uint16_t family, port;
      uint32_t address;
      uint8_t zero[8];
    } inet;
    struct {
      uint16_t family;
      uint8_t bytes[6];
    } hardware;
    int16_t flags;
    int32_t number;
    uint8_t whole[24];
  };
};
static_assert(sizeof(InterfaceRequest) == 40);

struct InterfaceList {  // struct ifconf
  int32_t length, padding;
  uint64_t requests;
};

netif* find(const char (&name)[kNameSize]) {
  netif* interface;
  NETIF_FOREACH(interface) {
    if (__builtin_strcmp(interface_name(*interface), name) == 0) return interface;
  }
  return nullptr;
}

void set_name(InterfaceRequest& request, const netif& interface) {
  const char* name = interface_name(interface);
  __builtin_memcpy(request.name, name, __builtin_strlen(name) + 1);
}

void set_address(InterfaceRequest& request, uint32_t address) {
  request.inet = {linux::kFamilyInet, 0, address, {}};
}

Result<uint64_t> list(uint64_t user_list) {
  auto asked = TRY(read_user<InterfaceList>(user_list));
  int32_t filled = 0;
  netif* interface;
  NETIF_FOREACH(interface) {
    if (ip4_addr_isany(netif_ip4_addr(interface))) continue;  // as Linux: those that have an IPv4 address
    constexpr auto kSize = static_cast<int32_t>(sizeof(InterfaceRequest));
    if (asked.requests != 0) {
      if (asked.length - filled < kSize) break;
      InterfaceRequest request{};
      set_name(request, *interface);
      set_address(request, netif_ip4_addr(interface)->addr);
      TRY(write_user(asked.requests + static_cast<uint64_t>(filled), request));
    }
    filled += kSize;
  }
  asked.length = filled;
  TRY(write_user(user_list, asked));
  return 0;
}

}  // namespace

Result<uint64_t> InetSocket::control(uint32_t request, uint64_t user_argument) {
  return interface_control(request, user_argument);
}

Result<uint64_t> interface_control(uint32_t request, uint64_t user_argument) {
  if (request == kList) return list(user_argument);
  if (request != kName && request != kFlags && request != kAddress && request != kBroadcast && request != kMask &&
      request != kMtu && request != kHardwareAddress && request != kIndex)
    return Error::NotTerminal;
  auto asked = TRY(read_user<InterfaceRequest>(user_argument));
  asked.name[kNameSize - 1] = 0;
  netif* interface =
      request == kName
          ? netif_get_by_index(static_cast<u8_t>(asked.number < 0 || asked.number > 255 ? 0 : asked.number))
          : find(asked.name);
  if (interface == nullptr) return request == kName ? Error::NoDevice : Error::NoSuchDevice;
  const uint32_t address = netif_ip4_addr(interface)->addr, mask = netif_ip4_netmask(interface)->addr;
  __builtin_memset(asked.whole, 0, sizeof asked.whole);
  switch (request) {
    case kName:
      asked.number = netif_get_index(interface);
      set_name(asked, *interface);
      break;
    case kFlags:
      asked.flags = static_cast<int16_t>(interface_flags(*interface));
      break;
    case kAddress:
    case kBroadcast:
    case kMask:
      if (address == 0) return Error::AddressNotAvailable;
      set_address(asked, request == kAddress ? address : (request == kMask ? mask : address | ~mask));
      break;
    case kMtu:
      asked.number = static_cast<int32_t>(interface_mtu(*interface));
      break;
    case kHardwareAddress:
      asked.hardware.family = interface_type(*interface);
      if (interface->hwaddr_len == 6) __builtin_memcpy(asked.hardware.bytes, interface->hwaddr, 6);
      break;
    case kIndex:
      asked.number = netif_get_index(interface);
      break;
  }
  TRY(write_user(user_argument, asked));
  return 0;
}

}  // namespace kernel::net
