// Two threads meet at a barrier and both end the program at the same moment; two more wait. The argument says how:
//   faults     both read a null pointer
//   abort      one reads a null pointer, the other calls abort()
//   exit       one reads a null pointer, the other calls _exit(3)
#include <pthread.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>

static pthread_barrier_t barrier;
static std::string how;
static int* volatile nowhere = nullptr;
static volatile int sink;

extern "C" __attribute__((noinline)) void end_by_fault() {
  sink = *nowhere;
}

extern "C" __attribute__((noinline)) void end_otherwise() {
  if (how == "abort") abort();
  if (how == "exit") _exit(3);
  end_by_fault();
  sink = 1;
}

static void meet(void (*end)(), const char* name) {
  pthread_setname_np(pthread_self(), name);
  pthread_barrier_wait(&barrier);
  end();
}

static void wait_for_ever(const char* name) {
  pthread_setname_np(pthread_self(), name);
  pthread_barrier_wait(&barrier);
  while (true) pause();
}

int main(int count, char** arguments) {
  how = count > 1 ? arguments[1] : "faults";
  pthread_barrier_init(&barrier, nullptr, 4);
  std::thread one(meet, end_by_fault, "one"), other(meet, end_otherwise, "other"), waiting(wait_for_ever, "waits"),
      waiting_too(wait_for_ever, "waits too");
  one.join();
  other.join();
  waiting.join();
  waiting_too.join();
}
