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

static void show_packet(int socket) {
  char bytes[16], control[256];
  struct sockaddr_storage from;
  struct iovec part = {bytes, sizeof bytes};
  struct msghdr message = {.msg_iov = &part,
                           .msg_iovlen = 1,
                           .msg_control = control,
                           .msg_controllen = sizeof control,
                           .msg_name = &from,
                           .msg_namelen = sizeof from};
  await(socket, POLLIN);
  fact("recvmsg", recvmsg(socket, &message, 0));
  char text[64], own[64];
  if (from.ss_family == AF_INET)
    inet_ntop(AF_INET, &((struct sockaddr_in*)&from)->sin_addr, text, sizeof text);
  else
    inet_ntop(AF_INET6, &((struct sockaddr_in6*)&from)->sin6_addr, text, sizeof text);
  printf("from %s, control of %zu bytes\n", text, (size_t)message.msg_controllen);
  for (struct cmsghdr* one = CMSG_FIRSTHDR(&message); one != NULL; one = CMSG_NXTHDR(&message, one)) {
    printf("level %d, type %d, length %zu", one->cmsg_level, one->cmsg_type, (size_t)one->cmsg_len);
    if (one->cmsg_level == IPPROTO_IP) {
      struct in_pktinfo information;
      memcpy(&information, CMSG_DATA(one), sizeof information);
      printf(", interface %d, %s, %s\n", information.ipi_ifindex,
             inet_ntop(AF_INET, &information.ipi_spec_dst, own, sizeof own),
             inet_ntop(AF_INET, &information.ipi_addr, text, sizeof text));
    } else {
      struct in6_pktinfo information;
      memcpy(&information, CMSG_DATA(one), sizeof information);
      printf(", interface %d, %s\n", information.ipi6_ifindex,
             inet_ntop(AF_INET6, &information.ipi6_addr, text, sizeof text));
    }
  }
}

static void send_as(const char* what, int socket, const void* to, socklen_t length, int level, int type,
                    const void* information, size_t size) {
  union {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(64)];
  } control = {.header = {.cmsg_len = CMSG_LEN(size), .cmsg_level = level, .cmsg_type = type}};
  memcpy(CMSG_DATA(&control.header), information, size);
  struct iovec part = {"answer", 6};
  struct msghdr message = {.msg_iov = &part,
                           .msg_iovlen = 1,
                           .msg_control = &control,
                           .msg_controllen = CMSG_SPACE(size),
                           .msg_name = (void*)to,
                           .msg_namelen = length};
  fact(what, error_of(sendmsg(socket, &message, 0)));
}

// To which of its addresses a datagram came, and from which one an answer goes.
static void packet_information(void) {
  const int client = bound();
  const int on = 1;
  const struct sockaddr_in any = {.sin_family = AF_INET};
  const struct sockaddr_in6 any6 = {.sin6_family = AF_INET6};
  const int server = socket(AF_INET, SOCK_DGRAM, 0), server6 = socket(AF_INET6, SOCK_DGRAM, 0);
  fact("bind", error_of(bind(server, (const struct sockaddr*)&any, sizeof any)));
  fact("bind", error_of(bind(server6, (const struct sockaddr*)&any6, sizeof any6)));
  fact("without IP_PKTINFO", send_to(client, "one", 3, port_of(server)));
  show_packet(server);
  fact("IP_PKTINFO", error_of(setsockopt(server, IPPROTO_IP, IP_PKTINFO, &on, sizeof on)));
  fact("IPV6_RECVPKTINFO", error_of(setsockopt(server6, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof on)));
  fact("two", send_to(client, "two", 3, port_of(server)));
  show_packet(server);
  fact("three", send_to(client, "three", 5, port_of(server6)));
  show_packet(server6);
  fact("IP_PKTINFO of IPv6's", error_of(setsockopt(server6, IPPROTO_IP, IP_PKTINFO, &on, sizeof on)));
  fact("four", send_to(client, "four", 4, port_of(server6)));
  show_packet(server6);
  const int client6 = socket(AF_INET6, SOCK_DGRAM, 0);
  const struct sockaddr_in6 to6 = {
      .sin6_family = AF_INET6, .sin6_port = htons(port_of(server6)), .sin6_addr = IN6ADDR_LOOPBACK_INIT};
  fact("five", sendto(client6, "five", 4, 0, (const struct sockaddr*)&to6, sizeof to6));
  show_packet(server6);

  struct in_pktinfo as = {.ipi_spec_dst.s_addr = htonl(INADDR_LOOPBACK)};
  const struct sockaddr_in back = loopback(port_of(client));
  send_as("answer", server, &back, sizeof back, IPPROTO_IP, IP_PKTINFO, &as, sizeof as);
  show_packet(client);
  as.ipi_spec_dst.s_addr = inet_addr("192.0.2.7");
  send_as("as nobody here", server, &back, sizeof back, IPPROTO_IP, IP_PKTINFO, &as, sizeof as);
  as.ipi_spec_dst.s_addr = 0;
  send_as("as whoever", server, &back, sizeof back, IPPROTO_IP, IP_PKTINFO, &as, sizeof as);
  show_packet(client);
  send_as("too short", server, &back, sizeof back, IPPROTO_IP, IP_PKTINFO, &as, 8);
  struct in6_pktinfo as6 = {.ipi6_addr = IN6ADDR_LOOPBACK_INIT};
  const struct sockaddr_in6 back6 = {
      .sin6_family = AF_INET6, .sin6_port = htons(port_of(client6)), .sin6_addr = IN6ADDR_LOOPBACK_INIT};
  send_as("answer over IPv6", server6, &back6, sizeof back6, IPPROTO_IPV6, IPV6_PKTINFO, &as6, sizeof as6);
  show_packet(client6);
  inet_pton(AF_INET6, "2001:db8::7", &as6.ipi6_addr);
  send_as("as nobody here", server6, &back6, sizeof back6, IPPROTO_IPV6, IPV6_PKTINFO, &as6, sizeof as6);
  close(client6);
  close(server6);
  close(server);
  close(client);
}

int main(void) {
  basics();
  connected();
  names();
  packet_information();
  return 0;
}
