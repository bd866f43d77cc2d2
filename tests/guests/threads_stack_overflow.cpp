// A thread that is not the first one recurses until its stack of 64 KiB is gone and it touches the guard page.
#include <pthread.h>

static volatile int depth = 0;

extern "C" __attribute__((noinline)) int descend(int level) {
  volatile char ballast[512];
  ballast[level & 511] = 1;
  depth = level;
  const int result = descend(level + 1);
  return result + ballast[level & 511];
}

static void* run(void*) {
  pthread_setname_np(pthread_self(), "deep");
  depth = descend(1);
  return nullptr;
}

int main() {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 64 << 10);
  pthread_t thread;
  if (pthread_create(&thread, &attributes, run, nullptr) != 0) return 1;
  pthread_join(thread, nullptr);
}
