#include "tools/replay/replay_front.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>

#include "tools/interrupt.h"
#include "tools/output.h"

namespace mortem::tools {

namespace {

constexpr std::chrono::seconds kProgress{3};

}  // namespace

ReplayFront::ReplayFront(ReplayMachine& machine, History& history, inspector::Symbolizer& symbolizer, Descriptor gdb,
                         Descriptor control)
    : machine_(machine), target_(history, symbolizer), gdb_(std::move(gdb)), control_(std::move(control)) {
  machine_.break_off = [this] { return is_told_to_end(); };
}

bool ReplayFront::is_told_to_end() {
  wait(0);
  return ends_ || interrupted_by() != 0 || (is_asked_ && is_client_impatient());
}

void ReplayFront::wait(int timeout_ms) {
  std::vector<pollfd> waits = {
      {client_ ? -1 : gdb_.get(), POLLIN, 0}, {control_.get(), POLLIN, 0}, {is_asked_ ? -1 : client_.get(), POLLIN, 0}};
  for (auto& [controller, decoder] : controllers_) waits.push_back({controller.get(), POLLIN, 0});
  if (poll(waits.data(), waits.size(), timeout_ms) <= 0) return;
  if (waits[0].revents) take_client();
  if (waits[1].revents) {
    Descriptor controller(accept4(control_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (controller) controllers_.emplace_back(std::move(controller), ControlDecoder());
  }
  if (waits[2].revents && !receive()) lost_ = true;
  take_control();
}

void ReplayFront::take_control() {
  for (auto& [controller, decoder] : controllers_) {
    char part[4096];
    const ssize_t got = recv(controller.get(), part, sizeof part, MSG_DONTWAIT);
    if (got < 0) continue;
    if (got > 0) decoder.add({part, size_t(got)});
    for (;;) {
      auto message = got > 0 ? decoder.next() : Result<std::optional<ControlMessage>>(std::optional<ControlMessage>());
      if (!message || !*message) break;
      if ((*message)->type == format::ControlType::Terminate) ends_ = true;
    }
    if (got == 0) controller.reset();
  }
  std::erase_if(controllers_, [](auto& one) { return !one.first; });
}

void ReplayFront::take_client() {
  client_ = Descriptor(accept4(gdb_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (!client_) return;
  lost_ = false;
  server_ = std::make_unique<gdbstub::Server>(target_, gdbstub::Server::AppState::Stopped);
  server_->report_stop(stop_);
}

// False: the client has gone.
bool ReplayFront::receive() {
  std::array<uint8_t, 16384> buffer;
  const ssize_t count = recv(client_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (count < 0 && (errno == EINTR || errno == EAGAIN)) return true;
  if (count <= 0) return false;
  std::span<const uint8_t> bytes(buffer.data(), size_t(count));
  while (!bytes.empty()) {
    is_asked_ = true;
    bytes = bytes.subspan(server_->feed(bytes));
    is_asked_ = false;
    if (const auto stop = target_.take_stop()) {
      if (stop->kind != gdbstub::StopKind::Terminated) stop_ = *stop;
      server_->report_stop(*stop);
    }
    if (!drain()) return false;
  }
  return true;
}

// While a packet of it is answered: it has interrupted, or gone.
bool ReplayFront::is_client_impatient() const {
  constexpr char kInterrupt = 3;
  char next = 0;
  const ssize_t count = recv(client_.get(), &next, 1, MSG_PEEK | MSG_DONTWAIT);
  return count == 0 || (count == 1 && next == kInterrupt);
}

bool ReplayFront::drain() {
  for (auto bytes = server_->output(); !bytes.empty(); bytes = server_->output()) {
    const ssize_t count = send(client_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    server_->consume(size_t(count));
  }
  return true;
}

// For the user of the client, who waits for a stop.
void ReplayFront::tell(const std::string& text) {
  server_->tell(text + "\n");
  if (!drain()) lost_ = true;
}

void ReplayFront::tell_progress() {
  if (std::chrono::steady_clock::now() < next_progress_) return;
  next_progress_ = std::chrono::steady_clock::now() + kProgress;
  tell(fmt::format("mortem: at instruction {} of {}; Ctrl-C breaks off", machine_.running_position(),
                   machine_.recording().instructions));
}

Result<void> ReplayFront::run() {
  const uint64_t before = machine_.position();
  next_progress_ = std::chrono::steady_clock::now() + kProgress;
  machine_.break_off = [this] {
    tell_progress();
    return is_told_to_end() || lost_ || target_.is_interrupted();
  };
  auto stop = target_.run();
  if (!stop && !ends_) {
    note(stop.error().message);
    tell(fmt::format("mortem: {}; back to instruction {} in another QEMU", stop.error().message, before));
    stop = target_.start_again(before);
  }
  machine_.break_off = [this] { return is_told_to_end(); };
  if (!stop) {
    server_->report_stop({.kind = gdbstub::StopKind::Terminated, .signal = 9});
    drain();
    return tl::unexpected(stop.error());
  }
  stop_ = *stop;
  server_->report_stop(stop_);
  if (!drain()) lost_ = true;
  return {};
}

Result<void> ReplayFront::serve() {
  while (!ends_ && interrupted_by() == 0) {
    wait(-1);
    if (client_ && !lost_ && target_.wants_to_run()) TRY_VOID(run());
    if (client_ && lost_) {
      server_->connection_lost();
      client_.reset();
      lost_ = false;
    }
  }
  return {};
}

}  // namespace mortem::tools
