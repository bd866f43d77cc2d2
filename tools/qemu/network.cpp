#include "tools/qemu/network.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cctype>
#include <charconv>
#include <cstring>

#include "tools/files.h"
#include "tools/output.h"
#include "tools/sha256.h"

namespace mortem::tools {

namespace {

std::vector<std::string> split_text(const std::string& text, char separator) {
  std::vector<std::string> parts;
  size_t start = 0;
  for (size_t end; (end = text.find(separator, start)) != std::string::npos; start = end + 1)
    parts.push_back(text.substr(start, end - start));
  parts.push_back(text.substr(start));
  return parts;
}

bool parse_port(const std::string& text, uint16_t& port) {
  unsigned value = 0;
  const char* end = text.data() + text.size();
  if (text.empty() || std::from_chars(text.data(), end, value).ptr != end || value == 0 || value > 65535) return false;
  port = uint16_t(value);
  return true;
}

bool is_address(const std::string& text, int family) {
  uint8_t bytes[16];
  return inet_pton(family, text.c_str(), bytes) == 1;
}

bool is_any_address(const std::string& text) {
  return is_address(text, AF_INET) || is_address(text, AF_INET6);
}

bool is_hardware_address(const std::string& text) {
  if (text.size() != 17) return false;
  for (size_t index = 0; index < text.size(); ++index)
    if (index % 3 == 2 ? text[index] != ':' : !std::isxdigit(static_cast<unsigned char>(text[index]))) return false;
  return true;
}

bool is_address_with_prefix(const std::string& text) {
  const size_t slash = text.find('/');
  if (slash == std::string::npos) return false;
  const std::string address = text.substr(0, slash), prefix = text.substr(slash + 1);
  unsigned length = 0;
  const char* end = prefix.data() + prefix.size();
  if (prefix.empty() || std::from_chars(prefix.data(), end, length).ptr != end) return false;
  return (is_address(address, AF_INET) && length <= 32) || (is_address(address, AF_INET6) && length <= 64);
}

// 0: not known.
unsigned mtu_of(const std::string& interface) {
  Descriptor probe(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  interface.copy(request.ifr_name, IFNAMSIZ - 1);
  if (!probe || ioctl(probe.get(), SIOCGIFMTU, &request) != 0 || request.ifr_mtu < 0) return 0;
  return unsigned(request.ifr_mtu);
}

}  // namespace

std::string PortForward::of_qemu() const {
  return fmt::format("{}:{}:{}-:{}", udp ? "udp" : "tcp", address, host, guest);
}

std::string PortForward::text() const {
  return fmt::format("{}{}:{}{}", address == PortForward().address ? "" : address + ":", host, guest,
                     udp ? "/udp" : "");
}

Result<PortForward> parse_port_forward(const std::string& text, const std::string& what) {
  const auto bad = [&] {
    return failure(ErrorKind::BadInput,
                   fmt::format("{} {}: [ADDRESS:]HOST:GUEST[/udp], ports from 1 to 65535, ADDRESS an IPv4 address of "
                               "this host",
                               what, printable(text)));
  };
  PortForward forward;
  std::string ports = text;
  if (const size_t slash = text.find('/'); slash != std::string::npos) {
    const std::string protocol = text.substr(slash + 1);
    if (protocol != "udp" && protocol != "tcp") return bad();
    forward.udp = protocol == "udp";
    ports = text.substr(0, slash);
  }
  std::vector<std::string> parts = split_text(ports, ':');
  if (parts.size() > 3) return bad();
  if (parts.size() == 3) {
    forward.address = parts[0];
    if (!is_address(forward.address, AF_INET)) return bad();
    parts.erase(parts.begin());
  }
  if (!parse_port(parts.front(), forward.host) || !parse_port(parts.back(), forward.guest)) return bad();
  return forward;
}

Result<Network> parse_network(const std::string& text) {
  Network network;
  if (text == "user") return network;
  if (text == "none") {
    network.kind = NetworkKind::None;
    return network;
  }
  const auto parts = split_text(text, ',');
  if (!parts[0].starts_with("tap=") || parts[0].size() == 4)
    return failure(ErrorKind::BadInput,
                   fmt::format("--net {}: user, none, or tap=INTERFACE[,mac=ADDRESS][,address=ADDRESS/PREFIX]"
                               "[,gateway=ADDRESS][,dns=ADDRESS][,mtu=BYTES]",
                               printable(text)));
  network.kind = NetworkKind::Tap;
  network.interface = parts[0].substr(4);
  if (network.interface.size() >= IFNAMSIZ || network.interface.find('/') != std::string::npos)
    return failure(ErrorKind::BadInput,
                   fmt::format("--net: {}: not an interface's name", printable(network.interface)));
  std::string address = "dhcp", more;
  for (size_t index = 1; index < parts.size(); ++index) {
    const size_t equals = parts[index].find('=');
    const std::string key = parts[index].substr(0, equals),
                      value = equals == std::string::npos ? std::string() : parts[index].substr(equals + 1);
    if (key == "mac" && is_hardware_address(value)) {
      network.hardware_address = value;
      continue;
    }
    uint16_t mtu = 0;
    const bool good = (key == "address" && is_address_with_prefix(value)) ||
                      ((key == "gateway" || key == "dns") && is_any_address(value)) ||
                      (key == "mtu" && parse_port(value, mtu));
    if (!good)
      return failure(
          ErrorKind::BadInput,
          fmt::format("--net: '{}': mac=ADDRESS, address=ADDRESS/PREFIX, gateway=ADDRESS, dns=ADDRESS or mtu=BYTES",
                      printable(parts[index])));
    if (key == "address")
      address = value;
    else
      more += "," + parts[index];
  }
  if (address != "dhcp" || !more.empty()) network.settings = address + more;
  return network;
}

Result<Network> parse_copy_network(const std::string& text, const std::vector<std::string>& ports) {
  Network network;
  if (text == "none")
    network.kind = NetworkKind::None;
  else if (text == "isolated")
    network.kind = NetworkKind::Isolated;
  else if (text != "user")
    return failure(ErrorKind::BadInput, fmt::format("--net {}: none, isolated or user", printable(text)));
  if (network.kind == NetworkKind::None && !ports.empty())
    return failure(ErrorKind::BadInput, "-p goes with --net isolated or user");
  for (const std::string& port : ports) network.ports.push_back(TRY(parse_port_forward(port, "-p")));
  TRY_VOID(check_network(network));
  return network;
}

Result<void> check_network(Network& network) {
  // As root QEMU would make an interface of that name, which leads nowhere.
  if (network.kind == NetworkKind::Tap && if_nametoindex(network.interface.c_str()) == 0)
    return failure(ErrorKind::NotFound,
                   fmt::format("--net tap={}: there is no such interface; ip tuntap add dev {} mode tap",
                               printable(network.interface), printable(network.interface)));
  if (network.kind == NetworkKind::Tap) network.mtu = mtu_of(network.interface);
  for (const PortForward& forward : network.ports) {
    Descriptor probe(socket(AF_INET, (forward.udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0));
    if (!probe) return system_failure("cannot make", "a socket");
    const int on = 1;  // connections that linger are no listeners
    setsockopt(probe.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(forward.host);
    inet_pton(AF_INET, forward.address.c_str(), &address.sin_addr);
    if (bind(probe.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) continue;
    return failure(ErrorKind::System,
                   fmt::format("-p {}: {} port {} of {}: {}", forward.text(), forward.udp ? "UDP" : "TCP", forward.host,
                               forward.address, std::strerror(errno)));
  }
  return {};
}

std::vector<std::string> qemu_network_options(const Network& network, const std::string& name) {
  if (network.kind == NetworkKind::None) return {"-nic", "none"};
  // Without the card's boot ROM: nobody boots from it, and the firmware would run it.
  std::string device = "virtio-net-pci,netdev=net,disable-legacy=on,romfile=", backend = "user,id=net";
  // The guest's frames must fit through the interface; QEMU itself says nothing, and then a guest takes 1500.
  if (network.mtu != 0 && network.mtu != 1500) device += fmt::format(",host_mtu={}", network.mtu);
  if (network.kind == NetworkKind::Tap) {
    backend = fmt::format("tap,id=net,ifname={},script=no,downscript=no", network.interface);
    if (!network.hardware_address.empty()) {
      device += ",mac=" + network.hardware_address;
      return {"-netdev", backend, "-device", device};
    }
    // Guests that share a bridge must differ; the same name has the same address again.
    Sha256 hash;
    hash.add({reinterpret_cast<const uint8_t*>(name.data()), name.size()});
    const auto bytes = hash.finish();
    device += fmt::format(",mac=52:54:00:{:02x}:{:02x}:{:02x}", bytes[0], bytes[1], bytes[2]);
  }
  if (network.kind == NetworkKind::Unplugged) backend = fmt::format("tap,id=net,fd={}", network.tap);
  if (network.kind == NetworkKind::User || network.kind == NetworkKind::Isolated) backend += network.user_options;
  if (network.kind == NetworkKind::Isolated) backend += ",restrict=on";
  for (const PortForward& forward : network.ports)
    backend += ",hostfwd=" + forward.of_qemu();
  return {"-netdev", backend, "-device", device};
}

std::vector<std::string> recorded_network_options(const Network& network) {
  if (network.kind == NetworkKind::None) return {"-nic", "none"};
  std::string backend = "user,id=net" + network.user_options;
  if (network.kind == NetworkKind::Isolated) backend += ",restrict=on";
  for (const PortForward& forward : network.ports)
    backend += ",hostfwd=" + forward.of_qemu();
  // Frames are sent by a timer of the guest's time: QEMU 7.2's other way is its main loop, whenever that comes round.
  // Without waiting: a stop of the machine begins a waiting anew, and what was recorded would not come.
  return {"-netdev", backend,
          "-device", "virtio-net-pci,netdev=net,disable-legacy=on,romfile=,ioeventfd=off,tx=timer,x-txtimer=0",
          "-object", "filter-replay,id=recorded-network,netdev=net"};
}

}  // namespace mortem::tools
