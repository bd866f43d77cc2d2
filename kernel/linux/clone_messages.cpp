#include "kernel/linux/clone_messages.h"

#include <algorithm>

#include "kernel/arch/x86_64/cpu.h"
#include "kernel/arch/x86_64/interrupt_guard.h"
#include "kernel/arch/x86_64/interrupts.h"
#include "kernel/arch/x86_64/local_apic.h"
#include "kernel/arch/x86_64/random.h"
#include "kernel/debug/debugger.h"
#include "kernel/drivers/control_port.h"
#include "kernel/library/log.h"
#include "kernel/linux/vdso.h"
#include "kernel/memory/guest_description.h"
#include "kernel/memory/page_table.h"
#include "kernel/memory/physical.h"
#include "kernel/net/ethernet.h"
#include "kernel/net/network.h"
#include "kernel/resume/resume.h"
#include "kernel/task/scheduler.h"

namespace kernel::linux {
namespace {

using mortem::format::ControlClockReport;
using mortem::format::ControlClone;
using mortem::format::ControlPages;
using mortem::format::ControlType;
using mortem::format::ControlWriteAgain;

constexpr uint64_t kLookInterval = 1'000'000;
constexpr uint64_t kLongestWatch = 600'000'000'000;  // a host that went away does not cost us a timer for ever

Timer g_look;
ControlClockReport g_report;
uint64_t g_watch_began, g_last_look;

uint8_t g_hold_vector = 0;  // 0: none

void take_look() {
  const uint64_t now = monotonic_ns();
  if (now - g_last_look > g_report.largest_gap_ns) g_report.largest_gap_ns = now - g_last_look;
  ++g_report.looks;
  g_last_look = now;
}

void look(Timer&) {
  take_look();
  if (g_last_look - g_watch_began < kLongestWatch) set_timer(g_look, g_last_look + kLookInterval);
}

void begin_watch() {
  InterruptGuard guard;
  g_report = {};
  g_watch_began = g_last_look = monotonic_ns();
  g_look.fire = look;
  set_timer(g_look, g_last_look + kLookInterval);
  arm_timer(g_last_look + kLookInterval);
}

void end_watch() {
  InterruptGuard guard;
  cancel_timer(g_look);
  take_look();  // one that is late would not be seen otherwise
  g_report.watched_ns = g_last_look - g_watch_began;
  control_send(ControlType::ClockReport, {reinterpret_cast<const uint8_t*>(&g_report), sizeof g_report});
}

// What stands in free pages matters to nobody, they are cleared when they are taken; to the firmware's nobody writes.
void write_page_again(uint64_t frame) {
  const PageOwner owner = page_owner(frame * kPageSize);
  if (owner == PageOwner::Absent || owner == PageOwner::Firmware || owner == PageOwner::Free) return;
  auto* first = direct_map<uint8_t>(frame * kPageSize);
  const auto mapping = kernel_page_table().lookup(reinterpret_cast<uint64_t>(first));
  if (mapping && mapping->access.write) asm volatile("lock orb $0, %0" : "+m"(*first));
}

void write_again(std::span<const uint8_t> payload) {
  ControlWriteAgain message;
  if (payload.size() < sizeof message) return;
  __builtin_memcpy(&message, payload.data(), sizeof message);
  const InterruptGuard guard;
  flush_tlb();
  ControlPages pages;
  for (auto rest = payload.subspan(sizeof message); rest.size() >= sizeof pages; rest = rest.subspan(sizeof pages)) {
    __builtin_memcpy(&pages, rest.data(), sizeof pages);
    const uint64_t end = std::min(uint64_t{pages.first} + pages.count, memory_page_count());
    for (uint64_t frame = pages.first; frame < end; ++frame) write_page_again(frame);
  }
  control_send(ControlType::WroteAgain, {reinterpret_cast<const uint8_t*>(&message), sizeof message});
}

void hold() {
  if (debug::hold_app())
    net::stand_still();
  else
    net::go_on_alone();
}

void become_clone(const ControlClone& clone) {
  InterruptGuard guard;
  cancel_timer(g_look);                                              // of the original's watch
  guest_description().clone_state = mortem::format::kCloneOriginal;  // an NMI writes a dump again
  random_mix(clone.entropy, sizeof clone.entropy);
  if (clone.wall_clock_ns != 0) {
    set_wall_clock(clone.wall_clock_ns);
    vdso_clock_changed();
  }
  static constexpr uint8_t kNone[6] = {};
  if (__builtin_memcmp(clone.hardware_address, kNone, sizeof kNone) != 0)
    net::ethernet_set_hardware_address(clone.hardware_address);
  const bool from_dump = g_resumed_count > 0;  // whose program stands still already
  if ((clone.flags & mortem::format::kCloneHoldsApp) == 0) {
    net::go_on_alone();
    if (from_dump) debug::let_app_go();
  } else if (from_dump) {
    net::stand_still();
  } else {
    hold();
  }
  if (!from_dump) log(LogLevel::Info, "this guest is a clone now");
  control_send(ControlType::CloneReady, {});
}

}  // namespace

void clone_messages_initialize() {
  auto interrupt = allocate_message_interrupt([](void*) { hold(); }, nullptr);
  if (interrupt) g_hold_vector = static_cast<uint8_t>(interrupt.value().data);
}

bool take_clone_nmi() {
  if (g_hold_vector == 0 || guest_description().clone_state != mortem::format::kCloneUntold) return false;
  local_apic_interrupt_self(g_hold_vector);
  return true;
}

bool take_clone_message(ControlType type, std::span<const uint8_t> payload) {
  switch (type) {
    case ControlType::WatchClock:
      begin_watch();
      return true;
    case ControlType::WatchClockEnd:
      end_watch();
      return true;
    case ControlType::WriteAgain:
      write_again(payload);
      return true;
    case ControlType::YouAreAClone: {
      ControlClone clone{};
      if (payload.size() < sizeof clone) return true;
      __builtin_memcpy(&clone, payload.data(), sizeof clone);
      become_clone(clone);
      return true;
    }
    case ControlType::GoOn: {
      ControlClone clone{};
      if (payload.size() < sizeof clone.wall_clock_ns) return true;
      __builtin_memcpy(&clone.wall_clock_ns, payload.data(), sizeof clone.wall_clock_ns);
      become_clone(clone);
      return true;
    }
    default:
      return false;
  }
}

}  // namespace kernel::linux
