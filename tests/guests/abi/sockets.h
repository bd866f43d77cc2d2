// What the programs about sockets share.
#pragma once

#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>

static inline void show_poll(const char* what, int descriptor) {
  struct pollfd entry = {descriptor, POLLIN | POLLOUT | POLLRDHUP, 0};
  poll(&entry, 1, 0);
  printf("%s: poll %#x\n", what, entry.revents);
}
// News crosses the loopback interface at its own time on Linux: what is to come is waited for.
static inline void await(int descriptor, short events) {
  struct pollfd entry = {descriptor, events, 0};
  poll(&entry, 1, 5000);
}

static inline struct sockaddr_in loopback(unsigned short port) {
  return (struct sockaddr_in){
      .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}
static inline unsigned short port_of(int socket) {
  struct sockaddr_storage address;
  socklen_t length = sizeof address;
  getsockname(socket, (struct sockaddr*)&address, &length);
  return ntohs(((struct sockaddr_in*)&address)->sin_port);
}
static inline int connect4(int socket, unsigned short port) {
  const struct sockaddr_in address = loopback(port);
  return connect(socket, (const struct sockaddr*)&address, sizeof address);
}
