// An epoll server as small as they come: answers every request on a kept connection with "hello"; a request for /crash
// writes to address 0. usage: http_server PORT
#define _GNU_SOURCE  // accept4
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static const char kAnswer[] =
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 6\r\n\r\nhello\n";

// Requests of wrk and curl come whole, and have no body. Returns 0 when the connection is at its end.
static int answer(int connection) {
  char request[4096];
  const ssize_t length = read(connection, request, sizeof request - 1);
  if (length <= 0) return 0;
  request[length] = 0;
  if (strncmp(request, "GET /crash", 10) == 0) *(volatile int*)0 = 1;
  for (const char* at = request; (at = strstr(at, "\r\n\r\n")) != NULL; at += 4)
    if (write(connection, kAnswer, sizeof kAnswer - 1) != sizeof kAnswer - 1) return 0;
  return strstr(request, "Connection: close") == NULL;
}

int main(int count, char** arguments) {
  const int one = 1, port = count > 1 ? atoi(arguments[1]) : 8080;
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  if (bind(listener, (struct sockaddr*)&address, sizeof address) != 0 || listen(listener, 1024) != 0) {
    perror("http_server");
    return 1;
  }
  const int epoll = epoll_create1(0);
  struct epoll_event event = {.events = EPOLLIN, .data.fd = listener};
  epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
  printf("serving on %d\n", port);
  fflush(stdout);
  for (;;) {
    struct epoll_event events[64];
    const int ready = epoll_wait(epoll, events, 64, -1);
    for (int index = 0; index < ready; ++index) {
      const int descriptor = events[index].data.fd;
      if (descriptor == listener) {
        const int connection = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
        if (connection < 0) continue;
        setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        struct epoll_event more = {.events = EPOLLIN, .data.fd = connection};
        epoll_ctl(epoll, EPOLL_CTL_ADD, connection, &more);
      } else if (!answer(descriptor)) {
        close(descriptor);
      }
    }
  }
}
