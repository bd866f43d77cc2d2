// UDP over the loopback interface: names, connected sockets, truncation, errors that come back by ICMP, IPv6.
// Built with musl too.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "abi.h"
#include "sockets.h"

static int bound(void) {
  const int made = socket(AF_INET, SOCK_DGRAM, 0);
  const struct sockaddr_in address = loopback(0);
  bind(made, (const struct sockaddr*)&address, sizeof address);
  return made;
}
static long send_to(int from, const void* bytes, size_t size, unsigned short port) {
  const struct sockaddr_in address = loopback(port);
  return sendto(from, bytes, size, 0, (const struct sockaddr*)&address, sizeof address);
}
static int error_option(int descriptor) {
  int value = -1;
  socklen_t length = sizeof value;
  getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &value, &length);
  return value;
}

static void basics(void) {
  const int left = bound(), right = bound();
  char bytes[64];
  show_poll("fresh", left);
  fact("send without a name", error_of(send(left, "x", 1, 0)));
  fact("recv without waiting", error_of(recv(left, bytes, 1, MSG_DONTWAIT)));
  fact("listen", error_of(listen(left, 5)));
  fact("accept", error_of(accept(left, NULL, NULL)));
  fact("sendto", send_to(left, "first message", 13, port_of(right)));
  fact("sendto", send_to(left, "second", 6, port_of(right)));
  fact("empty", send_to(left, "", 0, port_of(right)));
  await(right, POLLIN);
  show_poll("with messages", right);
  int count = -1;
  ioctl(right, FIONREAD, &count);
  fact("FIONREAD", count);
  struct sockaddr_in from;
  socklen_t length = sizeof from;
  fact("peek", recvfrom(right, bytes, sizeof bytes, MSG_PEEK, (struct sockaddr*)&from, &length));
  fact("its sender", ntohs(from.sin_port) == port_of(left));
  fact("MSG_TRUNC", recv(right, bytes, 5, MSG_TRUNC));
  struct iovec part = {bytes, 3};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_name = &from, .msg_namelen = sizeof from};
  fact("recvmsg", recvmsg(right, &message, 0));
  printf("flags %#x, name of %u bytes\n", message.msg_flags, message.msg_namelen);
  fact("the empty one", recv(right, bytes, sizeof bytes, 0));
  fact("no more", error_of(recv(right, bytes, sizeof bytes, MSG_DONTWAIT)));
  static char large[70000];
  fact("too long", error_of(send_to(left, large, 65508, port_of(right))));
  fact("to port 0", error_of(send_to(left, "x", 1, 0)));
  const struct sockaddr_in everybody = {.sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = 0xFFFFFFFF};
  fact("broadcast unasked", error_of(sendto(left, "x", 1, 0, (const struct sockaddr*)&everybody, sizeof everybody)));
  for (size_t at = 0; at < sizeof large; ++at) large[at] = (char)(at * 13 + at / 256);
  fact("in fragments", send_to(left, large, 20000, port_of(right)));
  await(right, POLLIN);
  static char copy[70000];
  fact("come whole", recv(right, copy, sizeof copy, 0));
  fact("the same", memcmp(large, copy, 20000) == 0);
  close(left);
  close(right);
}

