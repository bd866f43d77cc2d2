// TCP over the loopback interface: listening and connecting, both ways of waiting, half-closed connections, resets,
// options, IPv6 and IPv4 behind one socket.
// Built with musl too.
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "abi.h"
#include "sockets.h"

static struct sockaddr_in6 loopback6(unsigned short port) {
  return (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = IN6ADDR_LOOPBACK_INIT};
}

static int make_listener(unsigned short* port) {
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  const struct sockaddr_in address = loopback(0);
  bind(listener, (const struct sockaddr*)&address, sizeof address);
  listen(listener, 16);
  *port = port_of(listener);
  return listener;
}

struct pair {
  int client, server;
};
static struct pair make_pair(void) {
  unsigned short port;
  const int listener = make_listener(&port);
  struct pair pair;
  pair.client = socket(AF_INET, SOCK_STREAM, 0);
  if (connect4(pair.client, port) != 0) printf("connect: error %d\n", errno);
  pair.server = accept(listener, NULL, NULL);
  close(listener);
  return pair;
}
static void close_pair(struct pair pair) {
  close(pair.client);
  close(pair.server);
}

static int number_option(int descriptor, int level, int name) {
  int value = -1;
  socklen_t length = sizeof value;
  if (getsockopt(descriptor, level, name, &value, &length) != 0) return -errno;
  return value;
}
static void set_number(const char* what, int descriptor, int level, int name, int value) {
  printf("%s = %d: error %d", what, value, error_of(setsockopt(descriptor, level, name, &value, sizeof value)));
  printf(", then %d\n", number_option(descriptor, level, name));
}

static void show_address(const char* what, int descriptor, int (*get)(int, struct sockaddr*, socklen_t*)) {
  struct sockaddr_storage address = {0};
  socklen_t length = sizeof address;
  const int error = error_of(get(descriptor, (struct sockaddr*)&address, &length));
  char text[64] = "";
  int has_port = 0;
  if (error == 0 && address.ss_family == AF_INET) {
    inet_ntop(AF_INET, &((struct sockaddr_in*)&address)->sin_addr, text, sizeof text);
    has_port = ((struct sockaddr_in*)&address)->sin_port != 0;
  } else if (error == 0 && address.ss_family == AF_INET6) {
    inet_ntop(AF_INET6, &((struct sockaddr_in6*)&address)->sin6_addr, text, sizeof text);
    has_port = ((struct sockaddr_in6*)&address)->sin6_port != 0;
  }
  if (error != 0) length = 0;
  printf("%s: error %d, length %u, %s, %s\n", what, error, length, text, has_port ? "a port" : "no port");
}

static void kinds(void) {
  fact("socket of an unknown family", error_of(socket(27, SOCK_STREAM, 0) < 0 ? -1 : 0) != 0);
  fact("socket with a wrong protocol", error_of(socket(AF_INET, SOCK_STREAM, IPPROTO_UDP)));
  fact("socket of a wrong type", error_of(socket(AF_INET, 9, 0)));
  const int made = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
  fact("flags", fcntl(made, F_GETFL) & (O_NONBLOCK | O_ACCMODE));
  fact("close on exec", fcntl(made, F_GETFD));
  fact("type", number_option(made, SOL_SOCKET, SO_TYPE));
  fact("domain", number_option(made, SOL_SOCKET, SO_DOMAIN));
  fact("protocol", number_option(made, SOL_SOCKET, SO_PROTOCOL));
  fact("accepts", number_option(made, SOL_SOCKET, SO_ACCEPTCONN));
  show_poll("fresh", made);
  char byte;
  fact("recv of a fresh one", error_of(recv(made, &byte, 1, 0)));
  fact("send on a fresh one", error_of(send(made, "x", 1, MSG_NOSIGNAL)));
  fact("accept on a fresh one", error_of(accept(made, NULL, NULL)));
  fact("shutdown of a fresh one", error_of(shutdown(made, SHUT_WR)));
  show_address("own name of a fresh one", made, getsockname);
  show_address("peer of a fresh one", made, getpeername);
  close(made);
}

