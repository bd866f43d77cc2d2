#include "kernel/net/network.h"

#include "kernel/arch/x86_64/interrupt_guard.h"
#include "kernel/arch/x86_64/interrupts.h"
#include "kernel/library/log.h"
#include "kernel/net/configuration.h"
#include "kernel/net/ethernet.h"
#include "kernel/task/wait.h"
#include "lwip/init.h"
#include "lwip/netif.h"
#include "lwip/timeouts.h"

namespace kernel::net {
namespace {

constexpr size_t kBudget = 128;                       // frames before the program gets a turn
constexpr uint64_t kProgramTurn = 500'000;            // how long, while more frames wait
constexpr uint64_t kAddressPatience = 1'000'000'000;  // how long the program's start waits for DHCP

Thread* g_thread = nullptr;
volatile bool g_pending = false;  // the thread has something to do
int g_depth = 0;

void call_thread() {
  g_pending = true;
  if (g_thread != nullptr) wake(*g_thread);
}

void alarm_went_off(Timer&) {
  call_thread();
}
Timer g_alarm{.fire = alarm_went_off};

void set_alarm() {
  const uint32_t milliseconds = sys_timeouts_sleeptime();
  if (milliseconds == SYS_TIMEOUTS_SLEEPTIME_INFINITE) return;
  const uint64_t deadline = monotonic_ns() + uint64_t{milliseconds} * 1'000'000;
  const InterruptGuard guard;
  if (!g_alarm.queued || deadline < g_alarm.deadline_ns) g_timers.set(g_alarm, deadline);
}

void device_has_news(void*) {
  call_thread();
}

// Frames, then what is due. True: more frames wait.
bool serve() {
  const NetworkScope scope;
  const bool more = ethernet_receive(kBudget);
  sys_check_timeouts();
  return more;
}

void run(void*) {
  while (true) {
    wait_for([] { return g_pending; });
    g_pending = false;
    if (!serve()) {
      if (ethernet_wait_for_news()) g_pending = true;
      continue;
    }
    g_pending = true;
    if (is_app_ready()) {
      // A flood of frames must not keep the program from running; the device drops what finds no room meanwhile.
      g_pending = false;
      wait_for([] { return false; }, monotonic_ns() + kProgramTurn);
      g_pending = true;
    }
  }
}

}  // namespace

NetworkScope::NetworkScope() {
  ++g_depth;
}

NetworkScope::~NetworkScope() {
  if (g_depth > 1) {
    --g_depth;
    return;
  }
  // Still inside: what is delivered here may send again, and that loops back once more until there is nothing left.
  netif_poll_all();
  ethernet_flush();
  --g_depth;
  set_alarm();
}

void initialize() {
  lwip_init();
  const NetworkScope scope;
  if (!ethernet_initialize(device_has_news)) return;
  configure(ethernet_interface());
}

void start_and_wait_for_address() {
  auto thread = start_kernel_thread("network", run, nullptr);
  if (thread.is_error()) {
    log(LogLevel::Warning, "no memory for the network's thread");
    return;
  }
  g_thread = thread.value();
  call_thread();
  if (is_configured()) return;
  wait_for([] { return is_configured(); }, monotonic_ns() + kAddressPatience, 1'000'000);
  if (!is_configured())
    log(LogLevel::Warning, "no address from DHCP within a second; the program starts, the asking goes on");
}

}  // namespace kernel::net
