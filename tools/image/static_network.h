// The network that a CONFIG.json gives the guest for good, instead of DHCP's.
#pragma once

#include <string>
#include <vector>

#include "snapshot/result.h"

namespace mortem::tools {

// As it stands in the file; "" and 0: not given.
struct StaticNetwork {
  std::string address, mask, gateway;     // IPv4, dotted
  std::string address6;                   // IPv6, with or without /PREFIX
  std::vector<std::string> name_servers;  // IPv4 or IPv6
  uint64_t mtu = 0;                       // bytes
};

// The guest's settings net= (kernel/library/command_line.h), that of IPv4 first; none where nothing was given. `where`
// is the file's name, for errors.
Result<std::vector<std::string>> network_settings(const StaticNetwork& network, const std::string& where);

// Options of QEMU's own network (-netdev user) that make it the one the setting speaks of: the guest's address is where
// forwarded ports lead, the gateway's is QEMU's. "" where the first setting names no IPv4 address: QEMU's DHCP gives
// one.
Result<std::string> user_network_options(const std::vector<std::string>& settings, const std::string& where);

}  // namespace mortem::tools
