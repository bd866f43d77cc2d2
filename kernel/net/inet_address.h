// Addresses of the app (struct sockaddr_in, sockaddr_in6) and lwIP's.
#pragma once

#include "kernel/linux/socket.h"
#include "lwip/err.h"
#include "lwip/ip_addr.h"

namespace kernel::net {

struct Endpoint {
  ip_addr_t address{};
  uint16_t port = 0;
};

// For a socket of that family. An IPv6 socket may name IPv4 addresses as ::ffff:a.b.c.d, which are IPv4's for lwIP; the
// unspecified address of an IPv6 socket stands for both families (`any_of_both`), unless it is IPv6 only.
Result<Endpoint> endpoint_of(const linux::SocketAddress& address, int family, bool any_of_both);
linux::SocketAddress socket_address_of(const ip_addr_t& address, uint16_t port, int family);

// IPv6's form, IPv4 as ::ffff:a.b.c.d.
ip_addr_t address_of_bytes(const uint8_t (&bytes)[16]);
void bytes_of_address(const ip_addr_t& address, uint8_t (&bytes)[16]);

bool is_local_address(const ip_addr_t& address);  // the unspecified one, or one of an interface
Error error_of(err_t error);                      // lwIP's as errno

}  // namespace kernel::net
