// A client for tests of network_server, faster than Python: network_client MODE ADDRESS PORT NUMBER…
//   hold COUNT                      opens connections, one echo on each, says so; then does what stdin says, a line
//   each:
//                                   "requests N" (echoes on one of them), "reset" or "close" (all of them, and ends)
//   requests TOTAL PER PARALLEL     echoes, PER on a connection before the next is made
//   slow COUNT SECONDS              a byte a second on each of COUNT connections
//   flood COUNT                     SYNs without end from addresses of 10.90.0.0/16 (needs root)
//   garbage COUNT                   TCP segments that mean nothing, with random flags, options and lengths (needs root)
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static struct sockaddr_in g_server;
static const char kRequest[] = "GET / HTTP/1.1";
enum { kMost = 65536, kParallel = 512 };

static void fail(const char* what) {
  fprintf(stderr, "network_client: %s: %s\n", what, strerror(errno));
  exit(1);
}

static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int start_connecting(int epoll) {
  const int made = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (made < 0 || made >= kMost) fail("socket");
  const int one = 1;
  setsockopt(made, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (connect(made, (const struct sockaddr*)&g_server, sizeof g_server) != 0 && errno != EINPROGRESS) fail("connect");
  struct epoll_event event = {.events = EPOLLOUT, .data.fd = made};
  epoll_ctl(epoll, EPOLL_CTL_ADD, made, &event);
  return made;
}

static void await(int epoll, int descriptor, uint32_t events) {
  struct epoll_event event = {.events = events, .data.fd = descriptor};
  epoll_ctl(epoll, EPOLL_CTL_MOD, descriptor, &event);
}

static void ask(int descriptor) {
  if (send(descriptor, kRequest, sizeof kRequest, MSG_NOSIGNAL) != (ssize_t)sizeof kRequest) fail("send");
}
static void take_answer(int descriptor) {
  char answer[sizeof kRequest];
  for (size_t got = 0; got < sizeof answer;) {
    const ssize_t count = recv(descriptor, answer + got, sizeof answer - got, 0);
    if (count < 0 && errno == EAGAIN) {
      struct timespec moment = {0, 200000};
      nanosleep(&moment, NULL);
      continue;
    }
    if (count <= 0) fail("recv");
    got += (size_t)count;
  }
  if (memcmp(answer, kRequest, sizeof answer) != 0) errno = EPROTO, fail("answer");
}

static void end_all(const int* descriptors, long count, int resets) {
  const struct linger linger = {resets, 0};
  for (long index = 0; index < count; ++index) {
    setsockopt(descriptors[index], SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    close(descriptors[index]);
  }
}

// Makes `count` connections with an echo on each; they stay open.
static int* open_all(int epoll, long count) {
  int* made = calloc((size_t)count, sizeof *made);
  long started = 0, done = 0;
  struct epoll_event events[256];
  while (done < count) {
    for (; started < count && started - done < kParallel; ++started) made[started] = start_connecting(epoll);
    const int ready = epoll_wait(epoll, events, 256, 60000);
    if (ready <= 0) errno = ETIMEDOUT, fail("connections");
    for (int index = 0; index < ready; ++index) {
      const int descriptor = events[index].data.fd;
      if ((events[index].events & (EPOLLERR | EPOLLHUP)) != 0) {
        socklen_t length = sizeof errno;
        getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &errno, &length);
        fail("connection");
      }
      if ((events[index].events & EPOLLOUT) != 0) {
        ask(descriptor);
        await(epoll, descriptor, EPOLLIN);
      } else {
        take_answer(descriptor);
        await(epoll, descriptor, 0);
        ++done;
      }
    }
  }
  return made;
}

static void hold(long count) {
  int* made = open_all(epoll_create1(0), count);
  printf("held %ld\n", count);
  fflush(stdout);
  char line[64];
  while (fgets(line, sizeof line, stdin) != NULL) {
    long requests;
    if (sscanf(line, "requests %ld", &requests) == 1) {
      for (long number = 0; number < requests; ++number) {
        ask(made[0]);
        take_answer(made[0]);
      }
      printf("answered %ld\n", requests);
      fflush(stdout);
      continue;
    }
    end_all(made, count, strncmp(line, "reset", 5) == 0);
    return;
  }
}

static void request(long total, long per, long parallel) {
  static long left[kMost];
  const int epoll = epoll_create1(0);
  long started = 0, done = 0, open = 0;
  struct epoll_event events[256];
  const double begin = seconds();
  while (done < total) {
    for (; open < parallel && started < total; ++open) {
      const int made = start_connecting(epoll);
      left[made] = total - started < per ? total - started : per;
      started += left[made];
    }
    const int ready = epoll_wait(epoll, events, 256, 60000);
    if (ready <= 0) errno = ETIMEDOUT, fail("requests");
    for (int index = 0; index < ready; ++index) {
      const int descriptor = events[index].data.fd;
      if ((events[index].events & EPOLLOUT) != 0) {
        await(epoll, descriptor, EPOLLIN);
        ask(descriptor);
        continue;
      }
      take_answer(descriptor);
      ++done;
      if (--left[descriptor] > 0) {
        ask(descriptor);
      } else {
        close(descriptor);
        --open;
      }
    }
  }
  printf("answered %ld in %.2f s\n", total, seconds() - begin);
}

static void go_slowly(long count, long long_time) {
  int* made = open_all(epoll_create1(0), count);
  printf("held %ld\n", count);
  fflush(stdout);
  for (long second = 0; second < long_time; ++second) {
    const double begin = seconds();
    for (long index = 0; index < count; ++index) {
      const char byte = (char)('a' + second % 26);
      char answer;
      if (second > 0 && recv(made[index], &answer, 1, 0) != 1) fail("recv of a byte");
      if (send(made[index], &byte, 1, MSG_NOSIGNAL) != 1) fail("send of a byte");
    }
    const double rest = 1.0 - (seconds() - begin);
    if (rest > 0) usleep((useconds_t)(rest * 1e6));
  }
  printf("sent %ld\n", count * long_time);
  end_all(made, count, 0);
}

static uint32_t sum_of(const void* bytes, size_t size, uint32_t sum) {
  const uint8_t* at = bytes;
  for (size_t index = 0; index + 1 < size; index += 2) sum += (uint32_t)(at[index] << 8 | at[index + 1]);
  if (size % 2 != 0) sum += (uint32_t)(at[size - 1] << 8);
  return sum;
}

// An IP packet with a TCP segment of `size` bytes, header and all; its checksum is right.
static void send_raw(int raw, uint32_t from, uint8_t* segment, size_t size) {
  uint8_t packet[2048] = {0x45};
  struct iphdr* ip = (struct iphdr*)packet;
  ip->ttl = 64;
  ip->protocol = IPPROTO_TCP;
  ip->saddr = from;
  ip->daddr = g_server.sin_addr.s_addr;
  segment[16] = segment[17] = 0;
  uint32_t sum = sum_of(&ip->saddr, 8, IPPROTO_TCP + (uint32_t)size);
  sum = sum_of(segment, size, sum);
  while (sum >> 16 != 0) sum = (sum & 0xFFFF) + (sum >> 16);
  segment[16] = (uint8_t)(~sum >> 8), segment[17] = (uint8_t)~sum;
  memcpy(packet + 20, segment, size);
  while (sendto(raw, packet, 20 + size, 0, (const struct sockaddr*)&g_server, sizeof g_server) < 0)
    if (errno != ENOBUFS && errno != EAGAIN) fail("sendto");
}

static void send_segments(long count, int is_garbage) {
  const int raw = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
  if (raw < 0) fail("raw socket");
  srandom(1);
  for (long number = 0; number < count; ++number) {
    uint8_t segment[1400] = {0};
    const uint16_t own_port = (uint16_t)(1024 + random() % 60000), port = ntohs(g_server.sin_port);
    segment[0] = (uint8_t)(own_port >> 8), segment[1] = (uint8_t)own_port;
    segment[2] = (uint8_t)(port >> 8), segment[3] = (uint8_t)port;
    size_t size = 24;
    if (is_garbage) {
      size = 20 + (size_t)(random() % 1300);
      for (size_t at = 4; at < size; ++at) segment[at] = (uint8_t)random();
      if (random() % 4 != 0) segment[12] = (uint8_t)((5 + random() % 4) << 4);  // mostly a header that fits
    } else {
      for (size_t at = 4; at < 8; ++at) segment[at] = (uint8_t)random();
      segment[12] = 6 << 4;
      segment[13] = 2;  // SYN
      segment[14] = 0xFF;
      segment[20] = 2, segment[21] = 4, segment[22] = 1460 >> 8, segment[23] = 1460 & 0xFF;
    }
    send_raw(raw, htonl(0x0A5A0000u + (uint32_t)(random() & 0xFFFF)), segment, size);
  }
  printf("sent %ld\n", count);
}

int main(int count, char** arguments) {
  if (count < 5) {
    fprintf(stderr, "usage: network_client MODE ADDRESS PORT NUMBER...\n");
    return 2;
  }
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max < kMost ? files.rlim_max : kMost;
  if (setrlimit(RLIMIT_NOFILE, &files) != 0) fail("setrlimit");
  g_server.sin_family = AF_INET;
  g_server.sin_port = htons((uint16_t)atoi(arguments[3]));
  if (inet_pton(AF_INET, arguments[2], &g_server.sin_addr) != 1) fail(arguments[2]);
  const char* mode = arguments[1];
  const long numbers[3] = {atol(arguments[4]), count > 5 ? atol(arguments[5]) : 1, count > 6 ? atol(arguments[6]) : 1};
  if (strcmp(mode, "hold") == 0)
    hold(numbers[0]);
  else if (strcmp(mode, "requests") == 0)
    request(numbers[0], numbers[1], numbers[2]);
  else if (strcmp(mode, "slow") == 0)
    go_slowly(numbers[0], numbers[1]);
  else if (strcmp(mode, "flood") == 0)
    send_segments(numbers[0], 0);
  else if (strcmp(mode, "garbage") == 0)
    send_segments(numbers[0], 1);
  else
    return fprintf(stderr, "network_client: %s: no such mode\n", mode), 2;
  return 0;
}
