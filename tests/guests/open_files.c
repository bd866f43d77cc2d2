// Sockets in several states and descriptors of several kinds, then its death; with an argument it waits instead, so
// that the host's Linux can be asked the same (test_open_files.py).
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <unistd.h>

#define CHECK(call) \
  do {              \
    if ((call) < 0) perror(#call), exit(3); \
  } while (0)

static struct sockaddr_in loopback(int port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

static int port_of(int socket) {
  struct sockaddr_in address;
  socklen_t length = sizeof address;
  CHECK(getsockname(socket, (struct sockaddr*)&address, &length));
  return ntohs(address.sin_port);
}

static int bound(int type) {
  int one = socket(AF_INET, type, 0);
  struct sockaddr_in any = loopback(0);
  CHECK(one);
  CHECK(bind(one, (struct sockaddr*)&any, sizeof any));
  return one;
}

static int connected(int type, int port) {
  int one = socket(AF_INET, type, 0);
  struct sockaddr_in to = loopback(port);
  CHECK(one);
  CHECK(connect(one, (struct sockaddr*)&to, sizeof to));
  return one;
}

// The other side has all that was sent, the end too.
static void acknowledged(int socket) {
  for (int left = 1, tries = 0; left > 0 && tries < 10000; ++tries) {
    CHECK(ioctl(socket, SIOCOUTQ, &left));
    if (left > 0) usleep(1000);
  }
}

int main(int count, char** arguments) {
  (void)arguments;
  char byte;
  int listener = bound(SOCK_STREAM);
  CHECK(listen(listener, 7));
  int port = port_of(listener);
  printf("listener %d\n", port);
  // Ten bytes that nobody read.
  int talker = connected(SOCK_STREAM, port), server = accept(listener, 0, 0);
  CHECK(server);
  CHECK(send(talker, "0123456789", 10, 0));
  CHECK(recv(server, &byte, 1, MSG_PEEK));
  printf("talker %d\n", port_of(talker));
  // The client has gone.
  int leaver = connected(SOCK_STREAM, port), left = accept(listener, 0, 0);
  CHECK(left);
  printf("leaver %d\n", port_of(leaver));
  CHECK(shutdown(leaver, SHUT_WR));
  acknowledged(leaver);
  CHECK(close(leaver));
  if (recv(left, &byte, 1, 0) != 0) return 4;
  // Both have gone, the client first.
  int first = connected(SOCK_STREAM, port), second = accept(listener, 0, 0);
  CHECK(second);
  printf("both %d\n", port_of(first));
  CHECK(shutdown(first, SHUT_WR));
  acknowledged(first);
  CHECK(close(first));
  if (recv(second, &byte, 1, 0) != 0) return 4;
  CHECK(close(second));
  int waiting = connected(SOCK_STREAM, port);  // not accepted
  printf("waiting %d\n", port_of(waiting));
  int datagrams = bound(SOCK_DGRAM), sender = connected(SOCK_DGRAM, port_of(datagrams));
  CHECK(send(sender, "12345", 5, 0));
  printf("datagrams %d\nsender %d\n", port_of(datagrams), port_of(sender));

  int pair[2], ends[2];
  CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
  CHECK(send(pair[0], "abc", 3, 0));
  int named = socket(AF_UNIX, SOCK_STREAM, 0);
  struct sockaddr_un name = {.sun_family = AF_UNIX};
  snprintf(name.sun_path + 1, sizeof name.sun_path - 1, "mortem-open-files-%d", count);
  CHECK(bind(named, (struct sockaddr*)&name, (socklen_t)(sizeof(sa_family_t) + 1 + strlen(name.sun_path + 1))));
  CHECK(listen(named, 3));
  CHECK(pipe2(ends, O_NONBLOCK | O_CLOEXEC));
  int file = open("/tmp/mortem-open-files", O_RDWR | O_CREAT | O_TRUNC | O_APPEND, 0600);
  CHECK(file);
  CHECK(write(file, "hello\n", 6));
  CHECK(dup(talker));
  CHECK(eventfd(1, 0));
  CHECK(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC));
  CHECK(epoll_create1(0));
  acknowledged(talker);
  printf("ready\n");
  fflush(stdout);
  if (count > 1) return read(0, &byte, 1) < 0;
  abort();
}
