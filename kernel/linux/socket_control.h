// Control messages (cmsg(3)) of sendmsg and recvmsg.
#pragma once

#include "kernel/linux/socket.h"

namespace kernel::linux {

inline constexpr int kControlRights = 1, kControlCredentials = 2;  // SCM_*, of SOL_SOCKET
inline constexpr int kLevelIp = 0, kLevelIpv6 = 41;
inline constexpr int kPacketInformation = 8, kPacketInformation6 = 50;  // ip(7), ipv6(7)

struct PacketInformation {  // struct in_pktinfo
  int32_t interface;
  uint8_t own[4], to[4];  // the address that an answer comes from, that of the header
};
struct PacketInformation6 {  // struct in6_pktinfo
  uint8_t to[16];
  int32_t interface;
};
static_assert(sizeof(PacketInformation) == 12 && sizeof(PacketInformation6) == 20);

// What the program sends along: into request.passed, whose files are then the caller's to let go of, also on an error.
Result<void> read_control(uint64_t control, uint64_t length, const Socket& socket, SendRequest& request);

// What came along: as much as `room` bytes hold. The files become descriptors; those that find no room are closed.
// Returns the bytes used; `truncated` is set when something was cut.
Result<uint64_t> write_control(uint64_t control, uint64_t room, bool close_on_exec, ReceiveRequest& request,
                               bool& truncated);

}  // namespace kernel::linux
