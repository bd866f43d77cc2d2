// Ends with status 3 and says why on its standard error, while another thread waits.
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

static pthread_barrier_t both;

static void* wait_for_ever(void* nothing) {
  pthread_barrier_wait(&both);
  pause();
  return nothing;
}

int main(void) {
  pthread_t thread;
  pthread_barrier_init(&both, NULL, 2);
  printf("configuration read\n");
  fprintf(stderr, "warning: port 80 is low\n");
  pthread_create(&thread, NULL, wait_for_ever, NULL);
  pthread_barrier_wait(&both);
  fprintf(stderr, "cannot bind to port 80: Permission denied\n");
  return 3;
}
