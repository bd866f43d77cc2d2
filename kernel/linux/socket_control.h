// Control messages (cmsg(3)) of sendmsg and recvmsg.
#pragma once

#include "kernel/linux/socket.h"

namespace kernel::linux {

inline constexpr int kControlRights = 1, kControlCredentials = 2;  // SCM_*, of SOL_SOCKET

// What the program sends along: into request.passed, whose files are then the caller's to let go of, also on an error.
Result<void> read_control(uint64_t control, uint64_t length, const Socket& socket, SendRequest& request);

// What came along: as much as `room` bytes hold. The files become descriptors; those that find no room are closed.
// Returns the bytes used; `truncated` is set when something was cut.
Result<uint64_t> write_control(uint64_t control, uint64_t room, bool close_on_exec, ReceiveRequest& request,
                               bool& truncated);

}  // namespace kernel::linux
