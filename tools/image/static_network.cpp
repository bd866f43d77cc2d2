#include "tools/image/static_network.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <bit>
#include <charconv>
#include <optional>
#include <string_view>

#include "tools/output.h"

namespace mortem::tools {

namespace {

constexpr unsigned kDefaultPrefix = 24;                         // that of ops
constexpr size_t kMaximumNameServers = 3;                       // MAXNS of resolv.conf(5)
constexpr uint64_t kLowestMtu = 576, kHighestMtu = 65535 - 18;  // kernel/net/ethernet.cpp
constexpr unsigned kPrefix6 = 64;                               // of a link, RFC 4291, section 2.5.4
constexpr unsigned kLongestPrefixOfQemu = 30;                   // room for the guest, QEMU and its name server

std::optional<uint32_t> ipv4_number(const std::string& text) {
  in_addr address;
  if (inet_pton(AF_INET, text.c_str(), &address) != 1) return std::nullopt;
  return ntohl(address.s_addr);
}

std::string ipv4_text(uint32_t number) {
  return fmt::format("{}.{}.{}.{}", number >> 24, number >> 16 & 255, number >> 8 & 255, number & 255);
}

uint32_t mask_of(unsigned prefix) {
  return prefix == 0 ? 0 : ~0u << (32 - prefix);
}

// A host's own address in a network of that length.
bool is_host_address(uint32_t address, unsigned prefix) {
  const unsigned first = address >> 24;
  if (first == 0 || first == 127 || first >= 224) return false;
  const uint32_t host = address & ~mask_of(prefix);
  return prefix >= 31 || (host != 0 && host != ~mask_of(prefix));
}

// ADDRESS or ADDRESS/PREFIX, as the kernel wants it; nothing: it is no address of a host.
std::optional<std::string> ipv6_setting(const std::string& given) {
  const size_t slash = given.find('/');
  const std::string text = given.substr(0, slash);
  unsigned prefix = kPrefix6;
  if (slash != given.npos) {
    const char *begin = given.data() + slash + 1, *end = given.data() + given.size();
    const auto [at, error] = std::from_chars(begin, end, prefix);
    if (error != std::errc() || at != end || prefix == 0 || prefix > kPrefix6) return std::nullopt;
  }
  in6_addr address;
  if (inet_pton(AF_INET6, text.c_str(), &address) != 1 || IN6_IS_ADDR_UNSPECIFIED(&address) ||
      IN6_IS_ADDR_LOOPBACK(&address) || IN6_IS_ADDR_MULTICAST(&address) || IN6_IS_ADDR_V4MAPPED(&address))
    return std::nullopt;
  return fmt::format("{}/{}", text, prefix);
}

}  // namespace

Result<std::vector<std::string>> network_settings(const StaticNetwork& network, const std::string& where) {
  const auto bad = [&](const std::string& what) { return failure(ErrorKind::BadInput, where + ": " + what); };
  std::string setting = "dhcp";
  if (network.address.empty()) {
    if (!network.mask.empty() || !network.gateway.empty())
      return bad(
          "RunConfig.NetMask and RunConfig.Gateway go with RunConfig.IPAddress; without it DHCP gives all three");
    if (network.name_servers.empty() && network.mtu == 0 && network.address6.empty()) return std::vector<std::string>();
  } else {
    const auto address = ipv4_number(network.address);
    if (!address)
      return bad(
          fmt::format("RunConfig.IPAddress '{}' is not an IPv4 address, as 10.0.0.5", printable(network.address)));
    unsigned prefix = kDefaultPrefix;
    if (!network.mask.empty()) {
      const auto mask = ipv4_number(network.mask);
      if (!mask || *mask == 0 || mask_of(unsigned(std::popcount(*mask))) != *mask)
        return bad(fmt::format("RunConfig.NetMask '{}' is not a mask, as 255.255.255.0", printable(network.mask)));
      prefix = unsigned(std::popcount(*mask));
    }
    if (!is_host_address(*address, prefix))
      return bad(fmt::format("RunConfig.IPAddress {} is no address of a host in a network of mask {}", network.address,
                             ipv4_text(mask_of(prefix))));
    setting = fmt::format("{}/{}", network.address, prefix);
    if (!network.gateway.empty()) {
      const auto gateway = ipv4_number(network.gateway);
      if (!gateway)
        return bad(
            fmt::format("RunConfig.Gateway '{}' is not an IPv4 address, as 10.0.0.1", printable(network.gateway)));
      if (!is_host_address(*gateway, prefix) || *gateway == *address || ((*gateway ^ *address) & mask_of(prefix)) != 0)
        return bad(fmt::format("RunConfig.Gateway {} is not another host of the network {}/{}", network.gateway,
                               ipv4_text(*address & mask_of(prefix)), prefix));
      setting += ",gateway=" + network.gateway;
    }
  }
  if (network.name_servers.size() > kMaximumNameServers)
    return bad(fmt::format("NameServers: {} are given, resolvers ask {} at most", network.name_servers.size(),
                           kMaximumNameServers));
  for (const std::string& server : network.name_servers) {
    in6_addr ignored;
    if (!ipv4_number(server) && inet_pton(AF_INET6, server.c_str(), &ignored) != 1)
      return bad(fmt::format("NameServers: '{}' is not an IPv4 or IPv6 address", printable(server)));
    setting += ",dns=" + server;
  }
  if (network.mtu != 0) {
    if (network.mtu < kLowestMtu || network.mtu > kHighestMtu)
      return bad(fmt::format("RunConfig.MTU {} is not from {} to {}", network.mtu, kLowestMtu, kHighestMtu));
    setting += fmt::format(",mtu={}", network.mtu);
  }
  std::vector<std::string> settings = {setting};
  if (!network.address6.empty()) {
    const auto setting6 = ipv6_setting(network.address6);
    if (!setting6)
      return bad(fmt::format("RunConfig.IPv6Address '{}' is not an IPv6 address of a host, as fd00::5 or fd00::5/64",
                             printable(network.address6)));
    settings.push_back(*setting6);
  }
  return settings;
}

Result<std::string> user_network_options(const std::vector<std::string>& settings, const std::string& where) {
  if (settings.empty()) return std::string();
  const std::string& setting = settings[0];
  const std::string_view text = setting;
  const size_t slash = text.find('/'), comma = text.find(',');
  if (slash == text.npos || slash > comma) return std::string();
  const auto address = ipv4_number(setting.substr(0, slash));
  if (!address) return std::string();
  const std::string_view length = text.substr(slash + 1, comma == text.npos ? text.npos : comma - slash - 1);
  unsigned prefix = 0;
  if (std::from_chars(length.data(), length.data() + length.size(), prefix).ec != std::errc() ||
      prefix > kLongestPrefixOfQemu || prefix == 0)
    return failure(ErrorKind::Unsupported,
                   fmt::format("{}: {}: QEMU's own network cannot be that small; --net tap=INTERFACE", where,
                               printable(setting.substr(0, comma))));
  const uint32_t network = *address & mask_of(prefix);
  uint32_t gateway = 0;
  if (const size_t at = text.find(",gateway="); at != text.npos) {
    const size_t begin = at + std::string_view(",gateway=").size();
    gateway = ipv4_number(setting.substr(begin, text.find(',', begin) - begin)).value_or(0);
  }
  // QEMU wants three addresses that differ, whether they are used or not.
  const auto free_address = [&](uint32_t other) {
    uint32_t found = network + 1;
    while (found == *address || found == other) ++found;
    return found;
  };
  if (gateway == 0) gateway = free_address(0);
  return fmt::format(",net={}/{},host={},dns={},dhcpstart={}", ipv4_text(network), prefix, ipv4_text(gateway),
                     ipv4_text(free_address(gateway)), ipv4_text(*address));
}

}  // namespace mortem::tools
