// Echoes on TCP and UDP, IPv6 and IPv4: network_server PORT. A line on stdout says that it serves.
// "status" as a datagram is answered with how many connections there were and how many are open, "memory" with how many
// KiB are free (/proc/meminfo). A connection whose first byte is '!' is sent as many bytes as the number behind it says;
// "!who" is answered with where its stack is, which differs from boot to boot; "!crash" is not answered, nor "!provoke
// WORD" (kernel/linux/provoke_crash.cpp).
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static long g_connections = 0, g_open = 0;
static char g_bytes[65536];

static void watch(int epoll, int descriptor) {
  struct epoll_event event = {.events = EPOLLIN, .data.fd = descriptor};
  epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event);
}

static int make(int type, unsigned short port) {
  const int made = socket(AF_INET6, type, 0), one = 1;
  setsockopt(made, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  const struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
  if (bind(made, (const struct sockaddr*)&address, sizeof address) != 0) perror("bind"), exit(1);
  return made;
}

// All of it: clients here read what they are sent.
static int write_all(int descriptor, const char* bytes, size_t size) {
  while (size > 0) {
    const ssize_t count = send(descriptor, bytes, size, MSG_NOSIGNAL);
    if (count <= 0) return -1;
    bytes += count;
    size -= (size_t)count;
  }
  return 0;
}

static int serve(int connection) {
  const ssize_t count = read(connection, g_bytes, sizeof g_bytes - 1);
  if (count <= 0) return -1;
  if (g_bytes[0] != '!') return write_all(connection, g_bytes, (size_t)count);
  g_bytes[count] = 0;
  if (strncmp(g_bytes, "!crash", 6) == 0) *(volatile int*)0 = 1;
  if (strncmp(g_bytes, "!provoke ", 9) == 0) {
    const int provoke = open("/sys/kernel/debug/provoke-crash/DIRECT", O_WRONLY);
    if (write(provoke, g_bytes + 9, strlen(g_bytes + 9)) < 0) perror("provoke");
  }
  if (strncmp(g_bytes, "!who", 4) == 0) {
    const int length = snprintf(g_bytes, sizeof g_bytes, "%p\n", (void*)&count);
    return write_all(connection, g_bytes, (size_t)length);
  }
  long left = atol(g_bytes + 1);
  for (size_t at = 0; at < sizeof g_bytes; ++at) g_bytes[at] = (char)('a' + at % 23);
  for (; left > 0; left -= (long)sizeof g_bytes)
    if (write_all(connection, g_bytes, left < (long)sizeof g_bytes ? (size_t)left : sizeof g_bytes) != 0) return -1;
  return 0;
}

static long free_memory(void) {
  long kib = -1;
  char line[128];
  FILE* file = fopen("/proc/meminfo", "r");
  while (file != NULL && fgets(line, sizeof line, file) != NULL && sscanf(line, "MemFree: %ld", &kib) != 1) continue;
  if (file != NULL) fclose(file);
  return kib;
}

static void answer(int datagrams) {
  struct sockaddr_in6 from;
  socklen_t length = sizeof from;
  ssize_t count = recvfrom(datagrams, g_bytes, sizeof g_bytes - 1, 0, (struct sockaddr*)&from, &length);
  if (count < 0) return;
  g_bytes[count] = 0;
  if (strcmp(g_bytes, "status") == 0) count = snprintf(g_bytes, sizeof g_bytes, "%ld %ld", g_connections, g_open);
  if (strcmp(g_bytes, "memory") == 0) count = snprintf(g_bytes, sizeof g_bytes, "%ld", free_memory());
  sendto(datagrams, g_bytes, (size_t)count, 0, (struct sockaddr*)&from, length);
}

int main(int count, char** arguments) {
  const unsigned short port = (unsigned short)atoi(count > 1 ? arguments[1] : "7");
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  const int listener = make(SOCK_STREAM, port), datagrams = make(SOCK_DGRAM, port), epoll = epoll_create1(0);
  listen(listener, 4096);
  watch(epoll, listener);
  watch(epoll, datagrams);
  FILE* resolver = fopen("/proc/net/pnp", "r");
  char line[128] = "no name server\n";
  if (resolver != NULL && fgets(line, sizeof line, resolver) == NULL) strcpy(line, "none\n");
  printf("serving, %s", line);
  fflush(stdout);
  for (;;) {
    struct epoll_event events[64];
    const int ready = epoll_wait(epoll, events, 64, -1);
    for (int index = 0; index < ready; ++index) {
      const int descriptor = events[index].data.fd;
      if (descriptor == listener) {
        const int connection = accept(listener, NULL, NULL);
        if (connection < 0) {
          printf("accept: %s\n", strerror(errno));
          fflush(stdout);
          continue;
        }
        ++g_connections, ++g_open;
        watch(epoll, connection);
      } else if (descriptor == datagrams) {
        answer(datagrams);
      } else if (serve(descriptor) != 0) {
        --g_open;
        close(descriptor);
      }
    }
  }
}
