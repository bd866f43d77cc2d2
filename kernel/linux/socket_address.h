// Addresses between the program and the kernel, as accept(2), recvfrom(2) and bind(2) have them.
#pragma once

#include "kernel/linux/socket.h"

namespace kernel::linux {

// Invalid: a negative length, or longer than struct sockaddr_storage.
Result<SocketAddress> read_user_address(uint64_t address, int length);
// `user_length` points to the length of the program's buffer; it becomes the length of the whole address.
Result<void> write_user_address(const SocketAddress& address, uint64_t user_address, uint64_t user_length);

}  // namespace kernel::linux
