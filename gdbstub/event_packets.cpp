// Which events the app stops for.
#include "gdbstub/session.h"

namespace mortem::gdbstub {

namespace {

// QCatchSyscalls:0, or 1 and the numbers; without numbers all.
void catch_syscalls(Session& session, Arguments arguments) {
  if (!session.target.description().catches_system_calls) return;
  SyscallFilter filter;
  if (arguments.take("1")) {
    filter.enabled = true;
    size_t count = 0;
    while (arguments.take(";")) {
      if (count == session.numbers.size()) return session.error(ErrorNumber::TooLong);
      if (!arguments.hex(session.numbers[count++])) return session.error(ErrorNumber::Invalid);
    }
    filter.numbers = {session.numbers.data(), count};
  } else if (!arguments.take("0")) {
    return session.error(ErrorNumber::Invalid);
  }
  if (!arguments.done()) return session.error(ErrorNumber::Invalid);
  session.target.catch_syscalls(filter);
  session.ok();
}

bool take_signals(const Session& session, Arguments arguments, SignalSet& set) {
  while (!arguments.done()) {
    uint64_t number;
    if (!arguments.hex(number)) return false;
    // The protocol knows signals of all systems; those that Linux does not have cannot arise.
    const int signal = number < 256 ? session.target_signal(static_cast<int>(number)) : 0;
    if (signal != 0) set.add(signal);
    if (!arguments.take(";") && !arguments.done()) return false;
  }
  return true;
}

void set_signals(Session& session, Arguments arguments, void (Target::*set)(SignalSet)) {
  if (!session.target.description().passes_signals) return;
  SignalSet signals;
  if (!take_signals(session, arguments, signals)) return session.error(ErrorNumber::Invalid);
  (session.target.*set)(signals);
  session.ok();
}

void thread_events(Session& session, Arguments arguments) {
  if (!session.target.description().reports_thread_events) return;
  const bool wanted = arguments.take("1");
  if (!wanted && !arguments.take("0")) return session.error(ErrorNumber::Invalid);
  session.target.report_thread_events(wanted);
  session.ok();
}

constexpr PacketEntry kPackets[] = {
    {"QCatchSyscalls", catch_syscalls},
    {"QPassSignals",
     [](Session& session, Arguments arguments) { set_signals(session, arguments, &Target::pass_signals); }},
    {"QProgramSignals",
     [](Session& session, Arguments arguments) { set_signals(session, arguments, &Target::program_signals); }},
    {"QThreadEvents", thread_events},
};

}  // namespace

std::span<const PacketEntry> event_packets() {
  return kPackets;
}

}  // namespace mortem::gdbstub
