// Who may bind and listen where: SO_REUSEADDR and SO_REUSEPORT, connections that live and those in TIME_WAIT, IPv6 and
// IPv4; how SO_LINGER ends connections.
// Built with musl too.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "abi.h"
#include "sockets.h"

enum { NOTHING = 0, ADDRESS = 1, PORT = 2, ONLY_6 = 4 };

static void set_flag(int socket, int level, int name) {
  const int one = 1;
  setsockopt(socket, level, name, &one, sizeof one);
}

static int make(int family, int type, int options) {
  const int made = socket(family, type, 0);
  if (options & ADDRESS) set_flag(made, SOL_SOCKET, SO_REUSEADDR);
  if (options & PORT) set_flag(made, SOL_SOCKET, SO_REUSEPORT);
  if (options & ONLY_6) set_flag(made, IPPROTO_IPV6, IPV6_V6ONLY);
  return made;
}

static int bind_to(int socket, const char* text, unsigned short port) {
  struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
  if (inet_pton(AF_INET6, text, &six.sin6_addr) == 1)
    return error_of(bind(socket, (const struct sockaddr*)&six, sizeof six));
  struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(port)};
  inet_pton(AF_INET, text, &four.sin_addr);
  return error_of(bind(socket, (const struct sockaddr*)&four, sizeof four));
}

// What the second of two sockets is told.
static void show_two(int type, const char* one, int options_one, int listens, const char* other, int options_other) {
  const int first = make(strchr(one, ':') ? AF_INET6 : AF_INET, type, options_one);
  const int second = make(strchr(other, ':') ? AF_INET6 : AF_INET, type, options_other);
  bind_to(first, one, 0);
  const unsigned short port = port_of(first);
  if (listens) listen(first, 5);
  printf("%s %s options %d%s, then %s options %d: bind error %d", type == SOCK_STREAM ? "TCP" : "UDP", one, options_one,
         listens ? " listening" : "", other, options_other, bind_to(second, other, port));
  if (type == SOCK_STREAM) printf(", listen error %d", error_of(listen(second, 5)));
  printf("\n");
  close(first);
  close(second);
}

static void show_binding(void) {
  static const char* const kAddresses[] = {"127.0.0.1", "0.0.0.0", "::1", "::"};
  static const int kOptions[][2] = {{NOTHING, NOTHING}, {ADDRESS, ADDRESS}, {ADDRESS, NOTHING},
                                    {PORT, PORT},       {PORT, ADDRESS},    {ADDRESS | PORT, ADDRESS | PORT}};
  for (size_t pair = 0; pair < sizeof kOptions / sizeof kOptions[0]; ++pair)
    for (int listens = 0; listens < 2; ++listens)
      show_two(SOCK_STREAM, "127.0.0.1", kOptions[pair][0], listens, "127.0.0.1", kOptions[pair][1]);
  for (int one = 0; one < 4; ++one)
    for (int other = 0; other < 4; ++other) {
      show_two(SOCK_STREAM, kAddresses[one], NOTHING, 1, kAddresses[other], NOTHING);
      show_two(SOCK_DGRAM, kAddresses[one], NOTHING, 0, kAddresses[other], NOTHING);
    }
  show_two(SOCK_STREAM, "::", ONLY_6, 1, "0.0.0.0", NOTHING);
  show_two(SOCK_STREAM, "0.0.0.0", ADDRESS, 1, "::", ONLY_6 | ADDRESS);
  show_two(SOCK_DGRAM, "127.0.0.1", ADDRESS, 0, "127.0.0.1", ADDRESS);
  show_two(SOCK_DGRAM, "127.0.0.1", ADDRESS, 0, "127.0.0.1", NOTHING);
  show_two(SOCK_DGRAM, "127.0.0.1", PORT, 0, "127.0.0.1", PORT);
  show_two(SOCK_DGRAM, "::", ONLY_6, 0, "0.0.0.0", NOTHING);
}

