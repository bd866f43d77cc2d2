// What makes the app go on, stop, or leave us; and `?`.
#include "gdbstub/session.h"

namespace mortem::gdbstub {

namespace {

// One action of vCont. `stays`: the thread is not to be resumed ("t"; in all-stop mode all threads are stopped anyway).
struct RequestedAction {
  ThreadSelector who{0, kAllOfThem};
  bool stays = false;
  ResumeAction action;
};

bool take_signal(const Session& session, Arguments& arguments, int& signal) {
  uint64_t number;
  if (!arguments.hex(number) || number > 0xFF) return false;
  signal = session.target_signal(static_cast<int>(number));
  return true;
}

bool take_action(const Session& session, Arguments& arguments, RequestedAction& result) {
  result = {};
  ResumeAction& action = result.action;
  if (arguments.take("c")) {
  } else if (arguments.take("C")) {
    if (!take_signal(session, arguments, action.signal)) return false;
  } else if (arguments.take("s")) {
    action.kind = ResumeKind::Step;
  } else if (arguments.take("S")) {
    action.kind = ResumeKind::Step;
    if (!take_signal(session, arguments, action.signal)) return false;
  } else if (arguments.take("r")) {
    action.kind = ResumeKind::Step;
    if (!arguments.hex(action.range_start) || !arguments.hex_after(",", action.range_end)) return false;
  } else if (arguments.take("t")) {
    result.stays = true;
  } else {
    return false;
  }
  if (arguments.take(":") && !arguments.thread(result.who)) return false;
  return arguments.done() || (arguments.take(";") && !arguments.done());
}

void go(Session& session, bool any_prepared) {
  if (!any_prepared) return session.error(ErrorNumber::NoThread);
  if (!session.target.resume()) return session.error(ErrorNumber::Io);
  session.running = true;
  session.client_waits = true;
  session.no_reply = true;
}

bool can_resume(Session& session) {
  if (const Description description = session.target.description(); !description.cannot_run.empty()) {
    if (session.client.thread_suffix)
      write_refused_resume(session, description.cannot_run);
    else
      session.error(description.cannot_run);
    return false;
  }
  if (!session.running && session.ending == Ending::None) return true;
  session.error(ErrorNumber::NoThread);
  return false;
}

bool concerns(Session& session, const RequestedAction& requested, ThreadId thread) {
  if (!session.names_this_process(requested.who.process)) return false;
  if (requested.who.thread == kAllOfThem || requested.who.thread == thread) return true;
  return requested.who.thread == 0 && thread == session.stopped_thread();
}

// "For each thread, the leftmost action applies." The list is read again for each thread: it may be as long as there
// are threads, and is stored nowhere but in its packet.
void resume_with_actions(Session& session, Arguments arguments) {
  RequestedAction requested;
  Arguments check = arguments;
  if (check.done()) return session.error(ErrorNumber::Invalid);
  while (!check.done())
    if (!take_action(session, check, requested)) return session.error(ErrorNumber::Invalid);
  if (!can_resume(session)) return;
  bool any = false;
  Target& target = session.target;
  for (ThreadId thread = target.next_thread(0); thread != 0; thread = target.next_thread(thread)) {
    for (Arguments list = arguments; !list.done();) {
      take_action(session, list, requested);
      if (!concerns(session, requested, thread)) continue;
      if (!requested.stays) {
        target.prepare_resume(thread, requested.action);
        any = true;
      }
      break;
    }
  }
  go(session, any);
}

enum class HasSignal : uint8_t { No, Yes };

// c, C, s and S: the thread of Hc, or the one that stopped while all others go on.
void resume_one(Session& session, Arguments arguments, ResumeKind kind, HasSignal has_signal,
                Direction direction = Direction::Forwards) {
  ResumeAction action;
  action.kind = kind;
  action.direction = direction;
  if (has_signal == HasSignal::Yes) {
    if (!take_signal(session, arguments, action.signal)) return session.error(ErrorNumber::Invalid);
    arguments.take(";");
  }
  uint64_t address = 0;
  const bool moves = !arguments.done();
  if (moves && !arguments.hex(address)) return session.error(ErrorNumber::Invalid);
  if (!can_resume(session)) return;
  const ThreadId chosen = session.thread_of(session.resume_thread);
  if (chosen == 0) return session.error(ErrorNumber::NoThread);
  if (moves) {
    if (!session.load_registers(chosen)) return session.error(ErrorNumber::Io);
    session.registers.general.rip = address;
    if (!session.target.write_registers(chosen, session.registers.general)) return session.error(ErrorNumber::Io);
  }
  const bool only_this = session.resume_thread.thread != 0 && session.resume_thread.thread != kAllOfThem;
  Target& target = session.target;
  for (ThreadId thread = target.next_thread(0); thread != 0; thread = target.next_thread(thread)) {
    if (thread == chosen)
      target.prepare_resume(thread, action);
    else if (!only_this)
      target.prepare_resume(thread, {});
  }
  go(session, true);
}

// bs and bc (GDB manual, node "Packets"); an empty answer where there is no way back.
void resume_backwards(Session& session, Arguments arguments, ResumeKind kind) {
  if (!arguments.done()) return session.error(ErrorNumber::Invalid);
  if (session.target.description().runs_backwards)
    resume_one(session, arguments, kind, HasSignal::No, Direction::Backwards);
}

// A client's first question. It wants the app stopped: that is how it gets to see it.
void stop_reason(Session& session, Arguments) {
  if (!session.running) return write_stop_reply(session, session.stop);
  if (session.ending == Ending::Detached) session.ending = Ending::None;  // it is here again
  session.client_waits = true;
  session.no_reply = true;
  session.stop_asked_by_server = true;
  session.target.interrupt();
}

void detach(Session& session, Arguments arguments) {
  uint64_t process;
  if (arguments.take(";") && (!arguments.hex(process) || process != session.target.description().process))
    return session.error(ErrorNumber::NoThread);
  if (session.ending == Ending::None) {
    session.ending = Ending::Detached;
    session.running = true;
    session.stop = {};
    session.target.detach();
  }
  session.ok();
}

// gdb is gone after it; LLDB waits for how the process ended.
void kill_without_answer(Session& session, Arguments) {
  session.no_reply = true;
  if (session.ending == Ending::Exited) return;
  session.client_waits = true;
  session.target.kill();
}

void kill_process(Session& session, Arguments arguments) {
  uint64_t process;
  if (!arguments.hex(process) || process != session.target.description().process)
    return session.error(ErrorNumber::NoThread);
  if (session.ending != Ending::Exited) session.target.kill();
  session.ok();
}

constexpr PacketEntry kPackets[] = {
    {"vCont?",
     [](Session& session, Arguments) {
       if (session.target.description().cannot_run.empty()) session.reply.text("vCont;c;C;s;S;t;r");
     }},
    {"vCont;", resume_with_actions, kGlued},
    {"vKill", kill_process},
    {"?", stop_reason},
    {"bs", [](Session& session, Arguments arguments) { resume_backwards(session, arguments, ResumeKind::Step); }},
    {"bc", [](Session& session, Arguments arguments) { resume_backwards(session, arguments, ResumeKind::Continue); }},
    {"c",
     [](Session& session, Arguments arguments) { resume_one(session, arguments, ResumeKind::Continue, HasSignal::No); },
     kGlued},
    {"C",
     [](Session& session, Arguments arguments) {
       resume_one(session, arguments, ResumeKind::Continue, HasSignal::Yes);
     },
     kGlued},
    {"s",
     [](Session& session, Arguments arguments) { resume_one(session, arguments, ResumeKind::Step, HasSignal::No); },
     kGlued},
    {"S",
     [](Session& session, Arguments arguments) { resume_one(session, arguments, ResumeKind::Step, HasSignal::Yes); },
     kGlued},
    {"D", detach, kGlued},
    {"k", kill_without_answer},
};

}  // namespace

std::span<const PacketEntry> resume_packets() {
  return kPackets;
}

}  // namespace mortem::gdbstub
