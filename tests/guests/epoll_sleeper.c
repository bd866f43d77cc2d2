// Three threads that sleep in epoll_wait for ever. What they must never see: an end of that sleep.
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

static void* sleep_in_epoll(void* argument) {
  const int epoll = epoll_create1(0);
  struct epoll_event event;
  const int result = epoll_wait(epoll, &event, 1, -1);
  printf("epoll_wait ended: %d %s\n", result, strerror(errno));
  fflush(stdout);
  return argument;
}

int main(void) {
  pthread_t threads[2];
  for (int number = 0; number < 2; ++number) pthread_create(&threads[number], NULL, sleep_in_epoll, NULL);
  puts("sleeping");
  fflush(stdout);
  sleep_in_epoll(NULL);
}