static int connected_to(unsigned short port) {
  const int client = socket(AF_INET, SOCK_STREAM, 0);
  if (connect4(client, port) != 0) printf("connect: error %d\n", errno);
  return client;
}

// The server ends first: its end of the connection stands in TIME_WAIT then.
static void show_time_wait(int options, int options_later, int is_alive) {
  int listener = make(AF_INET, SOCK_STREAM, options);
  bind_to(listener, "127.0.0.1", 0);
  listen(listener, 5);
  const unsigned short port = port_of(listener);
  const int client = connected_to(port), server = accept(listener, NULL, NULL);
  char byte;
  if (!is_alive) {
    shutdown(server, SHUT_WR);
    if (read(client, &byte, 1) != 0) printf("no end\n");
    close(client);
    if (read(server, &byte, 1) != 0) printf("no end of the client's\n");
    close(server);
  }
  close(listener);
  listener = make(AF_INET, SOCK_STREAM, options_later);
  printf("options %d, a connection %s, then options %d: bind error %d", options, is_alive ? "lives" : "in TIME_WAIT",
         options_later, bind_to(listener, "127.0.0.1", port));
  printf(", listen error %d\n", error_of(listen(listener, 5)));
  close(listener);
  if (is_alive) close(server), close(client);
}

static void show_sharing(void) {
  int listeners[3], counts[3] = {0};
  unsigned short port = 0;
  for (int index = 0; index < 3; ++index) {
    listeners[index] = make(AF_INET, SOCK_STREAM, PORT);
    printf("listener %d: bind error %d", index, bind_to(listeners[index], "127.0.0.1", port));
    port = port_of(listeners[index]);
    printf(", listen error %d\n", error_of(listen(listeners[index], 300)));
    fcntl(listeners[index], F_SETFL, O_NONBLOCK);
  }
  for (int number = 0; number < 150; ++number) {
    const int client = connected_to(port);
    int server = -1;
    for (int tries = 0; server < 0 && tries < 1000; ++tries)
      for (int index = 0; index < 3 && server < 0; ++index)
        if ((server = accept(listeners[index], NULL, NULL)) >= 0) ++counts[index];
    close(client);
    close(server);
  }
  printf("of 150 connections to three listeners all are accepted: %s, each has more than ten: %s\n",
         counts[0] + counts[1] + counts[2] == 150 ? "yes" : "no",
         counts[0] > 10 && counts[1] > 10 && counts[2] > 10 ? "yes" : "no");
  close(listeners[0]);
  const int client = connected_to(port);
  int server = -1;
  for (int tries = 0; server < 0 && tries < 1000; ++tries)
    for (int index = 1; index < 3 && server < 0; ++index) server = accept(listeners[index], NULL, NULL);
  printf("when one is closed the others go on: %s\n", server >= 0 ? "yes" : "no");
  close(client), close(server), close(listeners[1]), close(listeners[2]);
}

static void show_datagrams(int options) {
  int receivers[2], counts[2] = {0};
  unsigned short port = 0;
  for (int index = 0; index < 2; ++index) {
    receivers[index] = make(AF_INET, SOCK_DGRAM, options);
    bind_to(receivers[index], "127.0.0.1", port);
    port = port_of(receivers[index]);
  }
  for (int number = 0; number < 100; ++number) {
    const int sender = socket(AF_INET, SOCK_DGRAM, 0);
    const struct sockaddr_in to = loopback(port);
    sendto(sender, "x", 1, 0, (const struct sockaddr*)&to, sizeof to);
    close(sender);
  }
  struct pollfd ready[2] = {{receivers[0], POLLIN, 0}, {receivers[1], POLLIN, 0}};
  while (counts[0] + counts[1] < 100 && poll(ready, 2, 5000) > 0)
    for (int index = 0; index < 2; ++index) {
      char byte;
      while (recv(receivers[index], &byte, 1, MSG_DONTWAIT) == 1) ++counts[index];
    }
  for (int index = 0; index < 2; ++index) close(receivers[index]);
  printf("UDP options %d: of 100 datagrams the first gets %s, the second %s\n", options,
         counts[0] == 0     ? "none"
         : counts[0] == 100 ? "all"
                            : "some",
         counts[1] == 0     ? "none"
         : counts[1] == 100 ? "all"
                            : "some");
}