static void connected(void) {
  const int left = bound(), right = bound(), third = bound();
  char bytes[16];
  struct sockaddr_in name;
  socklen_t length = sizeof name;
  fact("peer of one that has none", error_of(getpeername(left, (struct sockaddr*)&name, &length)));
  fact("connect", error_of(connect4(left, port_of(right))));
  length = sizeof name;
  fact("peer", error_of(getpeername(left, (struct sockaddr*)&name, &length)));
  fact("its port", ntohs(name.sin_port) == port_of(right));
  fact("send", send(left, "abc", 3, 0));
  await(right, POLLIN);
  fact("recv", recv(right, bytes, sizeof bytes, 0));
  send_to(third, "not for you", 11, port_of(left));
  send_to(right, "yes", 3, port_of(left));
  await(left, POLLIN);
  fact("only from the peer", recv(left, bytes, sizeof bytes, 0));
  fact("no more", error_of(recv(left, bytes, sizeof bytes, MSG_DONTWAIT)));
  fact("connect elsewhere", error_of(connect4(left, port_of(third))));
  send(left, "abcd", 4, 0);
  await(third, POLLIN);
  fact("recv there", recv(third, bytes, sizeof bytes, 0));
  const struct sockaddr nobody = {.sa_family = AF_UNSPEC};
  fact("connect to nobody", error_of(connect(left, &nobody, sizeof nobody)));
  fact("send", error_of(send(left, "x", 1, 0)));
  // Where nobody listens.
  const unsigned short gone = port_of(third);
  close(third);
  connect4(left, gone);
  fact("send into the void", send(left, "x", 1, 0));
  await(left, POLLERR);
  show_poll("after it", left);
  fact("recv", error_of(recv(left, bytes, 1, MSG_DONTWAIT)));
  fact("recv again", error_of(recv(left, bytes, 1, MSG_DONTWAIT)));
  send(left, "x", 1, 0);
  await(left, POLLERR);
  fact("SO_ERROR", error_option(left));
  fact("shutdown", error_of(shutdown(left, SHUT_RDWR)));
  show_poll("shut", left);
  fact("recv", recv(left, bytes, 1, 0));
  fact("send", error_of(send(left, "x", 1, MSG_NOSIGNAL)));
  close(left);
  const int fresh = socket(AF_INET, SOCK_DGRAM, 0);
  fact("shutdown of an unconnected one", error_of(shutdown(fresh, SHUT_RD)));
  close(fresh);
  close(right);
}

static void names(void) {
  const int left = bound();
  const struct sockaddr_in same = loopback(port_of(left));
  int other = socket(AF_INET, SOCK_DGRAM, 0);
  fact("bind to a name in use", error_of(bind(other, (const struct sockaddr*)&same, sizeof same)));
  const struct sockaddr_in foreign = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x08080808)};
  fact("bind to another's address", error_of(bind(other, (const struct sockaddr*)&foreign, sizeof foreign)));
  close(other);
  other = socket(AF_INET6, SOCK_DGRAM, 0);
  struct sockaddr_in6 any = {.sin6_family = AF_INET6}, from = {0};
  bind(other, (struct sockaddr*)&any, sizeof any);
  send_to(left, "over IPv4", 9, port_of(other));
  await(other, POLLIN);
  char bytes[16], text[64];
  socklen_t length = sizeof from;
  fact("recvfrom", recvfrom(other, bytes, sizeof bytes, 0, (struct sockaddr*)&from, &length));
  printf("from %s, length %u\n", inet_ntop(AF_INET6, &from.sin6_addr, text, sizeof text), length);
  fact("back", sendto(other, "back", 4, 0, (struct sockaddr*)&from, sizeof from));
  await(left, POLLIN);
  fact("comes", recv(left, bytes, sizeof bytes, 0));
  const int six = socket(AF_INET6, SOCK_DGRAM, 0);
  const struct sockaddr_in6 to = {
      .sin6_family = AF_INET6, .sin6_port = htons(port_of(other)), .sin6_addr = IN6ADDR_LOOPBACK_INIT};
  fact("over IPv6", sendto(six, "six", 3, 0, (const struct sockaddr*)&to, sizeof to));
  await(other, POLLIN);
  length = sizeof from;
  fact("recvfrom", recvfrom(other, bytes, sizeof bytes, 0, (struct sockaddr*)&from, &length));
  printf("from %s, length %u\n", inet_ntop(AF_INET6, &from.sin6_addr, text, sizeof text), length);
  close(six);
  close(other);
  close(left);
}

int main(void) {
  basics();
  connected();
  names();
  return 0;
}
