#include "tools/qemu/unplugged_tap.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>

namespace mortem::tools {

namespace {

union DescriptorMessage {
  cmsghdr header;
  char bytes[CMSG_SPACE(sizeof(int))];
};

msghdr message_of(iovec& byte, DescriptorMessage& control) {
  msghdr message{};
  message.msg_iov = &byte;
  message.msg_iovlen = 1;
  message.msg_control = control.bytes;
  message.msg_controllen = sizeof control.bytes;
  return message;
}

// In a process of its own: a device belongs to the namespace of who opened it. 0, or errno.
int make_and_send(int to) {
  if (unshare(CLONE_NEWNET) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) return errno;
  const int tap = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
  ifreq request{};
  request.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;  // as QEMU opens the original's
  if (tap < 0 || ioctl(tap, TUNSETIFF, &request) != 0) return errno;
  char nothing = 0;
  iovec byte{&nothing, 1};
  DescriptorMessage control{};
  const msghdr message = message_of(byte, control);
  control.header = {.cmsg_len = CMSG_LEN(sizeof tap), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
  std::memcpy(CMSG_DATA(&control.header), &tap, sizeof tap);
  return sendmsg(to, &message, MSG_NOSIGNAL) == 1 ? 0 : errno;
}

}  // namespace

Result<Descriptor> open_unplugged_tap() {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return system_failure("cannot make", "a socket");
  Descriptor ours(ends[0]), theirs(ends[1]);
  const pid_t child = fork();
  if (child < 0) return system_failure("cannot start", "a process");
  if (child == 0) _exit(make_and_send(theirs.get()));
  theirs.reset();
  char nothing = 0;
  iovec byte{&nothing, 1};
  DescriptorMessage control{};
  msghdr message = message_of(byte, control);
  const bool is_sent = recvmsg(ours.get(), &message, MSG_CMSG_CLOEXEC) == 1 && CMSG_FIRSTHDR(&message) != nullptr;
  int status = 0, tap = -1;
  waitpid(child, &status, 0);
  if (!is_sent)
    return failure(
        ErrorKind::System,
        fmt::format("cannot make a tap device in a network namespace of its own, which the copy of a guest that stood "
                    "on one needs: {}; it takes access to /dev/net/tun and, but for root, user namespaces",
                    std::strerror(WIFEXITED(status) ? WEXITSTATUS(status) : EIO)));
  std::memcpy(&tap, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof tap);
  return Descriptor(tap);
}

}  // namespace mortem::tools
