// timerfd: clocks, once and again, how often it went off.
#include "abi.h"

#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <sys/timerfd.h>
#include <unistd.h>

static struct itimerspec setting(long value_ms, long interval_ms) {
  return (struct itimerspec){timespec_of_ms(interval_ms), timespec_of_ms(value_ms)};
}

static long ms(struct timespec time) {
  return time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

static uint64_t count_of(int file) {
  uint64_t count = 0;
  return read(file, &count, sizeof count) == sizeof count ? count : 0;
}

static int readable(int file, int timeout_ms) {
  struct pollfd entry = {file, POLLIN | POLLOUT, 0};
  const int result = poll(&entry, 1, timeout_ms);
  return result == 1 ? entry.revents : result;
}

static void on_clock(clockid_t clock) {
  int file = timerfd_create(clock, 0);
  struct itimerspec out, in = setting(60, 0);
  printf("clock %d: not set: %d, ", clock, timerfd_gettime(file, &out));
  printf("%ld %ld\n", ms(out.it_value), ms(out.it_interval));
  fact("poll", readable(file, 0));
  long start = now_ms();
  printf("set %d\n", timerfd_settime(file, 0, &in, NULL));
  timerfd_gettime(file, &out);
  printf("left %d\n", ms(out.it_value) <= 60);
  fact("count", (long)count_of(file));
  fact("not early", now_ms() - start >= 59);
  timerfd_gettime(file, &out);
  printf("then %ld, poll %d\n", ms(out.it_value), readable(file, 0));

  while (clock_ms(clock) < 200) sleep_ms(10);  // there must be such a past
  // Absolute, with an interval, in the past: it has gone off every time until now.
  in = setting(clock_ms(clock) - 95, 20);
  timerfd_settime(file, TFD_TIMER_ABSTIME, &in, NULL);
  const uint64_t count = count_of(file);
  printf("past: at least 5 %d, not too often %d\n", count >= 5, count < 1000);
  printf("next %d\n", readable(file, 5000));
  timerfd_gettime(file, &out);
  printf("interval %ld, left %d\n", ms(out.it_interval), ms(out.it_value) <= 20);
  in = setting(0, 0);
  printf("off %d", timerfd_settime(file, 0, &in, &out));
  printf(", it was %ld, poll %d\n", ms(out.it_interval), readable(file, 40));
  close(file);
}

int main(void) {
  on_clock(CLOCK_MONOTONIC);
  on_clock(CLOCK_REALTIME);
  on_clock(CLOCK_BOOTTIME);

  fact("no such clock", error_of(timerfd_create(CLOCK_PROCESS_CPUTIME_ID, 0)));
  fact("no such clock either", error_of(timerfd_create(CLOCK_MONOTONIC_RAW, 0)));
  printf("bad flags: %d\n", error_of(timerfd_create(CLOCK_MONOTONIC, 1)));
  int file = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
  char bytes[16] = {0};
  printf("flags %#x, close on exec %d\n", fcntl(file, F_GETFL), fcntl(file, F_GETFD));
  fact("nothing yet", error_of(read(file, bytes, 8)));
  fact("short", error_of(read(file, bytes, 7)));
  fact("write", error_of(write(file, bytes, 8)));
  struct itimerspec in = setting(10, 0);
  in.it_value.tv_nsec = 1000000000;
  printf("no time: %d\n", error_of(timerfd_settime(file, 0, &in, NULL)));
  in = setting(10, 0);
  in.it_interval.tv_sec = -1;
  printf("no interval: %d\n", error_of(timerfd_settime(file, 0, &in, NULL)));
  in = setting(10, 0);
  printf("bad flags: %d\n", error_of(timerfd_settime(file, 8, &in, NULL)));
  fact("not a timer", error_of(timerfd_settime(0, 0, &in, NULL)));
  fact("not open", error_of(timerfd_settime(77, 0, &in, NULL)));
  fact("no memory there", error_of(timerfd_gettime(file, (void*)8)));
  in.it_value = timespec_of_ms(clock_ms(CLOCK_REALTIME) + 30);
  printf("cancel on set: %d\n", timerfd_settime(file, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &in, NULL));
  printf("goes off %d\n", readable(file, 5000));
  printf("count %lu\n", (unsigned long)count_of(file));

  // Setting it again forgets what went off.
  in = setting(1, 0);
  timerfd_settime(file, 0, &in, NULL);
  printf("went off %d", readable(file, 5000));
  in = setting(100000, 700);
  timerfd_settime(file, 0, &in, NULL);
  printf(", set again %d\n", readable(file, 0));
  in = setting(0, 700);
  timerfd_settime(file, 0, &in, NULL);
  timerfd_gettime(file, &in);
  printf("off with an interval: %ld %ld\n", ms(in.it_value), ms(in.it_interval));

  // A nanosecond's interval is no storm.
  in = (struct itimerspec){{0, 1}, {0, 1}};
  timerfd_settime(file, 0, &in, NULL);
  sleep_ms(20);
  printf("many %d\n", count_of(file) > 1000000);
  return 0;
}
