#include "kernel/net/configuration.h"

#include <string_view>

#include "kernel/fs/tree.h"
#include "kernel/library/command_line.h"
#include "kernel/library/log.h"
#include "kernel/net/ethernet.h"
#include "lwip/dhcp.h"
#include "lwip/inet.h"
#include "lwip/netif.h"
#include "lwip/pbuf.h"

namespace kernel::net {
namespace {

constexpr size_t kMaximumNameServers = 3;  // MAXNS of resolv.conf(5)
ip_addr_t g_name_servers[kMaximumNameServers];
size_t g_name_server_count = 0;
ip6_addr_t g_gateway6{};                            // of the setting; all zero: routers advertise themselves
bool g_wants_lease = false;                         // DHCP was asked for
bool g_fixed_servers = false, g_fixed_mtu = false;  // by the setting: DHCP does not change them

void add_name_server(const ip_addr_t& address) {
  for (size_t index = 0; index < g_name_server_count; ++index)
    if (ip_addr_cmp(&g_name_servers[index], &address)) return;
  if (g_name_server_count < kMaximumNameServers) g_name_servers[g_name_server_count++] = address;
}

// A piece of a setting, NUL-terminated for lwIP.
struct Piece {
  char text[64] = {};
  explicit Piece(std::string_view from) {
    const size_t length = from.size() < sizeof text - 1 ? from.size() : sizeof text - 1;
    __builtin_memcpy(text, from.data(), length);
  }
};

// substr(), which cannot fail here and would want exceptions.
std::string_view until(std::string_view text, size_t position) {
  return position == text.npos ? text : std::string_view(text.data(), position);
}
std::string_view behind(std::string_view text, size_t position) {
  return position == text.npos ? std::string_view()
                               : std::string_view(text.data() + position + 1, text.size() - position - 1);
}

bool parse_number(std::string_view text, unsigned highest, unsigned& value) {
  if (text.empty() || text.size() > 5) return false;
  value = 0;
  for (const char digit : text) {
    if (digit < '0' || digit > '9') return false;
    value = value * 10 + static_cast<unsigned>(digit - '0');
  }
  return value <= highest;
}

bool parse_address(std::string_view text, ip_addr_t& address) {
  return text.size() < sizeof Piece::text && ipaddr_aton(Piece(text).text, &address) != 0;
}

struct Fixed {
  ip_addr_t address{}, gateway{};
  unsigned prefix = 0;
};

// ADDRESS/PREFIX
bool parse_address_and_prefix(std::string_view text, Fixed& fixed) {
  const size_t slash = text.find('/');
  if (slash == text.npos || !parse_address(until(text, slash), fixed.address)) return false;
  return parse_number(behind(text, slash), IP_IS_V6_VAL(fixed.address) ? 64 : 32, fixed.prefix);
}

void set_fixed(netif& interface, const Fixed& fixed) {
  if (IP_IS_V6_VAL(fixed.address)) {
    s8_t index = -1;
    if (IP_IS_V6_VAL(fixed.gateway) && !ip_addr_isany_val(fixed.gateway)) {
      g_gateway6 = *ip_2_ip6(&fixed.gateway);
      ip6_addr_assign_zone(&g_gateway6, IP6_UNICAST, &interface);
    }
    if (netif_add_ip6_address(&interface, ip_2_ip6(&fixed.address), &index) != ERR_OK || index < 0)
      log(LogLevel::Warning, "net=: no room for one more IPv6 address");
    else
      netif_ip6_addr_set_state(&interface, index, IP6_ADDR_PREFERRED);
    return;
  }
  ip4_addr_t mask, gateway{};
  ip4_addr_set_u32(&mask, fixed.prefix == 0 ? 0 : lwip_htonl(~0u << (32 - fixed.prefix)));
  if (IP_IS_V4_VAL(fixed.gateway)) gateway = *ip_2_ip4(&fixed.gateway);
  netif_set_addr(&interface, ip_2_ip4(&fixed.address), &mask, &gateway);
}

// One value of net=: `dhcp`, `none` or ADDRESS/PREFIX, then ,gateway=ADDRESS ,dns=ADDRESS ,mtu=NUMBER in any order.
bool apply_setting(netif& interface, std::string_view text) {
  Fixed fixed;
  bool is_fixed = false;
  for (bool first = true; !text.empty(); first = false) {
    const size_t comma = text.find(',');
    const std::string_view part = until(text, comma);
    text = behind(text, comma);
    const size_t equals = part.find('=');
    const std::string_view key = until(part, equals), value = behind(part, equals);
    ip_addr_t address;
    unsigned mtu = 0;
    if (first && part == "dhcp") {
      g_wants_lease = true;
    } else if (first && part == "none") {
      // only what an address would not be needed for
    } else if (first) {
      if (!parse_address_and_prefix(part, fixed)) return false;
      is_fixed = true;
    } else if (key == "gateway" && parse_address(value, fixed.gateway)) {
    } else if (key == "dns" && parse_address(value, address)) {
      g_fixed_servers = true;
      add_name_server(address);
    } else if (key == "mtu" && parse_number(value, 65535, mtu)) {
      g_fixed_mtu = true;
      ethernet_set_mtu(mtu);
    } else {
      return false;
    }
  }
  if (is_fixed) set_fixed(interface, fixed);
  return true;
}

void address_changed(netif* interface) {
  static ip4_addr_t last{};
  const ip4_addr_t now = *netif_ip4_addr(interface);
  if (ip4_addr_cmp(&now, &last)) return;
  last = now;
  if (ip4_addr_isany_val(now)) {
    log(LogLevel::Warning, "the address is gone: DHCP gave no other");
    return;
  }
  log(LogLevel::Info, "address %u.%u.%u.%u, MTU %u", ip4_addr1(&now), ip4_addr2(&now), ip4_addr3(&now), ip4_addr4(&now),
      interface->mtu);
}

}  // namespace

void configure(netif& interface) {
  static char host_name[64] = "mortem";
  netif_set_hostname(&interface, host_name);
  netif_set_status_callback(&interface, address_changed);
  netif_create_ip6_linklocal_address(&interface, 1);
  netif_set_ip6_autoconfig_enabled(&interface, 1);
  netif_set_up(&interface);
  bool is_set = false;
  for (size_t index = 0;; ++index) {
    const char* value = repeated_setting("net", index);
    if (value == nullptr) break;
    is_set = true;
    if (!apply_setting(interface, value))
      log(LogLevel::Warning, "net=%s is not dhcp, none or ADDRESS/PREFIX with gateway=, dns=, mtu= behind it", value);
  }
  if (!is_set) g_wants_lease = true;
  if (g_wants_lease && dhcp_start(&interface) != ERR_OK) {
    g_wants_lease = false;
    log(LogLevel::Warning, "no memory for DHCP");
  }
}

bool is_configured() {
  return !g_wants_lease || !ip4_addr_isany(netif_ip4_addr(&ethernet_interface()));
}

void write_resolver_configuration(TreeText& text) {
  for (size_t index = 0; index < g_name_server_count; ++index) {
    char server[IPADDR_STRLEN_MAX];
    if (ipaddr_ntoa_r(&g_name_servers[index], server, sizeof server) != nullptr) text.append("nameserver %s\n", server);
  }
}

extern "C" const ip6_addr_t* lwip_port_ipv6_gateway() {
  return ip6_addr_isany(&g_gateway6) ? nullptr : &g_gateway6;
}

// RFC 2132, sections 3.8 and 5.1; lwIP's hook.
extern "C" void lwip_port_dhcp_option(netif*, uint8_t message_type, uint8_t option, uint8_t length, pbuf* bytes,
                                      uint16_t offset) {
  constexpr uint8_t kNameServers = 6, kMtu = 26, kOffer = 2;
  if (message_type == kOffer) return;  // not ours yet
  uint8_t value[4 * kMaximumNameServers];
  const uint16_t wanted = length < sizeof value ? length : static_cast<uint16_t>(sizeof value);
  if (pbuf_copy_partial(bytes, value, wanted, offset) != wanted) return;
  if (option == kMtu && length == 2 && !g_fixed_mtu) ethernet_set_mtu(value[0] << 8u | value[1]);
  if (option == kNameServers && !g_fixed_servers) {
    g_name_server_count = 0;
    for (uint16_t at = 0; at + 4 <= wanted; at = static_cast<uint16_t>(at + 4)) {
      ip_addr_t server;
      IP_ADDR4(&server, value[at], value[at + 1], value[at + 2], value[at + 3]);
      add_name_server(server);
    }
  }
}

}  // namespace kernel::net
