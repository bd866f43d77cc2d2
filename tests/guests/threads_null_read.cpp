// Eight threads, each with its own values in every register and in a thread-local variable; one of them reads a null
// pointer while five wait in system calls, two compute, and main waits in join.
#include <linux/futex.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <thread>

#include "plant_threads.h"

extern "C" {
uint32_t futex_word = 7;
timespec long_time = {1'000'000, 0};
int pipe_ends[2];
pollfd polled;
sigset_t awaited_signals;
char read_buffer[16];
volatile int sink;
}

thread_local uint64_t own_value = 0x1111;
thread_local char own_padding[24];  // the variable before it does not stand at the end of the block

namespace {

enum Worker { kInFutex, kInSleep, kInRead, kInPoll, kInSignalWait, kSpinning, kSpinningToo, kCrashing, kWorkerCount };
const char* const kNames[] = {"in futex",   "in sleep", "in read",   "in poll",
                              "in sigwait", "spins",    "spins too", "crashes"};
std::atomic<int> g_ready_count;

uint64_t address_of(void* pointer) {
  return reinterpret_cast<uint64_t>(pointer);
}

// The others are where they are to be found: each had the CPU since it said that it is ready.
void wait_for_others() {
  while (g_ready_count.load() < kCrashing) std::this_thread::yield();
  timespec turn = {0, 20'000'000};
  for (int i = 0; i < 10; ++i) nanosleep(&turn, nullptr);
}

}  // namespace

extern "C" __attribute__((noinline)) void stop_here(int worker) {
  RegisterPlant& plant = register_plants[worker];
  switch (worker) {
    case kInFutex:
      plant_call(plant, SYS_futex, address_of(&futex_word), FUTEX_WAIT_PRIVATE, futex_word, 0);
      STOP_IN_CALL(plant);  // frame: stop_in_futex
      break;
    case kInSleep:
      plant_call(plant, SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, address_of(&long_time), 0);
      STOP_IN_CALL(plant);  // frame: stop_in_sleep
      break;
    case kInRead:
      plant_call(plant, SYS_read, static_cast<uint64_t>(pipe_ends[0]), address_of(read_buffer), sizeof read_buffer, 0);
      STOP_IN_CALL(plant);  // frame: stop_in_read
      break;
    case kInPoll:
      plant_call(plant, SYS_poll, address_of(&polled), 1, ~uint64_t{0}, 0);
      STOP_IN_CALL(plant);  // frame: stop_in_poll
      break;
    case kInSignalWait:
      plant_call(plant, SYS_rt_sigtimedwait, address_of(&awaited_signals), 0, 0, 8);
      STOP_IN_CALL(plant);  // frame: stop_in_sigwait
      break;
    case kSpinning:
      STOP_SPINNING(plant);  // frame: stop_spinning
      break;
    case kSpinningToo:
      STOP_SPINNING(plant);  // frame: stop_spinning_too
      break;
    default:
      plant.general[kPlantRdi] = 0;
      STOP_AT_NULL(plant);  // frame: stop_at_null
  }
}

static inline __attribute__((always_inline)) int step_inlined(int worker) {
  stop_here(worker);  // frame: step_inlined
  return worker + sink;
}

extern "C" __attribute__((noinline)) int step_two(int worker) {
  sink = step_inlined(worker);  // frame: step_two
  return sink + worker;
}

extern "C" __attribute__((noinline)) int step_one(int worker) {
  const int result = step_two(worker);  // frame: step_one
  sink = result;
  return result + sink;
}

extern "C" __attribute__((noinline)) void run_worker(int worker) {
  pthread_setname_np(pthread_self(), kNames[worker]);
  own_value = PLANTED_LOCAL(worker);
  own_padding[0] = 1;
  if (worker == kCrashing) wait_for_others();
  ++g_ready_count;
  sink = step_one(worker);  // frame: run_worker
}

int main() {
  own_value = PLANTED_LOCAL(99);
  plant_prepare_threads(kWorkerCount);
  if (pipe(pipe_ends) != 0) return 1;
  polled = {pipe_ends[0], POLLIN, 0};
  sigemptyset(&awaited_signals);
  sigaddset(&awaited_signals, SIGUSR1);
  std::thread threads[kWorkerCount];
  for (int i = 0; i < kWorkerCount; ++i) threads[i] = std::thread(run_worker, i);
  for (std::thread& thread : threads) thread.join();  // frame: main
  return 0;
}
