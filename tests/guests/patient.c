// Does with one TCP connection what it is told on another: patient PORT. The first connection that comes is who tells
// it, a line at a time, each of which is answered with a line. OPTIONS: keepalive=0|1, idle=, interval= (seconds),
// count=, user= (TCP_USER_TIMEOUT in milliseconds), syn= (TCP_SYNCNT), any of them, with commas between.
//   take OPTIONS                  accepts the next connection
//   connect ADDRESS PORT OPTIONS  begins one
//   set OPTIONS                   of the connection that there is
//   send COUNT                    as much of it as there is room for
//   wait MILLISECONDS             for an error of the connection: its number, and milliseconds since the last of the
//                                 lines above; or "alive"
//   drop                          closes it
//   queue PORT BACKLOG OPTIONS    listens there, and accepts nobody
//   serve COUNT                   accepts so many of them, and sends each its first byte back
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static long milliseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void set(int connection, const char* options) {
  static const struct {
    const char* name;
    int level, option;
  } kKnown[] = {{"keepalive=%d", SOL_SOCKET, SO_KEEPALIVE},  {"idle=%d", IPPROTO_TCP, TCP_KEEPIDLE},
                {"interval=%d", IPPROTO_TCP, TCP_KEEPINTVL}, {"count=%d", IPPROTO_TCP, TCP_KEEPCNT},
                {"user=%d", IPPROTO_TCP, TCP_USER_TIMEOUT},  {"syn=%d", IPPROTO_TCP, TCP_SYNCNT}};
  char copy[256];
  snprintf(copy, sizeof copy, "%s", options);
  for (char* part = strtok(copy, ","); part != NULL; part = strtok(NULL, ",")) {
    int value = 0;
    for (size_t index = 0; index < sizeof kKnown / sizeof kKnown[0]; ++index)
      if (sscanf(part, kKnown[index].name, &value) == 1 &&
          setsockopt(connection, kKnown[index].level, kKnown[index].option, &value, sizeof value) != 0)
        perror(part);
  }
}

static long send_some(int connection, long count) {
  static char bytes[65536];
  long done = 0;
  while (done < count) {
    const size_t part = count - done < (long)sizeof bytes ? (size_t)(count - done) : sizeof bytes;
    const ssize_t sent = send(connection, bytes, part, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent <= 0) break;
    done += sent;
  }
  return done;
}

static int begin(const char* address, int port, const char* options) {
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
  inet_pton(AF_INET, address, &to.sin_addr);
  const int connection = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  set(connection, options);
  if (connect(connection, (const struct sockaddr*)&to, sizeof to) != 0 && errno != EINPROGRESS) perror("connect");
  return connection;
}

static int queue(int port, int backlog, const char* options) {
  const int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  const struct sockaddr_in own = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
  set(listener, options);
  if (bind(listener, (const struct sockaddr*)&own, sizeof own) != 0) perror("bind");
  if (listen(listener, backlog) != 0) perror("listen");
  return listener;
}

static int serve(int listener, int wanted) {
  int served = 0;
  for (char byte; served < wanted; ++served) {
    const int connection = accept(listener, NULL, NULL);
    if (connection < 0 || read(connection, &byte, 1) != 1 || write(connection, &byte, 1) != 1) break;
    close(connection);
  }
  return served;
}

int main(int count, char** arguments) {
  const int listener = queue(atoi(count > 1 ? arguments[1] : "7"), 8, "");
  printf("serving\n");
  fflush(stdout);
  FILE* control = fdopen(accept(listener, NULL, NULL), "r+");
  char line[256], options[128] = "", address[64];
  int connection = -1, queued = -1, number = 0, backlog = 0;
  long mark = 0;
  while (fgets(line, sizeof line, control) != NULL) {
    line[strcspn(line, "\n")] = 0;
    fseek(control, 0, SEEK_CUR);  // a stream that was read is to be written
    if (strncmp(line, "take ", 5) == 0) {
      connection = accept(listener, NULL, NULL);
      set(connection, line + 5);
      mark = milliseconds();
      fprintf(control, "%d\n", connection);
    } else if (sscanf(line, "connect %63s %d %127s", address, &number, options) == 3) {
      mark = milliseconds();
      connection = begin(address, number, options);
      fprintf(control, "%d\n", connection);
    } else if (strncmp(line, "set ", 4) == 0) {
      set(connection, line + 4);
      mark = milliseconds();
      fprintf(control, "set\n");
    } else if (sscanf(line, "send %d", &number) == 1) {
      mark = milliseconds();
      fprintf(control, "%ld\n", send_some(connection, number));
    } else if (sscanf(line, "queue %d %d %127s", &number, &backlog, options) >= 2) {
      queued = queue(number, backlog, options);
      fprintf(control, "queue\n");
    } else if (sscanf(line, "serve %d", &number) == 1) {
      fprintf(control, "%d\n", serve(queued, number));
      close(queued);
    } else if (sscanf(line, "wait %d", &number) == 1) {
      struct pollfd wanted = {.fd = connection, .events = 0};
      int error = 0;
      socklen_t size = sizeof error;
      if (poll(&wanted, 1, number) == 0) {
        fprintf(control, "alive\n");
      } else {
        getsockopt(connection, SOL_SOCKET, SO_ERROR, &error, &size);
        fprintf(control, "%d %ld\n", error, milliseconds() - mark);
      }
    } else {
      close(connection);
      fprintf(control, "dropped\n");
    }
    fflush(control);
  }
  return 0;
}
