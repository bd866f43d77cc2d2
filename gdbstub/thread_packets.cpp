// Which threads there are, and which one the next packets mean.
#include "gdbstub/session.h"

namespace mortem::gdbstub {

namespace {

void select(Session& session, Arguments arguments) {
  const bool for_registers = arguments.take("g");
  ThreadSelector selector;
  if ((!for_registers && !arguments.take("c")) || !arguments.thread(selector) || !arguments.done())
    return session.error(ErrorNumber::Invalid);
  // "Any" and "all" are right at any time, also when the last thread has gone.
  const bool one = selector.thread != 0 && selector.thread != kAllOfThem;
  if (!session.names_this_process(selector.process) || (one && session.thread_of(selector) == 0))
    return session.error(ErrorNumber::NoThread);
  (for_registers ? session.register_thread : session.resume_thread) = selector;
  session.ok();
}

void is_alive(Session& session, Arguments arguments) {
  ThreadSelector selector;
  if (!arguments.thread(selector) || session.thread_of(selector) == 0) return session.error(ErrorNumber::NoThread);
  session.ok();
}

void current(Session& session, Arguments) {
  const ThreadId thread = session.stopped_thread();
  if (thread == 0) return session.error(ErrorNumber::NoThread);
  session.reply.text("QC");
  session.write_thread(thread);
}

void list_from(Session& session, ThreadId after) {
  constexpr size_t kLongestId = 2 + 2 * 8 + 1;
  ThreadId thread = session.target.next_thread(after);
  if (thread == 0) return session.reply.text("l");
  for (char separator = 'm'; thread != 0 && session.reply.room() > kLongestId; separator = ',') {
    session.reply.text({&separator, 1});
    session.write_thread(thread);
    session.listed_thread = thread;
    thread = session.target.next_thread(thread);
  }
}

void extra_information(Session& session, Arguments arguments) {
  ThreadSelector selector;
  if (!arguments.thread(selector)) return session.error(ErrorNumber::Invalid);
  const ThreadId thread = session.thread_of(selector);
  if (thread == 0) return session.error(ErrorNumber::NoThread);
  session.reply.hex_text({session.text.data(), session.target.thread_name(thread, session.text)});
}

constexpr PacketEntry kPackets[] = {
    {"H", select, kGlued},
    {"T", is_alive, kGlued},
    {"qC", current},
    {"qfThreadInfo", [](Session& session, Arguments) { list_from(session, 0); }},
    {"qsThreadInfo", [](Session& session, Arguments) { list_from(session, session.listed_thread); }},
    {"qThreadExtraInfo", extra_information},
};

}  // namespace

std::span<const PacketEntry> thread_packets() {
  return kPackets;
}

}  // namespace mortem::gdbstub
