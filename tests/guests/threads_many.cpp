// Reads a null pointer while as many threads as the argument says wait for a condition, each under a name of its own.
#include <pthread.h>

#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <thread>
#include <vector>

static std::mutex mutex;
static std::condition_variable changed;
static int waiting = 0;
static int* volatile nowhere = nullptr;
static volatile int sink;

static void wait_for_ever(int number) {
  char name[16];
  snprintf(name, sizeof name, "waiter %d", number);
  pthread_setname_np(pthread_self(), name);
  std::unique_lock<std::mutex> lock(mutex);
  ++waiting;
  changed.notify_all();
  changed.wait(lock, [] { return waiting < 0; });
}

extern "C" __attribute__((noinline)) void die() {
  sink = *nowhere;
}

int main(int count, char** arguments) {
  const int wanted = count > 1 ? atoi(arguments[1]) : 500;
  std::vector<std::thread> threads;
  for (int i = 0; i < wanted; ++i) threads.emplace_back(wait_for_ever, i);
  {
    std::unique_lock<std::mutex> lock(mutex);
    changed.wait(lock, [&] { return waiting == wanted; });
  }
  die();
  for (std::thread& thread : threads) thread.join();
}
