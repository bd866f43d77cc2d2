// Reads its standard input in the way the first argument names, and says what it saw: on Linux, from a pipe, and in a
// guest the same. test_input.py.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

static void print_facts(void) {
  struct stat facts;
  int queued = -1;
  fstat(0, &facts);
  printf("terminal %d, type %o, flags %o\n", isatty(0), facts.st_mode & S_IFMT, fcntl(0, F_GETFL) & 0777777);
  long answer = (long)lseek(0, 0, SEEK_CUR);
  printf("seek %ld, errno %d\n", answer, errno);
  answer = (long)write(0, "x", 1);
  printf("write %ld, errno %d\n", answer, errno);
  struct pollfd wait = {0, POLLIN, 0};
  poll(&wait, 1, -1);  // whoever writes may not have begun
  answer = ioctl(0, FIONREAD, &queued);
  printf("FIONREAD %ld, %d\n", answer, queued);
}

// To the end of the input, waiting as `how` says before each read.
static void read_all(const char* how) {
  static unsigned char buffer[3000];
  unsigned long bytes = 0, sum = 0;
  const int use_epoll = strcmp(how, "epoll") == 0 || strcmp(how, "edge") == 0, use_poll = strcmp(how, "poll") == 0;
  const int edge = strcmp(how, "edge") == 0;
  const int queue = epoll_create1(0);
  struct epoll_event event = {.events = EPOLLIN | (edge ? EPOLLET : 0), .data = {.fd = 0}};
  if (use_epoll && epoll_ctl(queue, EPOLL_CTL_ADD, 0, &event) != 0) printf("epoll_ctl: errno %d\n", errno);
  if (use_epoll || use_poll) fcntl(0, F_SETFL, O_NONBLOCK);
  unsigned last = 0;
  for (;;) {
    if (use_poll) {
      struct pollfd wait = {0, POLLIN, 0};
      if (poll(&wait, 1, -1) != 1) printf("poll: errno %d\n", errno);
      last = (unsigned)wait.revents;
    }
    if (use_epoll) {
      if (epoll_wait(queue, &event, 1, -1) != 1) printf("epoll_wait: errno %d\n", errno);
      last = event.events;
    }
    long got;
    do {
      got = read(0, buffer, sizeof buffer);
      for (long index = 0; index < got; ++index) sum = sum * 31 + buffer[index];
      if (got > 0) bytes += (unsigned long)got;
    } while (got > 0 && edge);
    if (got == 0) break;
    if (got < 0 && errno != EAGAIN) {
      printf("read: errno %d\n", errno);
      break;
    }
  }
  // With an edge the end may already stand there when the last bytes are read, after the wait.
  printf("%s: %lu bytes, sum %lx, at the end %s\n", how, bytes, sum,
         (use_epoll || use_poll) && !edge ? (last & POLLHUP) != 0 ? "hang-up" : "no hang-up" : "0");
  printf("and again: %ld\n", (long)read(0, buffer, sizeof buffer));
}

int main(int argument_count, char** arguments) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  if (argument_count < 2) return 1;
  if (strcmp(arguments[1], "never") == 0) {
    printf("nothing was read\n");
  } else if (strcmp(arguments[1], "facts") == 0) {
    print_facts();
  } else if (strcmp(arguments[1], "lines") == 0) {
    char line[200];
    printf("ready\n");
    while (fgets(line, sizeof line, stdin) != NULL) printf("line: %s", line);
    printf("end\n");
  } else {
    read_all(arguments[1]);
  }
  return 0;
}
