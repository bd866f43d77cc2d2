// Echoes on TCP and UDP, IPv6 and IPv4: network_server PORT. A line on stdout says that it serves.
// Datagrams: "status" is answered with how many connections there were and how many are open, "memory" with how many
// KiB are available (/proc/meminfo), "file" with what was wrong with a file that was written and read again, "read
// PATH" with that file's content; "release" closes the connections that are hoarded, "eat" takes memory without end. A
// connection whose first byte is '!' is sent as many bytes as the number behind it says; "!who" is answered with where
// its stack is, which differs from boot to boot; "!crash" is not answered, nor "!provoke WORD"
// (kernel/linux/provoke_crash.cpp). From "!hoard" on a connection is not read any more, and is sent as much as it
// takes.
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

static void watch(int epoll, int descriptor, unsigned events) {
  struct epoll_event event = {.events = events, .data.fd = descriptor};
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event) != 0) epoll_ctl(epoll, EPOLL_CTL_MOD, descriptor, &event);
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

enum { kMostHoarded = 1000 };
static int g_hoarded[kMostHoarded], g_hoarded_count = 0;

// Both its windows fill up.
static void hoard(int epoll, int connection) {
  while (send(connection, g_bytes, sizeof g_bytes, MSG_NOSIGNAL | MSG_DONTWAIT) > 0) continue;
  epoll_ctl(epoll, EPOLL_CTL_DEL, connection, NULL);
  if (g_hoarded_count < kMostHoarded) g_hoarded[g_hoarded_count++] = connection;
}

static int release_hoarded(char* to, size_t size) {
  const int count = g_hoarded_count;
  while (g_hoarded_count > 0) close(g_hoarded[--g_hoarded_count]);
  g_open -= count;
  return snprintf(to, size, "%d", count);
}

static int serve(int epoll, int connection) {
  const ssize_t count = read(connection, g_bytes, sizeof g_bytes - 1);
  if (count <= 0) return -1;
  if (g_bytes[0] != '!') return write_all(connection, g_bytes, (size_t)count);
  g_bytes[count] = 0;
  if (strncmp(g_bytes, "!hoard", 6) == 0) return hoard(epoll, connection), 0;
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
  while (file != NULL && fgets(line, sizeof line, file) != NULL && sscanf(line, "MemAvailable: %ld", &kib) != 1)
    continue;
  if (file != NULL) fclose(file);
  return kib;
}

static int check_file(char* to, size_t size) {
  enum { kParts = 96 };
  static char part[sizeof g_bytes];
  const int file = open("/file", O_RDWR | O_CREAT | O_TRUNC, 0600);
  long wrong = 0;
  for (int number = 0; number < kParts; ++number) {
    memset(part, number, sizeof part);
    if (write(file, part, sizeof part) != sizeof part) return snprintf(to, size, "write: %s", strerror(errno));
  }
  for (int number = 0; number < kParts; ++number) {
    if (pread(file, part, sizeof part, number * (long)sizeof part) != sizeof part)
      return snprintf(to, size, "read: %s", strerror(errno));
    for (size_t at = 0; at < sizeof part; ++at) wrong += part[at] != (char)number;
  }
  close(file);
  return snprintf(to, size, "%ld bytes wrong", wrong);
}

static ssize_t read_file(const char* path, char* to, size_t size) {
  const int file = open(path, O_RDONLY);
  size_t done = 0;
  ssize_t count;
  while (file >= 0 && (count = read(file, to + done, size - done)) > 0) done += (size_t)count;
  close(file);
  return (ssize_t)done;
}

static void answer(int datagrams) {
  struct sockaddr_in6 from;
  socklen_t length = sizeof from;
  ssize_t count = recvfrom(datagrams, g_bytes, sizeof g_bytes - 1, 0, (struct sockaddr*)&from, &length);
  if (count < 0) return;
  g_bytes[count] = 0;
  if (strcmp(g_bytes, "status") == 0) count = snprintf(g_bytes, sizeof g_bytes, "%ld %ld", g_connections, g_open);
  if (strcmp(g_bytes, "memory") == 0) count = snprintf(g_bytes, sizeof g_bytes, "%ld", free_memory());
  if (strcmp(g_bytes, "file") == 0) count = check_file(g_bytes, sizeof g_bytes);
  while (strcmp(g_bytes, "eat") == 0) memset(malloc(sizeof g_bytes), 'x', sizeof g_bytes);
  if (strncmp(g_bytes, "read ", 5) == 0) count = read_file(g_bytes + 5, g_bytes, 60000);
  if (strcmp(g_bytes, "release") == 0) count = release_hoarded(g_bytes, sizeof g_bytes);
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
  watch(epoll, listener, EPOLLIN);
  watch(epoll, datagrams, EPOLLIN);
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
        watch(epoll, connection, EPOLLIN);
      } else if (descriptor == datagrams) {
        answer(datagrams);
      } else if (serve(epoll, descriptor) != 0) {
        --g_open;
        close(descriptor);
      }
    }
  }
}
