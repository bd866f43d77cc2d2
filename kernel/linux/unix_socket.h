// What socket_calls.cpp needs of the Unix family beyond class Socket.
#pragma once

#include "kernel/linux/socket.h"

namespace kernel::linux {

struct UnixPair {
  Socket *first, *second;
};
Result<UnixPair> make_unix_pair(int type, int protocol, int flags);  // socketpair(2)

}  // namespace kernel::linux
