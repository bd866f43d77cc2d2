// Making, naming and joining sockets. What a family does stands behind class Socket; the order of the checks is Linux's
// (net/socket.c), because programs see which error comes first.
#include "kernel/linux/calls.h"
#include "kernel/linux/socket_address.h"
#include "kernel/linux/socket_transfer.h"
#include "kernel/linux/unix_socket.h"

namespace kernel::linux {
namespace {

constexpr int kTypeMask = 0xF;  // the rest of the `type` argument is flags: SOCK_NONBLOCK and SOCK_CLOEXEC
constexpr int kHighestType = 10, kHighestFamily = 45;

struct WantedType {
  int type, flags;
  bool close_on_exec;
};
Result<WantedType> wanted_type(int type_and_flags) {
  const int flags = type_and_flags & ~kTypeMask;
  if ((flags & ~(kOpenNonBlock | kOpenCloseOnExec)) != 0) return Error::Invalid;
  return WantedType{type_and_flags & kTypeMask, flags & kOpenNonBlock, (flags & kOpenCloseOnExec) != 0};
}

Result<void> check_family(int family, int type) {
  if (family < 0 || family > kHighestFamily) return Error::FamilyNotSupported;
  if (type > kHighestType) return Error::Invalid;
  return {};
}

Result<uint64_t> accept_connection(const Arguments& argument, int flags) {
  OpenFile* file = TRY(open_file(argument.number(0)));
  if ((file->flags() & kOpenPath) != 0) return Error::BadDescriptor;
  if ((flags & ~(kOpenNonBlock | kOpenCloseOnExec)) != 0) return Error::Invalid;
  Socket* listener = TRY(open_socket(argument.number(0)));
  const HeldFile held(*listener);
  TRY(check_descriptor_is_free());
  SocketAddress peer;
  Socket* accepted = TRY(listener->accept(flags & kOpenNonBlock, peer));
  const uint64_t descriptor = TRY(install(accepted, (flags & kOpenCloseOnExec) != 0));
  if (argument[1] == 0) return descriptor;
  if (auto written = write_user_address(peer, argument[1], argument[2]); written.is_error()) {
    TRY(close_descriptor(static_cast<int>(descriptor)));
    return written.error();
  }
  return descriptor;
}

}  // namespace

MORTEM_CALL(socket) {
  const WantedType wanted = TRY(wanted_type(argument.number(1)));
  const int family = argument.number(0), protocol = argument.number(2);
  TRY(check_family(family, wanted.type));
  Socket* made;
  if (family == kFamilyUnix)
    made = TRY(make_unix_socket(wanted.type, protocol, wanted.flags));
  else if (family == kFamilyNetlink)
    made = TRY(make_netlink_socket(wanted.type, protocol, wanted.flags));
  else
    made = TRY(make_inet_socket(family, wanted.type, protocol, wanted.flags));
  return install(made, wanted.close_on_exec);
}

MORTEM_CALL(socketpair) {
  const WantedType wanted = TRY(wanted_type(argument.number(1)));
  const int family = argument.number(0), protocol = argument.number(2);
  // Linux writes the descriptors first: a bad pointer is the first error.
  TRY(check_descriptor_is_free());
  TRY(clear_user(argument[3], 2 * sizeof(int32_t)));
  TRY(check_family(family, wanted.type));
  if (family != kFamilyUnix) {
    TRY(make_inet_socket(family, wanted.type, protocol, wanted.flags))->release();
    return Error::NotSupported;
  }
  const UnixPair pair = TRY(make_unix_pair(wanted.type, protocol, wanted.flags));
  auto first = install(pair.first, wanted.close_on_exec);
  if (first.is_error()) {
    pair.second->release();
    return first.error();
  }
  auto second = install(pair.second, wanted.close_on_exec);
  Error error = Error::Fault;
  if (second) {
    const int32_t numbers[2] = {static_cast<int32_t>(first.value()), static_cast<int32_t>(second.value())};
    if (copy_to_user(argument[3], numbers, sizeof numbers)) return 0;
    TRY(close_descriptor(numbers[1]));
  } else {
    error = second.error();
  }
  TRY(close_descriptor(static_cast<int>(first.value())));
  return error;
}

MORTEM_CALL(bind) {
  Socket* socket = TRY(open_socket(argument.number(0)));
  TRY(socket->bind(TRY(read_user_address(argument[1], argument.number(2)))));
  return 0;
}

MORTEM_CALL(connect) {
  TRY(open_file(argument.number(0)));
  const SocketAddress address = TRY(read_user_address(argument[1], argument.number(2)));
  Socket* socket = TRY(open_socket(argument.number(0)));
  const HeldFile held(*socket);
  TRY(socket->connect(address));
  return 0;
}

MORTEM_CALL(listen) {
  Socket* socket = TRY(open_socket(argument.number(0)));
  const auto backlog = static_cast<uint32_t>(argument[1]);
  constexpr uint32_t kMost = 4096;  // /proc/sys/net/core/somaxconn
  TRY(socket->listen(static_cast<int>(backlog < kMost ? backlog : kMost)));
  return 0;
}

MORTEM_CALL(accept) {
  return accept_connection(argument, 0);
}
MORTEM_CALL(accept4) {
  return accept_connection(argument, argument.number(3));
}

MORTEM_CALL(shutdown) {
  Socket* socket = TRY(open_socket(argument.number(0)));
  const HeldFile held(*socket);
  TRY(socket->shutdown(argument.number(1)));
  return 0;
}

MORTEM_CALL(getsockname) {
  Socket* socket = TRY(open_socket(argument.number(0)));
  TRY(write_user_address(TRY(socket->local_address()), argument[1], argument[2]));
  return 0;
}
MORTEM_CALL(getpeername) {
  Socket* socket = TRY(open_socket(argument.number(0)));
  TRY(write_user_address(TRY(socket->peer_address()), argument[1], argument[2]));
  return 0;
}

}  // namespace kernel::linux
