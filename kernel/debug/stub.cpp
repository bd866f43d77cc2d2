#include "kernel/debug/stub.h"

#include <new>

#include "gdbstub/server.h"
#include "kernel/arch/x86_64/interrupt_guard.h"
#include "kernel/arch/x86_64/interrupts.h"
#include "kernel/debug/app_stop.h"
#include "kernel/debug/app_target.h"
#include "kernel/debug/breakpoints.h"
#include "kernel/debug/debugger.h"
#include "kernel/drivers/console_port.h"
#include "kernel/drivers/control_port.h"
#include "kernel/library/command_line.h"
#include "kernel/library/log.h"
#include "kernel/task/wait.h"
#include "snapshot/format/control.h"

namespace kernel::debug {
namespace {

using gdbstub::Server;
using gdbstub::Stop;
using gdbstub::StopKind;

constexpr uint64_t kPatience = 200'000;         // the host gives a buffer back in that time if the client reads
constexpr uint64_t kOutputPoll = 1'000'000;     // how often a client that reads slowly is tried again
constexpr uint64_t kLastWords = 2'000'000'000;  // what the end of the app waits for its client

ConsolePort* g_port = nullptr;
Thread* g_thread = nullptr;
bool g_something_arrived = false, g_all_parked = false;
int g_wanted_end = 0;  // the exit status that the held app is to end with
uint8_t g_input_memory[4096];
std::span<const uint8_t> g_input;  // what is left of it
uint32_t g_client = 0;             // the number of the connection that the server talks to

alignas(Server) uint8_t g_server_memory[sizeof(Server)];
alignas(AppTarget) uint8_t g_target_memory[sizeof(AppTarget)];
AppTarget* g_target = nullptr;
Server* g_server = nullptr;

void arrived(void*) {
  g_something_arrived = true;
  wake(*g_thread);
}

void all_parked() {
  g_all_parked = true;
  if (g_thread != nullptr) wake(*g_thread);
}

void notice_client() {
  const uint32_t client = g_port->host_is_listening() ? g_port->host_open_count() : 0;
  if (client == g_client) return;
  if (g_client != 0) {
    g_server->connection_lost();
    g_input = {};
  }
  g_client = client;
}

// True: everything that has arrived was taken. What is left waits for its turn behind an answer.
bool feed_server() {
  while (true) {
    if (g_input.empty()) {
      g_input = {g_input_memory, g_port->read(g_input_memory)};
      if (g_input.empty()) return true;
    }
    g_input = g_input.subspan(g_server->feed(g_input));
    if (!g_input.empty() && !g_server->output().empty()) return false;
  }
}

// False: some is left.
bool drain_server(uint64_t timeout_ns) {
  while (true) {
    const auto output = g_server->output();
    if (output.empty()) return true;
    if (!g_port->host_is_listening()) {
      g_server->consume(output.size());
      continue;
    }
    const size_t written = g_port->send(output, timeout_ns);
    g_server->consume(written);
    if (written < output.size()) return false;
  }
}

// Before the guest ends: all that is to be said has gone to the host, or it takes none.
void say_last_words() {
  drain_server(kLastWords);
  g_port->write({}, kLastWords);
}

void run_stub(void*) {
  g_thread = g_current_thread;
  g_port->set_arrival_handler(arrived, nullptr);
  while (true) {
    g_something_arrived = g_all_parked = false;
    notice_client();
    Stop stop;
    if (g_target->take_stop(stop)) g_server->report_stop(stop);
    bool all_taken, drained;
    do {
      all_taken = feed_server();
      drained = drain_server(kPatience);
    } while (!all_taken && drained);
    if (g_wanted_end != 0) linux::exit_app(g_wanted_end);
    if (g_target->kill_is_wanted()) {
      say_last_words();
      linux::exit_app(128 + linux::kSigKill);
    }
    if (g_target->dump_is_wanted()) {
      say_last_words();
      g_target->write_wanted_dump();
    }
    wait_for([] { return g_something_arrived || g_all_parked; }, drained ? kNoDeadline : monotonic_ns() + kOutputPoll);
  }
}

}  // namespace

void flush_to_client() {
  if (g_server != nullptr) say_last_words();
}

void start_stub() {
  g_port = console_port(mortem::format::kStubPortName);
  const bool waits = setting_is("wait", "gdb");
  if (g_port == nullptr) {
    if (waits || setting_is("on-crash", "gdb"))
      log(LogLevel::Warning, "no port for gdb on this machine: the program does not wait for it");
    return;
  }
  g_target = new (g_target_memory) AppTarget;
  g_server = new (g_server_memory) Server(*g_target, Server::AppState::Running);
  set_parked_handler(all_parked);
  if (start_kernel_thread("gdb stub", run_stub, nullptr).is_error()) {
    log(LogLevel::Warning, "no memory for the debug stub");
    g_port = nullptr;
    return;
  }
  if (waits) request_stop();
}

void resume_stub() {
  if (g_port == nullptr) {
    start_stub();  // a recorded guest had no such port, this machine may have it
    if (g_port == nullptr) return;
  } else {
    // Whatever the server thinks of the end that the dump was of, and of its client.
    g_target->detach();
    g_target = new (g_target_memory) AppTarget;
    g_server = new (g_server_memory) Server(*g_target, Server::AppState::Running);
    g_input = {};
    g_client = 0;
  }
  request_stop();
}

bool client_can_come() {
  return g_port != nullptr && console_port(mortem::format::kStubPortName) == g_port;
}

void let_app_go() {
  if (g_port != nullptr && !g_port->host_is_listening()) g_target->let_go();
}

bool hold_app() {
  if (g_port == nullptr) return false;
  request_stop();
  return true;
}

bool end_held_app(int status) {
  const linux::AppThread* first = linux::first_thread();
  if (g_thread == nullptr || g_port->host_is_listening() || first == nullptr) return false;
  // A thread that waits for the disk is parked later: no signal would reach it then.
  if (!first->debug.parked && !stop_is_wanted()) return false;
  g_wanted_end = status;
  arrived(nullptr);
  return true;
}

void app_exits(int status) {
  if (g_server == nullptr || !is_attached()) return;
  g_server->report_stop({.kind = StopKind::Exited, .status = status});
  flush_to_client();
  remove_all_breakpoints();
}

void app_is_killed(int signal) {
  if (g_server == nullptr) return;
  if (is_attached()) {
    g_server->report_stop({.kind = StopKind::Terminated, .signal = signal});
    flush_to_client();
  }
  remove_all_breakpoints();
}

}  // namespace kernel::debug
