#include "tools/qemu/guest_run.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <utility>

#include "tools/child_program.h"
#include "tools/output.h"
#include "tools/qemu/machine_json.h"
#include "tools/qemu/qemu_process.h"
#include "tools/qemu/qmp.h"
#include "tools/qemu/unplugged_tap.h"

namespace mortem::tools {

namespace fs = std::filesystem;
using format::ControlType;

namespace {

constexpr int kPatienceSeconds = 5;  // from asking the guest to end to asking QEMU, and from there to killing it

struct SocketPair {
  Descriptor ours, theirs;
};
Result<SocketPair> make_socket_pair() {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return system_failure("cannot make", "a socket");
  return SocketPair{Descriptor(ends[0]), Descriptor(ends[1])};
}

sigset_t handled_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&set, signal);
  return set;
}

// Nothing can come from a closed or null standard input: the program has /dev/null then.
bool stdin_has_something() {
  struct stat facts;
  if (fstat(STDIN_FILENO, &facts) != 0) return false;
  struct stat null;
  return stat("/dev/null", &null) != 0 || !S_ISCHR(facts.st_mode) || facts.st_rdev != null.st_rdev;
}

void send_bytes(int socket, const std::string& bytes) {
  // Whoever does not read his end loses messages; the guest must not wait for him.
  [[maybe_unused]] ssize_t sent = send(socket, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
}

}  // namespace

const char* on_crash_name(OnCrash what) {
  switch (what) {
    case OnCrash::Stop:
      return "stop";
    case OnCrash::Reboot:
      return "reboot";
    case OnCrash::Gdb:
      return "gdb";
  }
  return "stop";
}

GuestRun::GuestRun(RunPlan plan, Instance& instance) : plan_(std::move(plan)), instance_(instance) {}

GuestRun::~GuestRun() {
  if (qemu_id_ > 0 && !qemu_ended_) {  // an error on our side: nothing may linger
    kill(qemu_id_, SIGKILL);
    waitpid(qemu_id_, nullptr, 0);
  }
  if (plan_.recorder && !plan_.recorder->has_begun()) plan_.recorder->discard();
}

Result<int> GuestRun::run() {
  TRY_VOID(start());
  if (plan_.clone) TRY_VOID(begin_clone());
  TRY_VOID(serve());
  return explain_end();
}

Result<void> GuestRun::start() {
  // What a clone writes into its slots is gone with it.
  if (!plan_.clone) dumps_ = TRY(DumpCollector::begin(plan_.facts.image, plan_.facts.dump, plan_.keep_in_slot));
  const sigset_t signals = handled_signals();
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  signals_ = Descriptor(signalfd(-1, &signals, SFD_CLOEXEC));
  clock_ = Descriptor(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC));
  if (!signals_ || !clock_) return system_failure("cannot make", "a signal or timer descriptor");
  listener_ = TRY(listen_at(instance_.folder(), "control"));
  Descriptor console_end, control_end, input_end;
  if (plan_.recorder) {
    TRY_VOID(begin_control_pipes());
  } else {
    SocketPair control = TRY(make_socket_pair());
    control_ = std::move(control.ours);
    control_end = std::move(control.theirs);
  }
  if (!plan_.detached && !plan_.recorder && stdin_has_something()) {
    SocketPair input = TRY(make_socket_pair());
    input_ = std::move(input.ours);
    input_end = std::move(input.theirs);
  }
  if (!plan_.detached && plan_.recorder) TRY_VOID(begin_console_file());
  if (!plan_.detached && !plan_.recorder) {
    // A pipe, and a large one: a socket is full after a few hundred writes of one byte, which is how a serial port
    // writes, and a dying guest does not wait for us for ever.
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return system_failure("cannot make", "a pipe");
    console_ = Descriptor(ends[0]);
    console_end = Descriptor(ends[1]);
    fcntl(ends[1], F_SETPIPE_SZ, 1 << 20);
  }
  return start_qemu(std::move(console_end), std::move(control_end), std::move(input_end));
}

Result<void> GuestRun::begin_control_pipes() {
  for (const char* ending : {".in", ".out"}) {
    const fs::path path = instance_.folder() / (std::string(kControlPipe) + ending);
    if (mkfifo(path.c_str(), 0600) != 0) return system_failure("cannot make", path);
    Descriptor both(open(path.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC));
    if (!both) return system_failure("cannot open", path);
    if (ending == std::string_view(".in")) {
      uart_.open(std::move(both));
      continue;
    }
    // Until QEMU has it open: before, it would be at its end.
    control_kept_open_ = std::move(both);
    control_ = Descriptor(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!control_) return system_failure("cannot open", path);
  }
  return {};
}

