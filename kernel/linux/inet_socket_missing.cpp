// While the guest has no TCP/IP: the network's own make_inet_socket takes the place of this file.
#include "kernel/linux/socket.h"

namespace kernel::linux {

Result<Socket*> make_inet_socket(int, int, int, int) {
  return Error::FamilyNotSupported;
}

}  // namespace kernel::linux
