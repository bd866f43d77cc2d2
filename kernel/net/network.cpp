#include "kernel/net/network.h"

#include "kernel/arch/x86_64/interrupt_guard.h"
#include "kernel/arch/x86_64/interrupts.h"
#include "kernel/library/log.h"
#include "kernel/memory/pressure.h"
#include "kernel/net/configuration.h"
#include "kernel/net/ethernet.h"
#include "kernel/net/hash_table.h"
#include "kernel/net/icmp_errors.h"
#include "kernel/net/tcp_socket.h"
#include "kernel/net/tcp_tables.h"
#include "kernel/net/udp_tables.h"
#include "kernel/task/wait.h"
#include "lwip/init.h"
#include "lwip/netif.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/timeouts.h"

namespace kernel::net {
namespace {

constexpr size_t kBudget = 64;                        // frames before the program gets a turn
constexpr uint64_t kProgramTurn = 200'000;            // how long, while more frames wait
constexpr uint64_t kPutOff = 1'000'000;               // how long a frame waits for others at most
constexpr uint64_t kAddressPatience = 1'000'000'000;  // how long the program's start waits for DHCP

int g_depth = 0;
bool g_stands_still = false, g_is_alone_from_now = false;

void alarm_went_off(Timer&) {
  request_deferred_work();
}
Timer g_alarm{.fire = alarm_went_off};

void set_alarm_at(uint64_t deadline) {
  const InterruptGuard guard;
  if (!g_alarm.queued || deadline < g_alarm.deadline_ns) g_timers.set(g_alarm, deadline);
}

void set_alarm() {
  const uint32_t milliseconds = sys_timeouts_sleeptime();
  if (milliseconds != SYS_TIMEOUTS_SLEEPTIME_INFINITE)
    set_alarm_at(monotonic_ns() + uint64_t{milliseconds} * 1'000'000);
}

void device_has_news(void*) {
  request_deferred_work();
}

// Frames, then what is due.
void serve() {
  if (g_stands_still) return;
  if (g_is_alone_from_now) {
    g_is_alone_from_now = false;
    const NetworkScope scope;
    ethernet_forget_frames();
    reset_connections_to_others();
  }
  relieve_memory_if_short();  // frames would find no room, and the program that makes some sleeps
  bool more;
  {
    const NetworkScope scope;
    more = ethernet_receive(kBudget);
    sys_check_timeouts();
  }
  if (!more && !ethernet_wait_for_news()) return;
  // A flood of frames must not keep the program from running; the device drops what finds no room meanwhile.
  if (is_app_ready() || is_app_running())
    set_alarm_at(monotonic_ns() + kProgramTurn);
  else
    request_deferred_work();
}

}  // namespace

NetworkScope::NetworkScope(Output output) : output_(output) {
  ++g_depth;
}

NetworkScope::~NetworkScope() {
  if (g_depth > 1) {
    --g_depth;
    return;
  }
  // Still inside: what is delivered here may send again, and that loops back once more until there is nothing left.
  netif_poll_all();
  if (output_ == Output::MayWait && g_events_in_hand > 1 && ethernet_may_put_off()) {
    if (!g_work_is_put_off) set_alarm_at(monotonic_ns() + kPutOff);
    g_work_is_put_off = true;
  } else {
    ethernet_flush();
    g_work_is_put_off = false;
  }
  --g_depth;
  set_alarm();
}

void initialize() {
  set_deferred_work(serve);
  set_put_off_work([] { const NetworkScope scope; });
  hash_initialize();
  tcp_tables_initialize();
  udp_tables_initialize();
  lwip_init();
  tcp_ticks = 1;  // of 0 lwIP says that nothing is measured (tcp_pcb::rttest)
  const NetworkScope scope;
  listen_for_icmp_errors();
  if (!ethernet_initialize(device_has_news)) return;
  configure(ethernet_interface());
  set_polled_device({.be_quiet = ethernet_be_quiet,
                     .has_news = [] { return !g_stands_still && ethernet_has_news(); },
                     .be_watched = [] { return !g_stands_still && ethernet_wait_for_news(); }});
  request_deferred_work();  // the first look at the card, which tells of frames from then on
}

bool resume() {
  bool is_there;
  {
    const NetworkScope scope;
    is_there = ethernet_resume();
  }
  request_deferred_work();
  return is_there;
}

void stand_still() {
  g_stands_still = true;
}

bool stands_still() {
  return g_stands_still;
}

void go_on_alone() {
  g_stands_still = false;
  g_is_alone_from_now = true;
  request_deferred_work();
}

void wait_for_address() {
  if (is_configured()) return;
  wait_for([] { return is_configured(); }, monotonic_ns() + kAddressPatience, 1'000'000);
  if (!is_configured())
    log(LogLevel::Warning, "no address from DHCP within a second; the program starts, the asking goes on");
}

}  // namespace kernel::net