static void bind_rules(void) {
  unsigned short port;
  const int listener = make_listener(&port), other = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in address = loopback(port);
  fact("bind to a port that is listened at", error_of(bind(other, (struct sockaddr*)&address, sizeof address)));
  const int one = 1;
  setsockopt(other, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  fact("the same with SO_REUSEADDR", error_of(bind(other, (struct sockaddr*)&address, sizeof address)));
  address.sin_addr.s_addr = htonl(0x08080808);
  fact("bind to another's address", error_of(bind(other, (struct sockaddr*)&address, sizeof address)));
  fact("bind with a short address", error_of(bind(other, (struct sockaddr*)&address, 8)));
  const struct sockaddr_in6 wrong = loopback6(0);
  fact("bind to IPv6", error_of(bind(other, (const struct sockaddr*)&wrong, sizeof wrong)));
  address = loopback(0);
  fact("bind to any port", error_of(bind(other, (struct sockaddr*)&address, sizeof address)));
  fact("bind again", error_of(bind(other, (struct sockaddr*)&address, sizeof address)));
  show_address("bound", other, getsockname);
  show_poll("bound", other);
  fact("listen", error_of(listen(other, 5)));
  fact("listen again", error_of(listen(other, 7)));
  fact("accepts", number_option(other, SOL_SOCKET, SO_ACCEPTCONN));
  show_poll("listening", other);
  fact("connect a listener", error_of(connect4(other, port)));
  char byte;
  fact("recv on a listener", error_of(recv(other, &byte, 1, 0)));
  fact("send on a listener", error_of(send(other, "x", 1, MSG_NOSIGNAL)));
  int count;
  fact("FIONREAD on a listener", error_of(ioctl(other, FIONREAD, &count)));
  fact("SIOCOUTQ on a listener", error_of(ioctl(other, SIOCOUTQ, &count)));
  close(other);
  close(listener);
  // A closed listener's port can be listened at again at once.
  const int again = socket(AF_INET, SOCK_STREAM, 0);
  address = loopback(port);
  fact("bind where a listener was", error_of(bind(again, (struct sockaddr*)&address, sizeof address)));
  close(again);
}

static void connecting(void) {
  unsigned short port;
  const int listener = make_listener(&port);
  close(listener);
  int client = socket(AF_INET, SOCK_STREAM, 0);
  fact("connect where nobody listens", error_of(connect4(client, port)));
  fact("SO_ERROR after it", number_option(client, SOL_SOCKET, SO_ERROR));
  show_poll("refused", client);
  close(client);

  client = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  fact("the same without waiting", error_of(connect4(client, port)));
  await(client, POLLOUT);
  show_poll("refused", client);
  fact("SO_ERROR", number_option(client, SOL_SOCKET, SO_ERROR));
  fact("SO_ERROR again", number_option(client, SOL_SOCKET, SO_ERROR));
  close(client);

  client = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  const int listening = make_listener(&port);
  fact("accept with nobody there, without waiting",
       (fcntl(listening, F_SETFL, O_NONBLOCK), error_of(accept(listening, NULL, NULL))));
  fact("connect without waiting", error_of(connect4(client, port)));
  await(client, POLLOUT);
  show_poll("connected", client);
  fact("SO_ERROR", number_option(client, SOL_SOCKET, SO_ERROR));
  fact("connect again", error_of(connect4(client, port)));
  fact("and again", error_of(connect4(client, port)));
  await(listening, POLLIN);
  show_poll("listener", listening);
  struct sockaddr_in peer;
  socklen_t length = sizeof peer;
  const int server = accept4(listening, (struct sockaddr*)&peer, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
  fact("accepted", server >= 0);
  fact("peer's port is the client's", ntohs(peer.sin_port) == port_of(client));
  fact("its length", length);
  fact("its flags", fcntl(server, F_GETFL) & O_NONBLOCK);
  fact("close on exec", fcntl(server, F_GETFD));
  show_address("server's own name", server, getsockname);
  show_address("client's peer", client, getpeername);
  char byte;
  fact("recv without waiting", error_of(recv(server, &byte, 1, 0)));
  close(server);
  close(client);
  close(listening);
}

static void await_acknowledged(int socket) {
  int left = -1;
  do
    if (ioctl(socket, SIOCOUTQ, &left) != 0) break;
  while (left > 0);
  fact("SIOCOUTQ at last", left);
}

static void transfer(void) {
  const struct pair pair = make_pair();
  char bytes[64] = {0};
  fact("write", write(pair.client, "hello, world", 12));
  await(pair.server, POLLIN);
  int count = -1;
  ioctl(pair.server, FIONREAD, &count);
  fact("FIONREAD", count);
  await_acknowledged(pair.client);
  fact("peek", recv(pair.server, bytes, 5, MSG_PEEK));
  fact("read", read(pair.server, bytes, 5));
  printf("%.5s\n", bytes);
  struct iovec parts[2] = {{bytes, 2}, {bytes + 2, 40}};
  fact("readv", readv(pair.server, parts, 2));
  printf("%.7s\n", bytes);
  fact("recv, MSG_DONTWAIT", error_of(recv(pair.server, bytes, 5, MSG_DONTWAIT)));
  fact("recv of nothing", recv(pair.server, bytes, 0, MSG_DONTWAIT) < 0 ? -errno : 0);
  parts[0] = (struct iovec){"ab", 2};
  parts[1] = (struct iovec){"cdef", 4};
  struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
  fact("sendmsg", sendmsg(pair.server, &message, 0));
  await(pair.client, POLLIN);
  fact("recv, MSG_WAITALL", recv(pair.client, bytes, 6, MSG_WAITALL));
  printf("%.6s\n", bytes);
  fact("lseek", error_of(lseek(pair.client, 0, SEEK_SET)));
  fact("pread", error_of(pread(pair.client, bytes, 1, 0)));
  fact("recv, MSG_OOB", error_of(recv(pair.client, bytes, 1, MSG_OOB)));
  fact("bad buffer", error_of(send(pair.client, (void*)8, 4, 0)));
  struct timeval timeout = {0, 50000};
  setsockopt(pair.client, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
  const long start = now_ms();
  fact("recv with a timeout", error_of(recv(pair.client, bytes, 1, 0)));
  fact("it waited", now_ms() - start >= 45);
  close_pair(pair);
}

static void* write_slowly(void* descriptor) {
  for (int part = 0; part < 5; ++part) {
    sleep_ms(10);
    if (write(*(int*)descriptor, "0123456789", 10) != 10) puts("short write");
  }
  return NULL;
}

static void* read_all(void* descriptor) {
  static char bytes[65536];
  long total = 0;
  ssize_t count;
  unsigned sum = 0;
  while ((count = read(*(int*)descriptor, bytes, sizeof bytes)) > 0) {
    for (ssize_t at = 0; at < count; ++at) sum = sum * 31 + (unsigned char)bytes[at];
    total += count;
  }
  printf("read %ld bytes, sum %u, then %zd\n", total, sum, count);
  return NULL;
}

static void bulk(void) {
  struct pair pair = make_pair();
  pthread_t thread;
  pthread_create(&thread, NULL, write_slowly, &pair.client);
  char bytes[64];
  fact("MSG_WAITALL waits for all", recv(pair.server, bytes, 50, MSG_WAITALL));
  pthread_join(thread, NULL);

  pthread_create(&thread, NULL, read_all, &pair.server);
  const size_t size = 5 << 20;
  char* content = malloc(size);
  for (size_t at = 0; at < size; ++at) content[at] = (char)(at * 7 + at / 4096);
  size_t done = 0;
  while (done < size) {
    const ssize_t count = write(pair.client, content + done, size - done);
    if (count <= 0) break;
    done += (size_t)count;
  }
  fact("written", (long)done);
  shutdown(pair.client, SHUT_WR);
  pthread_join(thread, NULL);
  close_pair(pair);

  // Without a reader the sender is stopped, and goes on when there is room.
  pair = make_pair();
  fcntl(pair.client, F_SETFL, O_NONBLOCK);
  long sent = 0;
  for (;;) {
    const ssize_t count = write(pair.client, content, 65536);
    if (count < 0) {
      const int error = errno;
      // On Linux bytes move on to the receiver a little later.
      struct pollfd entry = {pair.client, POLLOUT, 0};
      if (poll(&entry, 1, 300) == 0) {
        fact("full", error);
        break;
      }
      continue;
    }
    sent += count;
  }
  fact("more than 64 KiB were taken", sent > 65536);
  show_poll("full", pair.client);
  long got = 0;
  while (got < sent) {
    const ssize_t count = read(pair.server, content, 65536);
    if (count <= 0) break;
    got += count;
  }
  fact("all came", got == sent);
  await(pair.client, POLLOUT);
  show_poll("room again", pair.client);
  free(content);
  close_pair(pair);
}

static void ends(void) {
  struct pair pair = make_pair();
  char bytes[16];
  fact("shutdown", error_of(shutdown(pair.client, SHUT_WR)));
  fact("write after it", error_of(send(pair.client, "x", 1, MSG_NOSIGNAL)));
  await(pair.server, POLLRDHUP);
  show_poll("the other wrote its last", pair.server);
  show_poll("shut for writing", pair.client);
  fact("end of file", read(pair.server, bytes, sizeof bytes));
  fact("the other way", write(pair.server, "still", 5));
  await(pair.client, POLLIN);
  fact("comes", read(pair.client, bytes, sizeof bytes));
  shutdown(pair.server, SHUT_WR);
  await(pair.client, POLLRDHUP);
  show_poll("both ended", pair.client);
  fact("end of file", read(pair.client, bytes, sizeof bytes));
  show_address("peer of an ended one", pair.client, getpeername);
  close_pair(pair);

  pair = make_pair();
  fact("shutdown for reading", error_of(shutdown(pair.server, SHUT_RD)));
  show_poll("shut for reading", pair.server);
  fact("read", read(pair.server, bytes, sizeof bytes));
  fact("wrong argument", error_of(shutdown(pair.server, 7)));
  fact("shutdown of both", error_of(shutdown(pair.server, SHUT_RDWR)));
  await(pair.client, POLLRDHUP);
  fact("the other's read", read(pair.client, bytes, sizeof bytes));
  close_pair(pair);

  // A close with bytes unread is a reset.
  pair = make_pair();
  write(pair.client, "unread", 6);
  await(pair.server, POLLIN);
  close(pair.server);
  await(pair.client, POLLERR | POLLHUP);
  show_poll("reset", pair.client);
  fact("read", error_of(read(pair.client, bytes, sizeof bytes)));
  fact("read again", read(pair.client, bytes, sizeof bytes));
  fact("write", error_of(send(pair.client, "x", 1, MSG_NOSIGNAL)));
  show_address("peer after a reset", pair.client, getpeername);
  close(pair.client);

  // So is one without lingering.
  pair = make_pair();
  const struct linger none = {1, 0};
  setsockopt(pair.server, SOL_SOCKET, SO_LINGER, &none, sizeof none);
  close(pair.server);
  await(pair.client, POLLHUP);
  fact("SO_ERROR after a reset", number_option(pair.client, SOL_SOCKET, SO_ERROR));
  fact("read", read(pair.client, bytes, sizeof bytes));
  fact("write", error_of(send(pair.client, "x", 1, MSG_NOSIGNAL)));
  close(pair.client);

  // Writing to one that is gone: the first write is answered by a reset, the second fails.
  pair = make_pair();
  close(pair.server);
  await(pair.client, POLLRDHUP);
  fact("first write", write(pair.client, "x", 1));
  await(pair.client, POLLERR);
  show_poll("after it", pair.client);
  signal(SIGPIPE, SIG_IGN);
  fact("second write", error_of(write(pair.client, "x", 1)));
  fact("third write", error_of(write(pair.client, "x", 1)));
  fact("read", read(pair.client, bytes, sizeof bytes));
  close(pair.client);
}

static volatile int g_pipes = 0;
static void count_pipe(int signal) {
  (void)signal;
  ++g_pipes;
}

static void broken_pipe(void) {
  signal(SIGPIPE, count_pipe);
  const struct pair pair = make_pair();
  shutdown(pair.client, SHUT_WR);
  fact("write", error_of(write(pair.client, "x", 1)));
  fact("signals", g_pipes);
  fact("send, MSG_NOSIGNAL", error_of(send(pair.client, "x", 1, MSG_NOSIGNAL)));
  fact("signals", g_pipes);
  close_pair(pair);
}

static void options(void) {
  const int made = socket(AF_INET, SOCK_STREAM, 0);
  set_number("SO_REUSEADDR", made, SOL_SOCKET, SO_REUSEADDR, 5);
  set_number("SO_REUSEPORT", made, SOL_SOCKET, SO_REUSEPORT, 1);
  set_number("SO_KEEPALIVE", made, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_number("SO_RCVBUF", made, SOL_SOCKET, SO_RCVBUF, 65536);
  set_number("SO_SNDBUF", made, SOL_SOCKET, SO_SNDBUF, 10000);
  set_number("SO_ERROR", made, SOL_SOCKET, SO_ERROR, 1);
  set_number("TCP_NODELAY", made, IPPROTO_TCP, TCP_NODELAY, 1);
  set_number("TCP_CORK", made, IPPROTO_TCP, TCP_CORK, 1);
  set_number("TCP_KEEPIDLE", made, IPPROTO_TCP, TCP_KEEPIDLE, 30);
  set_number("TCP_KEEPIDLE", made, IPPROTO_TCP, TCP_KEEPIDLE, 0);
  set_number("TCP_KEEPINTVL", made, IPPROTO_TCP, TCP_KEEPINTVL, 7);
  set_number("TCP_KEEPCNT", made, IPPROTO_TCP, TCP_KEEPCNT, 3);
  set_number("TCP_KEEPCNT", made, IPPROTO_TCP, TCP_KEEPCNT, 200);
  set_number("TCP_USER_TIMEOUT", made, IPPROTO_TCP, TCP_USER_TIMEOUT, 12345);
  const int tries[] = {3, 127, 0, 128, -1};
  for (int at = 0; at < 5; ++at) set_number("TCP_SYNCNT", made, IPPROTO_TCP, TCP_SYNCNT, tries[at]);
  set_number("IP_TTL", made, IPPROTO_IP, IP_TTL, 12);
  set_number("IP_TTL", made, IPPROTO_IP, IP_TTL, 300);
  set_number("IP_TTL", made, IPPROTO_IP, IP_TTL, -1);
  set_number("IP_TOS", made, IPPROTO_IP, IP_TOS, 0x10);
  set_number("an unknown one", made, SOL_SOCKET, 9999, 1);
  set_number("an unknown one of TCP", made, IPPROTO_TCP, 9999, 1);
  set_number("IPV6_V6ONLY on IPv4", made, IPPROTO_IPV6, IPV6_V6ONLY, 1);
  short little = 1;
  fact("a short value", error_of(setsockopt(made, IPPROTO_TCP, TCP_NODELAY, &little, sizeof little)));
  struct linger linger = {1, 30};
  setsockopt(made, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
  linger = (struct linger){0, 0};
  socklen_t length = sizeof linger;
  getsockopt(made, SOL_SOCKET, SO_LINGER, &linger, &length);
  printf("SO_LINGER: %d %d, length %u\n", linger.l_onoff, linger.l_linger, length);
  struct timeval time = {3, 500000};
  setsockopt(made, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time);
  time = (struct timeval){0, 0};
  length = sizeof time;
  getsockopt(made, SOL_SOCKET, SO_SNDTIMEO, &time, &length);
  printf("SO_SNDTIMEO: %ld s %ld us, length %u\n", (long)time.tv_sec, (long)time.tv_usec, length);
  close(made);

  const struct {
    const char* name;
    int level, option, value;
  } kept[] = {
      {"TCP_LINGER2", IPPROTO_TCP, TCP_LINGER2, 5},
      {"TCP_LINGER2", IPPROTO_TCP, TCP_LINGER2, 0},
      {"TCP_LINGER2", IPPROTO_TCP, TCP_LINGER2, 500},
      {"TCP_LINGER2", IPPROTO_TCP, TCP_LINGER2, -3},
      {"TCP_NOTSENT_LOWAT", IPPROTO_TCP, TCP_NOTSENT_LOWAT, 1000},
      {"TCP_MAXSEG", IPPROTO_TCP, TCP_MAXSEG, 1000},
      {"TCP_MAXSEG", IPPROTO_TCP, TCP_MAXSEG, 10},
      {"IP_MTU_DISCOVER", IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO},
      {"IP_MTU_DISCOVER", IPPROTO_IP, IP_MTU_DISCOVER, 9},
      {"IP_MULTICAST_LOOP", IPPROTO_IP, IP_MULTICAST_LOOP, 0},
  };
  const int fresh = socket(AF_INET, SOCK_STREAM, 0), datagrams = socket(AF_INET, SOCK_DGRAM, 0);
  for (size_t index = 0; index < sizeof kept / sizeof *kept; ++index) {
    const int on = kept[index].option == IP_MULTICAST_LOOP && kept[index].level == IPPROTO_IP ? datagrams : fresh;
    printf("%s was %d\n", kept[index].name, number_option(on, kept[index].level, kept[index].option));
    set_number(kept[index].name, on, kept[index].level, kept[index].option, kept[index].value);
  }
  fact("IP_MULTICAST_TTL", number_option(datagrams, IPPROTO_IP, IP_MULTICAST_TTL));
  fact("SO_ACCEPTCONN of datagrams", number_option(datagrams, SOL_SOCKET, SO_ACCEPTCONN));
  int credentials[3] = {7, 7, 7};
  length = sizeof credentials;
  fact("SO_PEERCRED", error_of(getsockopt(fresh, SOL_SOCKET, SO_PEERCRED, credentials, &length)));
  printf("%d %d %d\n", credentials[0], credentials[1], credentials[2]);
  close(fresh);
  close(datagrams);

  const struct pair pair = make_pair();
  struct tcp_info information;
  length = sizeof information;
  memset(&information, 0, sizeof information);
  fact("TCP_INFO", error_of(getsockopt(pair.client, IPPROTO_TCP, TCP_INFO, &information, &length)));
  fact("state", information.tcpi_state);
  close_pair(pair);
}

static void both_families(void) {
  const int listener = socket(AF_INET6, SOCK_STREAM, 0);
  struct sockaddr_in6 any = {.sin6_family = AF_INET6};
  fact("IPV6_V6ONLY", number_option(listener, IPPROTO_IPV6, IPV6_V6ONLY));
  fact("bind", error_of(bind(listener, (struct sockaddr*)&any, sizeof any)));
  int one = 1;
  fact("IPV6_V6ONLY after it", error_of(setsockopt(listener, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one)));
  show_address("bound", listener, getsockname);
  listen(listener, 5);
  const unsigned short port = port_of(listener);

  int client = socket(AF_INET, SOCK_STREAM, 0);
  fact("connect from IPv4", error_of(connect4(client, port)));
  int server = accept(listener, NULL, NULL);
  show_address("its peer", server, getpeername);
  show_address("its own name", server, getsockname);
  close(server);
  close(client);

  client = socket(AF_INET6, SOCK_STREAM, 0);
  struct sockaddr_in6 address = loopback6(port);
  fact("connect from IPv6", error_of(connect(client, (struct sockaddr*)&address, sizeof address)));
  server = accept(listener, NULL, NULL);
  show_address("its peer", server, getpeername);
  show_address("client's own name", client, getsockname);
  char byte = 0;
  fact("write", write(client, "6", 1));
  fact("read", read(server, &byte, 1));
  close(server);
  close(client);

  client = socket(AF_INET6, SOCK_STREAM, 0);
  inet_pton(AF_INET6, "::ffff:127.0.0.1", &address.sin6_addr);
  fact("connect to a mapped address", error_of(connect(client, (struct sockaddr*)&address, sizeof address)));
  server = accept(listener, NULL, NULL);
  show_address("its peer", server, getpeername);
  show_address("client's own name", client, getsockname);
  close(server);
  close(client);
  close(listener);

  const int only = socket(AF_INET6, SOCK_STREAM, 0);
  setsockopt(only, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
  fact("bind of IPv6 alone", error_of(bind(only, (struct sockaddr*)&any, sizeof any)));
  listen(only, 5);
  client = socket(AF_INET, SOCK_STREAM, 0);
  fact("connect from IPv4", error_of(connect4(client, port_of(only))));
  close(client);
  const int also = socket(AF_INET, SOCK_STREAM, 0);
  const struct sockaddr_in same = {.sin_family = AF_INET, .sin_port = htons(port_of(only))};
  fact("bind of IPv4 beside it", error_of(bind(also, (const struct sockaddr*)&same, sizeof same)));
  close(also);
  close(only);
}

static void edges(void) {
  const struct pair pair = make_pair();
  const int epoll = epoll_create1(0);
  struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET | EPOLLRDHUP}, found[4];
  epoll_ctl(epoll, EPOLL_CTL_ADD, pair.server, &event);
  int count = epoll_wait(epoll, found, 4, 1000);
  printf("first: %d, %#x\n", count, found[0].events);
  fact("nothing new", epoll_wait(epoll, found, 4, 0));
  write(pair.client, "abc", 3);
  count = epoll_wait(epoll, found, 4, 1000);
  printf("bytes: %d, %#x\n", count, found[0].events);
  fact("nothing new", epoll_wait(epoll, found, 4, 0));
  write(pair.client, "def", 3);
  count = epoll_wait(epoll, found, 4, 1000);
  printf("more bytes: %d, %#x\n", count, found[0].events);
  shutdown(pair.client, SHUT_WR);
  count = epoll_wait(epoll, found, 4, 1000);
  printf("its end: %d, %#x\n", count, found[0].events);
  close(epoll);
  close_pair(pair);
}

static void* connect_later(void* port) {
  sleep_ms(30);
  const int client = socket(AF_INET, SOCK_STREAM, 0);
  if (connect4(client, *(unsigned short*)port) != 0) puts("no connection");
  if (write(client, "late", 4) != 4) puts("no write");
  close(client);
  return NULL;
}

static void waiting(void) {
  unsigned short port;
  const int listener = make_listener(&port);
  pthread_t thread;
  pthread_create(&thread, NULL, connect_later, &port);
  const int server = accept(listener, NULL, NULL);
  fact("accept waited", server >= 0);
  char bytes[16];
  fact("read waited", read(server, bytes, sizeof bytes));
  fact("end of file", read(server, bytes, sizeof bytes));
  pthread_join(thread, NULL);
  close(server);
  struct timeval timeout = {0, 30000};
  setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
  fact("accept with a timeout", error_of(accept(listener, NULL, NULL)));
  close(listener);
}

static void many(void) {
  unsigned short port;
  const int listener = make_listener(&port);
  int wrong = 0;
  for (int round = 0; round < 300; ++round) {
    const int client = socket(AF_INET, SOCK_STREAM, 0);
    if (connect4(client, port) != 0) ++wrong;
    const int server = accept(listener, NULL, NULL);
    char byte = 0;
    if (write(client, "q", 1) != 1 || read(server, &byte, 1) != 1 || byte != 'q') ++wrong;
    close(round % 2 != 0 ? client : server);
    close(round % 2 != 0 ? server : client);
  }
  fact("connections that went wrong", wrong);
  close(listener);
}

// The first connection of a machine's life, too, has a timeout from what its answers took.
static void retransmission_timeout(void) {
  const struct pair pair = make_pair();
  char byte = 'x';
  write(pair.server, &byte, 1);
  read(pair.client, &byte, 1);
  write(pair.client, &byte, 1);
  read(pair.server, &byte, 1);
  struct tcp_info information;
  for (int end = 0; end < 2; ++end) {
    socklen_t length = sizeof information;
    memset(&information, 0, sizeof information);
    getsockopt(end == 0 ? pair.client : pair.server, IPPROTO_TCP, TCP_INFO, &information, &length);
    fact("a timeout below the second of RFC 6298, 2.1",
         information.tcpi_rto >= 200000 && information.tcpi_rto < 1000000);
  }
  close_pair(pair);
}

int main(void) {
  signal(SIGPIPE, SIG_IGN);
  retransmission_timeout();
  kinds();
  bind_rules();
  connecting();
  transfer();
  bulk();
  ends();
  broken_pipe();
  options();
  both_families();
  edges();
  waiting();
  many();
  return 0;
}
