// What the programs of this folder share.
#pragma once

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

// errno's number: musl has no strerrorname_np.
static inline int error_of(long result) {
  return result < 0 ? errno : 0;
}

static inline void fact(const char* what, long value) {
  printf("%s: %ld\n", what, value);
}

static inline long clock_ms(clockid_t clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  return time.tv_sec * 1000 + time.tv_nsec / 1000000;
}
static inline long now_ms(void) {
  return clock_ms(CLOCK_MONOTONIC);
}

static inline struct timespec timespec_of_ms(long ms) {
  return (struct timespec){ms / 1000, ms % 1000 * 1000000};
}
static inline void sleep_ms(long ms) {
  const struct timespec time = timespec_of_ms(ms);
  nanosleep(&time, NULL);
}
