#include "kernel/debug/signal_filter.h"

#include "kernel/drivers/control_port.h"
#include "kernel/library/command_line.h"
#include "kernel/library/log.h"

namespace kernel::debug {
namespace {

mortem::gdbstub::SignalSet g_passed;

}  // namespace

void set_passed_signals(mortem::gdbstub::SignalSet signals) {
  g_passed = signals;
}

bool passes_at_once(int signal) {
  return g_passed.contains(signal);
}

bool stops_at_crash() {
  return setting_is("on-crash", "gdb");
}

void announce_crash(const linux::SignalInformation& information, const TrapFrame& frame) {
  char line[160];
  const size_t length =
      format_text(line, sizeof line, "%s at rip %#lx", linux::signal_name(information.signal), frame.rip);
  control_send(mortem::format::ControlType::WaitsForDebugger, {reinterpret_cast<const uint8_t*>(line), length});
  log(LogLevel::Info, "%s: the program waits for gdb; its dump follows when gdb detaches", line);
}

}  // namespace kernel::debug
