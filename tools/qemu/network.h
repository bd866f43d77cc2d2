// The network of a guest: QEMU's own (user), a tap device of the host, or none; and the ports of the host that lead
// into the guest.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "snapshot/result.h"

namespace mortem::tools {

struct PortForward {
  std::string address = "127.0.0.1";  // of the host
  uint16_t host = 0, guest = 0;
  bool udp = false;
  std::string text() const;  // HOST:GUEST, ADDRESS:HOST:GUEST where that is another, with /udp
  std::string of_qemu() const;  // the value of a hostfwd=
};
// HOST:GUEST or PORT, with an IPv4 ADDRESS: before it and /tcp or /udp behind it. `what` names the option or key.
Result<PortForward> parse_port_forward(const std::string& text, const std::string& what);

// Unplugged: a card on a tap device that leads nowhere, for a copy of a guest that stood on one. Isolated: QEMU's own
// network without a way out of it or in.
enum class NetworkKind { User, Tap, None, Unplugged, Isolated };
struct Network {
  NetworkKind kind = NetworkKind::User;
  std::string interface;         // Tap
  unsigned mtu = 0;              // Tap, Unplugged: the original's; 0: not known, or 1500
  int tap = -1;                  // Unplugged: its descriptor (unplugged_tap.h)
  std::string hardware_address;  // empty: QEMU's, or on a tap device one made of the guest's name
  std::string settings;          // for the guest's net=, empty: none (kernel/library/command_line.h)
  std::string user_options;      // User, Isolated: QEMU's that make it the network of a fixed address, or empty
  std::vector<PortForward> ports;
};
// What --net says: user, none, or tap=INTERFACE with ,mac= ,address=ADDRESS/PREFIX ,gateway= ,dns= ,mtu= behind it.
Result<Network> parse_network(const std::string& text);
// What --net and -p of a copy say: none, isolated or user, with ports where there is a network.
Result<Network> parse_copy_network(const std::string& text, const std::vector<std::string>& ports);
// That nobody listens at the host's ports yet, and that the interface is there, whose MTU is taken: QEMU would say so
// only when the guest is about to start, or not at all.
Result<void> check_network(Network& network);

// QEMU's options. `name` is the guest's, of which its hardware address is made on a tap device.
std::vector<std::string> qemu_network_options(const Network& network, const std::string& name);
// Of a guest that is recorded or replayed: what comes in stands in the log. User or isolated only, or none.
std::vector<std::string> recorded_network_options(const Network& network);

}  // namespace mortem::tools