void GuestRun::tell_guest(const ControlMessage& message) {
  if (!control_) return;
  if (uart_.is_open())
    uart_.tell(encode(message));
  else
    send_bytes(control_.get(), encode(message));
}

// What a recorded guest writes must always be taken at once, which only a file does: its replay knows no waiting.
Result<void> GuestRun::begin_console_file() {
  const fs::path path = instance_.folder() / "console.log";
  console_file_ = Descriptor(open(path.c_str(), O_RDONLY | O_CREAT | O_CLOEXEC, 0600));
  if (!console_file_) return system_failure("cannot make", path);
  console_ = Descriptor(inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (!console_ || inotify_add_watch(console_.get(), path.c_str(), IN_MODIFY) < 0)
    return system_failure("cannot watch", path);
  return {};
}

Result<void> GuestRun::start_qemu(Descriptor console_end, Descriptor control_end, Descriptor input_end) {
  plan_.machine.console_on_stdout = bool(console_end);
  plan_.machine.control = control_end.get();
  plan_.machine.input = input_end.get();
  plan_.machine.exit_on_reset = plan_.on_crash != OnCrash::Reboot;
  Descriptor state;
  if (plan_.clone && !plan_.clone->state.empty()) {
    state = Descriptor(open(plan_.clone->state.c_str(), O_RDONLY | O_CLOEXEC));
    if (!state) return system_failure("cannot read", plan_.clone->state);
    plan_.machine.incoming = state.get();
  }
  // Ours to open: a debugger that comes before QEMU is there waits for it.
  Descriptor stub;
  if (!plan_.recorder) stub = TRY(listen_at(instance_.folder(), "gdb"));
  plan_.machine.stub = stub.get();
  Descriptor tap;
  if (plan_.machine.network.kind == NetworkKind::Unplugged) {
    tap = TRY(open_unplugged_tap());
    plan_.machine.network.tap = tap.get();
  }
  if (plan_.recorder) TRY_VOID(plan_.recorder->prepare(plan_.machine));
  QemuLaunch launch{qemu_command_line(plan_.machine), instance_.folder(), {}, console_end.get(), !plan_.detached};
  launch.inherited = {control_end.get(), input_end.get(), state.get(), stub.get(), tap.get()};
  if (plan_.recorder)
    for (const int descriptor : plan_.recorder->inherited()) launch.inherited.push_back(descriptor);
  qemu_id_ = TRY(launch_qemu(launch, [this](pid_t process) -> Result<void> {
    qemu_ = Descriptor(int(syscall(SYS_pidfd_open, process, 0)));
    if (!qemu_) return system_failure("cannot watch", plan_.machine.qemu);
    plan_.facts.machine = machine_to_json(plan_.machine).dump();
    plan_.facts.qemu = identify_process(process);
    plan_.facts.keeper = identify_process(getpid());
    TRY_VOID(instance_.write(plan_.facts));
    if (!plan_.facts.temporary.empty()) TemporaryFolder::keep_if_killed(plan_.facts.temporary);
    return {};
  }));
  if (plan_.recorder)
    if (auto connected = plan_.recorder->connect(); !connected && !TRY(has_qemu_ended(1000)))
      return tl::unexpected(connected.error());
  control_kept_open_.reset();
  return {};
}

Result<bool> GuestRun::has_qemu_ended(int wait_ms) const {
  pollfd wait{qemu_.get(), POLLIN, 0};
  return poll(&wait, 1, wait_ms) > 0;
}

// Its state loads; then the guest is told what it is. An end of QEMU meanwhile is explained where every end is.
Result<void> GuestRun::begin_clone() {
  const bool is_dump = plan_.clone->state.empty();
  if (is_dump && !plan_.recorder) tell_clone();  // its kernel reads it when it has started the port
  if (is_dump && !plan_.clone->is_unplugged) return {};
  constexpr int kPatienceMilliseconds = 60'000, kStep = 2;
  Result<Qmp> qmp = failure(ErrorKind::System, fmt::format("{}: its QEMU does not answer", plan_.facts.name));
  int left = kPatienceMilliseconds / kStep;
  for (; left > 0 && !qmp; --left) {
    if (TRY(has_qemu_ended(kStep))) return {};
    qmp = Qmp::connect(instance_.folder(), kPatienceMilliseconds);  // at once, if it does not listen yet
  }
  for (; left > 0 && !is_dump; --left) {
    if (!qmp) return TRY(has_qemu_ended(100)) ? Result<void>() : tl::unexpected(qmp.error());
    auto status = qmp->execute("query-status");
    if (!status) return TRY(has_qemu_ended(1000)) ? Result<void>() : tl::unexpected(status.error());
    if (status->value("status", "") != "inmigrate") break;
    if (TRY(has_qemu_ended(kStep))) return {};
  }
  if (left <= 0) return failure(ErrorKind::System, fmt::format("{}: its state does not load", plan_.facts.name));
  if (!qmp) return tl::unexpected(qmp.error());
  std::vector<std::pair<const char*, nlohmann::json>> commands;
  if (plan_.clone->is_unplugged) commands.push_back({"set_link", {{"name", "net"}, {"up", false}}});
  // Ports take nothing while the machine stands still: what the guest is told waits there. An NMI waits in the
  // processor, and comes before anything else.
  if (!is_dump) tell_clone();
  if (!is_dump && (plan_.clone->message.flags & format::kCloneHoldsApp) != 0)
    commands.push_back({"inject-nmi", nlohmann::json::object()});
  if (!is_dump) commands.push_back({"cont", nlohmann::json::object()});
  // All at once: on a busy machine each answer is long in coming.
  for (const auto& [command, arguments] : commands)
    if (auto sent = qmp->send(command, arguments); !sent)
      return TRY(has_qemu_ended(1000)) ? Result<void>() : tl::unexpected(sent.error());
  for (const auto& [command, arguments] : commands)
    if (auto answer = qmp->answer(command); !answer)
      return TRY(has_qemu_ended(1000)) ? Result<void>() : tl::unexpected(answer.error());
  return {};
}

void GuestRun::tell_clone() {
  std::string payload(reinterpret_cast<const char*>(&plan_.clone->message), sizeof plan_.clone->message);
  tell_guest({ControlType::YouAreAClone, std::move(payload)});
}

Result<void> GuestRun::serve() {
  while (!qemu_ended_ || console_ || control_) {
    std::vector<pollfd> waits = {
        {console_.get(), POLLIN, 0},  {control_.get(), POLLIN, 0},
        {listener_.get(), POLLIN, 0}, {signals_.get(), POLLIN, 0},
        {clock_.get(), POLLIN, 0},    {qemu_ended_ ? -1 : qemu_.get(), POLLIN, 0},
        input_to_wait_for(),          {plan_.recorder ? plan_.recorder->descriptor() : -1, POLLIN, 0}};
    const size_t first_client = waits.size(), client_count = clients_.size();
    for (auto& [client, decoder] : clients_) waits.push_back({client.get(), POLLIN, 0});
    if (poll(waits.data(), waits.size(), plan_.recorder ? plan_.recorder->milliseconds_until_check() : -1) < 0) {
      if (errno == EINTR) continue;
      return system_failure("cannot wait for", "the guest");
    }
    if (waits[0].revents) console_file_ ? serve_console_file() : serve_console();
    if (waits[1].revents) serve_guest();
    if (waits[2].revents) {
      Descriptor client(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (client) clients_.emplace_back(std::move(client), ControlDecoder());
    }
    if (waits[3].revents) handle_signal();
    if (waits[4].revents) press_on();
    if (waits[5].revents && waitpid(qemu_id_, &qemu_status_, WNOHANG) == qemu_id_) qemu_ended_ = true;
    if (waits[6].revents) serve_input();
    if (plan_.recorder) serve_recorder();
    for (size_t index = 0; index < client_count; ++index)
      if (waits[first_client + index].revents) serve_client(index);
    std::erase_if(clients_, [](auto& client) { return !client.first; });
  }
  return {};
}

void GuestRun::serve_console() {
  char part[16384];
  const ssize_t got = read(console_.get(), part, sizeof part);
  if (got < 0 && errno == EINTR) return;
  if (got <= 0) return console_.reset();
  show_console({part, size_t(got)});
}

void GuestRun::serve_console_file() {
  char part[16384];
  while (read(console_.get(), part, sizeof part) > 0) {
  }
  for (ssize_t got = read(console_file_.get(), part, sizeof part); got > 0;
       got = read(console_file_.get(), part, sizeof part))
    show_console({part, size_t(got)});
}

void GuestRun::serve_recorder() {
  if (qemu_ended_) {
    if (console_file_) serve_console_file();
    console_.reset();
    return;
  }
  if (!plan_.recorder->serve()) return;
  if (auto finished = plan_.recorder->finish(); !finished) note(finished.error().message);
}

void GuestRun::show_console(std::string_view bytes) {
  console_end_.append(bytes);
  if (console_end_.size() > 1024) console_end_.erase(0, console_end_.size() - 1024);
  if (stdout_closed_ || write_all(STDOUT_FILENO, bytes, "stdout")) return;
  stdout_closed_ = true;  // nobody listens any more: the guest is to end as a program in a pipe would
  terminate(SIGPIPE);
}

// Our standard input while the program wants it and QEMU has taken what came before: the guest's pace is ours.
pollfd GuestRun::input_to_wait_for() const {
  if (!input_ || !input_wanted_ || qemu_ended_) return {-1, 0, 0};
  if (input_pending_.empty()) return {STDIN_FILENO, POLLIN, 0};
  return {input_.get(), POLLOUT, 0};
}

void GuestRun::serve_input() {
  if (input_pending_.empty()) {
    char part[16384];
    const ssize_t got = read(STDIN_FILENO, part, sizeof part);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) return;
    if (got <= 0) {  // the device tells the guest behind the last byte
      shutdown(input_.get(), SHUT_WR);
      input_wanted_ = false;
      input_ended_ = true;
      return;
    }
    input_pending_.assign(part, size_t(got));
  }
  const ssize_t sent = send(input_.get(), input_pending_.data(), input_pending_.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent > 0)
    input_pending_.erase(0, size_t(sent));
  else if (errno != EINTR && errno != EAGAIN)
    input_.reset();  // QEMU is gone
}

void GuestRun::serve_guest() {
  char part[8192];
  const ssize_t got = read(control_.get(), part, sizeof part);
  if (got < 0 && errno == EINTR) return;
  if (got <= 0) return control_.reset();
  guest_decoder_.add({part, size_t(got)});
  for (;;) {
    auto message = guest_decoder_.next();
    if (!message) {  // the guest writes nonsense; what it did right so far counts
      note(message.error().message);
      return control_.reset();
    }
    if (!*message) break;
    for (auto& [client, decoder] : clients_) send_bytes(client.get(), encode(**message));
    handle(**message);
  }
  // Bringing out a dump takes time, in which a server that crashes on every request crashes again: what it says is
  // heard first, so that we never fall behind.
  pollfd more{control_.get(), POLLIN, 0};
  if (!told_.empty() && poll(&more, 1, 0) == 0) collect_dumps();
}

void GuestRun::serve_client(size_t index) {
  auto& [client, decoder] = clients_[index];
  char part[8192];
  const ssize_t got = read(client.get(), part, sizeof part);
  if (got <= 0) return client.reset();
  decoder.add({part, size_t(got)});
  for (;;) {
    auto message = decoder.next();
    if (!message) return client.reset();
    if (!*message) return;
    if ((*message)->type == ControlType::Terminate && terminated_by_ == 0) terminated_by_ = SIGTERM;
    tell_guest(**message);
  }
}

void GuestRun::is_ready() {
  if (!ready_ && plan_.ready_pipe >= 0) (void)write_all(plan_.ready_pipe, "ready\n", "the ready pipe");
  if (!ready_ && plan_.waits_for_gdb)
    note(fmt::format("{0} waits at its entry, next: mortem gdb {0}", plan_.facts.name));
  if (!ready_ && plan_.recorder) plan_.recorder->begin_checks([this](ControlType type) { tell_guest({type, {}}); });
  ready_ = true;
}

void GuestRun::handle(const ControlMessage& message) {
  if (message.type == ControlType::Taken) {
    uart_.was_taken();
  } else if (message.type == ControlType::Ready || message.type == ControlType::CloneReady) {
    is_ready();
  } else if (message.type == ControlType::WhatAmI) {
    if (plan_.clone) {
      const int64_t clock = plan_.clone->message.wall_clock_ns;
      tell_guest({ControlType::GoOn, std::string(reinterpret_cast<const char*>(&clock), sizeof clock)});
    }
  } else if (message.type == ControlType::StandsStill) {
    if (plan_.recorder) plan_.recorder->check();
  } else if (message.type == ControlType::WantsInput) {
    if (!input_ended_) input_wanted_ = true;
  } else if (message.type == ControlType::WaitsForDebugger) {
    note(fmt::format("{0}: {1}; the program waits, next: mortem gdb {0} (its dump is written when gdb detaches)",
                     plan_.facts.name, printable(message.payload)));
  } else if (auto exit = message.exit_status()) {
    exit_status_ = exit->status & 0xFF;
  } else if (message.type == ControlType::Snapshot && message.crash()) {
    const auto snapshot = message.crash();
    told_.push_back({printable(message.crash_reason()), snapshot->slot, snapshot->occurrence, true});
  } else if (auto crash = message.crash()) {
    exit_status_ = crash->reason_kind == uint32_t(format::ReasonKind::Exit) ? crash->exit_status & 0xFF
                                                                            : 128 + (crash->signal & 0x7F);
    ++crashes_;
    plan_.facts.crashes = crashes_;
    plan_.facts.last_crash = printable(crash->reason_kind != 0 ? message.crash_reason() : std::string());
    (void)instance_.write(plan_.facts);
    told_.push_back({printable(message.crash_reason()), crash->slot, crash->occurrence, false});
  }
}

void GuestRun::handle_signal() {
  signalfd_siginfo info;
  if (read(signals_.get(), &info, sizeof info) != sizeof info) return;
  if (pressure_ == 0)
    terminate(int(info.ssi_signo));
  else
    press_on();
}

void GuestRun::terminate(int signal) {
  if (pressure_ > 0) return;
  terminated_by_ = signal;
  pressure_ = 1;
  tell_guest({ControlType::Terminate, {}});
  const itimerspec patience{{kPatienceSeconds, 0}, {kPatienceSeconds, 0}};
  timerfd_settime(clock_.get(), 0, &patience, nullptr);
}

void GuestRun::press_on() {
  uint64_t expirations;
  pollfd rang{clock_.get(), POLLIN, 0};
  if (poll(&rang, 1, 0) > 0) (void)!read(clock_.get(), &expirations, sizeof expirations);
  if (qemu_ended_) return;
  if (pressure_ == 1) {
    pressure_ = 2;
    if (plan_.recorder && plan_.recorder->finish()) return;
    auto qmp = Qmp::connect(instance_.folder());
    if (qmp && qmp->execute("quit")) return;
  }
  pressure_ = 3;
  kill(qemu_id_, SIGKILL);
}

void GuestRun::tell_of(const CollectedDump& dump, const std::string& reason, bool goes_on) {
  const std::string& name = plan_.facts.name;
  if (!exit_status_ && !goes_on)
    exit_status_ = dump.slot.header.reason_kind == uint32_t(format::ReasonKind::Exit) ? dump.exit_status & 0xFF
                                                                                      : 128 + (dump.signal & 0x7F);
  const std::string what = reason.empty() ? "reason unknown" : reason;
  const char* const did = goes_on ? "goes on" : "crashed";
  if (dump.path.empty()) {
    const std::string image = shell_quoted(plan_.facts.source);
    note(fmt::format("{} {}: {}; dump kept in slot {}, next: mortem pull {} --slot {}", name, did, what,
                     dump.slot.index, image, dump.slot.index));
    return;
  }
  std::error_code error;
  const fs::path shown = plan_.detached ? dump.path : fs::proximate(dump.path, error);
  const std::string place =
      shown.string().size() < dump.path.string().size() && !error ? shown.string() : dump.path.string();
  note(fmt::format("{} {}: {}; dump in {}, next: mortem report {}", name, did, what, place, shell_quoted(place)));
  if (!dump.first.empty())
    note(fmt::format("{}: that is crash {} of this kind; its first dump is {}", name, dump.occurrence,
                     dump.first.string()));
}

void GuestRun::tell_of_crash_without_dump(const std::string& reason_of_message) const {
  // The guest's line ends with "; no dump: WHY" then. Of full slots we know the image to name; the rest it knows
  // better.
  const std::string why = dumps_->why_none();
  const size_t told = why.empty() ? std::string::npos : reason_of_message.find("; no dump");
  const std::string reason = reason_of_message.substr(0, told);
  const bool says_it = reason.find("no dump") != std::string::npos;
  note(fmt::format("{} crashed: {}{}{}{}", plan_.facts.name, reason, says_it ? "" : "; no dump was written",
                   why.empty() || says_it ? "" : ": ", says_it ? "" : why));
}

void GuestRun::collect_dumps() {
  const std::vector<ToldCrash> told = std::exchange(told_, {});
  if (!dumps_) {
    for (const ToldCrash& crash : told) note(fmt::format("{} crashed: {}", plan_.facts.name, crash.reason));
    return;
  }
  auto collected = dumps_->collect();
  if (!collected) {
    note(fmt::format("{} crashed: {}; its dump cannot be taken out, it stays in {}: {}", plan_.facts.name,
                     told.empty() ? "" : told.back().reason, plan_.facts.image.string(), collected.error().message));
    // The temporary image is all that holds it now.
    plan_.facts.temporary.clear();
    (void)instance_.write(plan_.facts);
    dump_left_in_image_ = true;
    return;
  }
  for (const CollectedDump& dump : *collected) {
    const auto same = std::find_if(told.begin(), told.end(), [&](const ToldCrash& crash) {
      return crash.slot == dump.slot.index && crash.occurrence == dump.occurrence;
    });
    tell_of(dump, same != told.end() ? same->reason : dump.reason, same != told.end() && same->goes_on);
    collected_early_.emplace_back(dump.slot.index, dump.occurrence);
  }
  for (const ToldCrash& crash : told) {
    const auto early = std::find(collected_early_.begin(), collected_early_.end(),
                                 std::pair<uint32_t, uint64_t>(crash.slot, crash.occurrence));
    if (early != collected_early_.end()) {
      collected_early_.erase(early);
    } else if (crash.slot == format::kNoSlot && crash.goes_on) {
      note(fmt::format("{} goes on: {}", plan_.facts.name, crash.reason));
    } else if (crash.slot == format::kNoSlot) {
      tell_of_crash_without_dump(crash.reason);
    } else {
      note(fmt::format("{} crashed: {}; its dump was taken out or replaced by a newer one meanwhile", plan_.facts.name,
                       crash.reason));
      dumps_->keep_line(crash.occurrence, crash.reason);
    }
  }
}

void GuestRun::end_recording(const std::string& how) const {
  const std::string folder = plan_.recorder->folder().string();
  if (auto done = plan_.recorder->complete(how); !done)
    note(done.error().message);
  else
    note(fmt::format("recorded in {}, next: mortem replay {}", folder, shell_quoted(folder)));
}

Result<int> GuestRun::explain_end() {
  // A crash whose message did not come through the control port is found in the slots.
  if (!dump_left_in_image_) collect_dumps();
  if (plan_.recorder && plan_.recorder->has_begun())
    end_recording(crashes_ > 0     ? "crash: " + plan_.facts.last_crash
                  : exit_status_   ? fmt::format("exit with status {}", *exit_status_)
                  : terminated_by_ ? fmt::format("stopped by signal {}", terminated_by_)
                                   : "the guest ended and did not say how");
  if (exit_status_) return *exit_status_;
  if (terminated_by_ != 0) return 128 + terminated_by_;

  const std::string& name = plan_.facts.name;
  const int qemu_exit = WIFEXITED(qemu_status_) ? WEXITSTATUS(qemu_status_) : 128 + WTERMSIG(qemu_status_);
  auto log = read_text_file(instance_.folder() / "qemu.log");
  const std::string complaint = log ? printable(last_line(*log)) : std::string();
  if (log && log->find("Failed to get \"write\" lock") != std::string::npos)
    return failure(ErrorKind::System,
                   fmt::format("{}: in use by another guest or program; see mortem ps", plan_.facts.source));
  if (WIFSIGNALED(qemu_status_)) {
    const std::string why = dumps_ ? dumps_->why_none() : std::string();
    return failure(ErrorKind::System, fmt::format("{}: QEMU was ended by signal {}{}{}", name, WTERMSIG(qemu_status_),
                                                  why.empty() ? "" : "; ", why));
  }
  if (qemu_exit != 0)
    return failure(ErrorKind::System, fmt::format("{}: QEMU ended with status {}: {}", name, qemu_exit,
                                                  complaint.empty() ? "it said nothing" : complaint));
  if (plan_.detached) {
    auto console = read_text_file(instance_.folder() / "console.log", 1 << 30);
    if (console) console_end_ = *console;
  }
  const std::string last = printable(last_line(console_end_));
  return failure(ErrorKind::System, fmt::format("{}: the guest ended {} and did not say how; its console {}", name,
                                                ready_ ? "while the program ran" : "before the program started",
                                                last.empty() ? "is empty" : "ends with: " + last));
}

}  // namespace mortem::tools