// The four numbers of a connection are there once.
static void show_same_connection(void) {
  const int listener = make(AF_INET, SOCK_STREAM, NOTHING);
  bind_to(listener, "127.0.0.1", 0);
  listen(listener, 5);
  int first = make(AF_INET, SOCK_STREAM, ADDRESS), second = make(AF_INET, SOCK_STREAM, ADDRESS);
  bind_to(first, "127.0.0.1", 0);
  const unsigned short port = port_of(first);
  printf("bind of the same port: error %d\n", bind_to(second, "127.0.0.1", port));
  printf("connect: error %d", error_of(connect4(first, port_of(listener))));
  printf(", the same again: error %d\n", error_of(connect4(second, port_of(listener))));
  close(first), close(second), close(listener);
}

static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void show_linger(const char* what, int is_on, int linger_seconds, int fills, int is_read, int is_nonblocking) {
  const int listener = make(AF_INET, SOCK_STREAM, NOTHING);
  bind_to(listener, "127.0.0.1", 0);
  listen(listener, 5);
  const int server = connected_to(port_of(listener)), client = accept(listener, NULL, NULL);
  close(listener);
  static char bytes[65536];
  if (fills) {
    fcntl(server, F_SETFL, O_NONBLOCK);
    while (write(server, bytes, sizeof bytes) > 0) continue;
    fcntl(server, F_SETFL, is_nonblocking ? O_NONBLOCK : 0);
  } else if (write(server, "bytes", 5) != 5) {
    printf("write: error %d\n", errno);
  }
  if (!is_read && write(client, "x", 1) == 1) await(server, POLLIN);
  const struct linger linger = {is_on, linger_seconds};
  setsockopt(server, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
  const double begin = seconds();
  const int error = error_of(close(server));
  const double took = seconds() - begin;
  ssize_t count, whole = 0;
  while ((count = read(client, bytes, sizeof bytes)) > 0) whole += count;
  const int end_error = count < 0 ? errno : 0;
  printf("%s: close error %d, %s; the other end gets %s, then error %d\n", what, error,
         took < 0.7 ? "at once"
         : took < 4 ? "after a while"
                    : "late",
         is_on && linger_seconds == 0 ? "what it got"
         : whole == 5                 ? "5 bytes"
         : whole > 65536              ? "much"
                                      : "little",
         end_error);
  close(client);
}

int main(void) {
  show_binding();
  for (int is_alive = 0; is_alive < 2; ++is_alive) {
    show_time_wait(NOTHING, NOTHING, is_alive);
    show_time_wait(ADDRESS, ADDRESS, is_alive);
    show_time_wait(NOTHING, ADDRESS, is_alive);
    show_time_wait(ADDRESS, NOTHING, is_alive);
    show_time_wait(PORT, PORT, is_alive);
  }
  show_sharing();
  show_datagrams(ADDRESS);
  show_datagrams(PORT);
  show_same_connection();
  show_linger("no linger", 0, 0, 0, 1, 0);
  show_linger("linger of 1 s", 1, 1, 0, 1, 0);
  show_linger("linger of 1 s, nobody reads", 1, 1, 1, 1, 0);
  show_linger("linger of 1 s, nobody reads, non-blocking", 1, 1, 1, 1, 1);
  show_linger("linger of 1 s, bytes not read", 1, 1, 0, 0, 0);
  show_linger("linger of 0 s", 1, 0, 0, 1, 0);
  return 0;
}
