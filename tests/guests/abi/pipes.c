// Pipes and waiting for them.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <unistd.h>

static const char* error_of(long result) { return result < 0 ? strerrorname_np(errno) : "fine"; }

int main(void) {
  int ends[2];
  char bytes[70000];
  printf("pipe2: %s\n", error_of(pipe2(ends, O_NONBLOCK)));
  printf("empty: %s\n", error_of(read(ends[0], bytes, 1)));
  struct pollfd entries[3] = {{ends[0], POLLIN, 0}, {ends[1], POLLOUT, 0}, {-1, POLLIN, 0}};
  printf("poll: %d %d %d\n", poll(entries, 3, 0), entries[0].revents, entries[1].revents);
  printf("write: %zd\n", write(ends[1], "0123456789", 10));
  int available = 0;
  ioctl(ends[0], FIONREAD, &available);
  printf("available: %d, poll: %d %d\n", available, poll(entries, 3, 1000), entries[0].revents);
  fd_set readers;
  FD_ZERO(&readers);
  FD_SET(ends[0], &readers);
  printf("select: %d %d\n", select(ends[0] + 1, &readers, 0, 0, 0), FD_ISSET(ends[0], &readers));
  printf("read: %zd %.4s\n", read(ends[0], bytes, 4), bytes);
  printf("rest: %zd %.6s\n", read(ends[0], bytes, 100), bytes);
  long total = 0;
  for (long written; (written = write(ends[1], bytes, sizeof bytes)) > 0;) total += written;
  printf("full after: %ld, %s\n", total, strerrorname_np(errno));
  printf("poll: %d %d\n", poll(entries + 1, 1, 0), entries[1].revents);
  long drained = 0;
  for (long count; (count = read(ends[0], bytes, sizeof bytes)) > 0;) drained += count;
  printf("drained: %ld\n", drained);
  printf("lseek: %s\n", error_of(lseek(ends[0], 0, SEEK_CUR)));
  printf("wrong end: %s %s\n", error_of(write(ends[0], "x", 1)), error_of(read(ends[1], bytes, 1)));
  write(ends[1], "last", 4);
  close(ends[1]);
  printf("after the writer went: %zd %zd\n", read(ends[0], bytes, 10), read(ends[0], bytes, 10));
  printf("poll: %d %d\n", poll(entries, 1, 0), entries[0].revents);
  entries[0].fd = 55;
  printf("poll of nothing: %d %d\n", poll(entries, 1, 0), entries[0].revents);
  signal(SIGPIPE, SIG_IGN);
  (void)!pipe(ends);
  close(ends[0]);
  printf("no reader: %s\n", error_of(write(ends[1], "x", 1)));
  printf("timeout: %d\n", poll(0, 0, 30));

  // Small writes that do not end where the buffer does.
  (void)!pipe2(ends, O_NONBLOCK);
  total = 0;
  (void)!write(ends[1], bytes, 1);
  (void)!read(ends[0], bytes, 1);
  for (long written; (written = write(ends[1], bytes, 4096)) > 0;) total += written;
  printf("small writes: %ld, %s\n", total, strerrorname_np(errno));
  return 0;
}
