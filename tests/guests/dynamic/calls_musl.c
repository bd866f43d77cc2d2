// musl's dynamic loader is its C library.
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

static _Thread_local int count = 5;

static void* counts(void* to) {
  *(int*)to = ++count;
  return NULL;
}

int main(int argc, char** argv) {
  (void)argc;
  printf("name ends in %s\n", strrchr(argv[0], '/'));
  int there = 0;
  pthread_t thread;
  if (pthread_create(&thread, NULL, counts, &there) != 0) return 1;
  pthread_join(thread, NULL);
  printf("thread %d, main %d\n", there, ++count);
  printf("printf by dlsym: %d\n", dlsym(RTLD_DEFAULT, "printf") != NULL);
  printf("no such library: %d\n", dlopen("libnothere.so", RTLD_NOW) == NULL);
  printf("a line that makes this output longer than a hundred bytes, as the test demands of every program\n");
  return 0;
}
