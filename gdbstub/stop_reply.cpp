// Why the app stopped (GDB manual, node "Stop Reply Packets").
#include "gdbstub/session.h"
#include "gdbstub/signals.h"

namespace mortem::gdbstub {

namespace {

void write_process_end(Session& session, char letter, int status) {
  session.reply.text({&letter, 1});
  const uint8_t value = static_cast<uint8_t>(status);
  session.reply.hex_bytes({&value, 1});
  if (!session.client.multiprocess) return;
  session.reply.text(";process:");
  session.reply.hex(session.target.description().process);
}

// The key that says more than the signal. A client gets a breakpoint's only if it offered to understand it: gdb
// refuses others, and LLDB finds out by the program counter.
void write_reason(Session& session, const Stop& stop) {
  Reply& reply = session.reply;
  switch (stop.kind) {
    case StopKind::SoftwareBreakpoint:
      if (session.client.software_breakpoint_reason) reply.text("swbreak:;");
      break;
    case StopKind::HardwareBreakpoint:
      if (session.client.hardware_breakpoint_reason) reply.text("hwbreak:;");
      break;
    case StopKind::WriteWatchpoint:
    case StopKind::ReadWatchpoint:
    case StopKind::AccessWatchpoint:
      reply.text(stop.kind == StopKind::WriteWatchpoint  ? "watch:"
                 : stop.kind == StopKind::ReadWatchpoint ? "rwatch:"
                                                         : "awatch:");
      reply.hex(stop.address);
      reply.text(";");
      break;
    case StopKind::SyscallEntry:
    case StopKind::SyscallReturn:
      reply.text(stop.kind == StopKind::SyscallEntry ? "syscall_entry:" : "syscall_return:");
      reply.hex(stop.number);
      reply.text(";");
      break;
    case StopKind::Exec: {
      if (!session.client.exec_events) break;
      const int64_t length = session.target.executable_path(session.text);
      if (length < 0) break;
      reply.text("exec:");
      reply.hex_text({session.text.data(), static_cast<size_t>(length)});
      reply.text(";");
      break;
    }
    case StopKind::ThreadCreated:
      reply.text("create:;");
      break;
    case StopKind::HistoryBegin:
      reply.text("replaylog:begin;");
      break;
    case StopKind::HistoryEnd:
      reply.text("replaylog:end;");
      break;
    default:
      break;
  }
}

}  // namespace

std::string_view lldb_stop_reason(StopKind kind) {
  switch (kind) {
    case StopKind::Step:
      return "trace";
    case StopKind::SoftwareBreakpoint:
    case StopKind::HardwareBreakpoint:
      return "breakpoint";
    case StopKind::WriteWatchpoint:
    case StopKind::ReadWatchpoint:
    case StopKind::AccessWatchpoint:
      return "watchpoint";
    case StopKind::Exec:
      return "exec";
    default:
      return "signal";
  }
}

namespace {

// What LLDB would otherwise ask for thread by thread.
void write_lldb_keys(Session& session, ThreadId stopped, StopKind kind) {
  Reply& reply = session.reply;
  Target& target = session.target;
  if (const size_t length = target.thread_name(stopped, session.text); length > 0) {
    reply.text("hexname:");
    reply.hex_text({session.text.data(), length});
    reply.text(";");
  }
  reply.text("threads:");
  for (ThreadId thread = target.next_thread(0), first = thread; thread != 0; thread = target.next_thread(thread)) {
    if (thread != first) reply.text(",");
    session.write_thread(thread);
  }
  reply.text(";thread-pcs:");
  for (ThreadId thread = target.next_thread(0), first = thread; thread != 0; thread = target.next_thread(thread)) {
    if (thread != first) reply.text(",");
    format::GeneralRegisters registers;
    reply.hex(target.read_registers(thread, registers) ? registers.rip : 0);
  }
  reply.text(";reason:");
  reply.text(lldb_stop_reason(kind));
  reply.text(";");
  if (target.description().local_files) reply.text("library:;");  // LLDB reads the list of libraries then
}

bool is_ending(StopKind kind) {
  return kind == StopKind::Exited || kind == StopKind::Terminated;
}

}  // namespace

void write_stop_reply(Session& session, const Stop& stop) {
  Reply& reply = session.reply;
  if (is_ending(stop.kind)) {
    if (stop.kind == StopKind::Exited)
      write_process_end(session, 'W', stop.status);
    else
      write_process_end(session, 'X', session.client_signal(stop.signal));
    return;
  }
  if (stop.kind == StopKind::ThreadExited) {
    const uint8_t status = static_cast<uint8_t>(stop.status);
    reply.text("w");
    reply.hex_bytes({&status, 1});
    reply.text(";");
    session.write_thread(stop.thread);
    return;
  }
  const int signal = stop.kind == StopKind::Signal ? stop.signal : kLinuxSignalTrap;
  const uint8_t number = static_cast<uint8_t>(session.client_signal(signal));
  reply.text("T");
  reply.hex_bytes({&number, 1});
  write_reason(session, stop);
  const ThreadId thread = session.stopped_thread();
  if (thread == 0) return;
  // Clients take it for the current one from here on, without an Hg (gdb: remote_target::process_stop_reply; gdbserver
  // does the same on its side).
  session.register_thread = {0, thread};
  reply.text("thread:");
  session.write_thread(thread);
  reply.text(";");
  // The three that every client asks for at once.
  if (session.load_registers(thread)) {
    for (const size_t register_number : {kFramePointerNumber, kStackPointerNumber, kProgramCounterNumber}) {
      const uint8_t id = static_cast<uint8_t>(register_number);
      reply.hex_bytes({&id, 1});
      reply.text(":");
      session.write_register(register_number);
      reply.text(";");
    }
  }
  if (session.client.threads_in_stop_reply) write_lldb_keys(session, thread, stop.kind);
}

void write_refused_resume(Session& session, std::string_view sentence) {
  write_stop_reply(session, session.stop);
  session.reply.text("reason:exception;description:");  // the last "reason" counts
  session.reply.hex_text(sentence);
  session.reply.text(";");
}

}  // namespace mortem::gdbstub
