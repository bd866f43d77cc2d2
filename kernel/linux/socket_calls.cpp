// There are no sockets yet: what is asked of a descriptor is answered as Linux answers it for one that is no socket.
// socket(2) itself is not there and is logged by name.
#include "kernel/linux/calls.h"
#include "kernel/linux/files.h"

namespace kernel::linux {
namespace {

Result<uint64_t> not_a_socket(const Arguments& argument) {
  TRY(open_file(argument.number(0)));
  return Error::NotSocket;
}

}  // namespace

MORTEM_CALL(getpeername) { return not_a_socket(argument); }
MORTEM_CALL(getsockname) { return not_a_socket(argument); }
MORTEM_CALL(getsockopt) { return not_a_socket(argument); }
MORTEM_CALL(setsockopt) { return not_a_socket(argument); }
MORTEM_CALL(sendto) { return not_a_socket(argument); }
MORTEM_CALL(recvfrom) { return not_a_socket(argument); }
MORTEM_CALL(sendmsg) { return not_a_socket(argument); }
MORTEM_CALL(recvmsg) { return not_a_socket(argument); }

}  // namespace kernel::linux
