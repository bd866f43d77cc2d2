// Running a guest's program and changing it, by gdb's remote protocol (GDB manual, nodes "Packets" and "Stop Reply
// Packets").
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "gdbstub/arguments.h"
#include "inspector/target/stub_client.h"

namespace mortem::inspector {
namespace {

std::string hexadecimal_digits(std::span<const uint8_t> bytes) {
  std::string digits;
  digits.reserve(bytes.size() * 2);
  for (const uint8_t byte : bytes) digits += fmt::format("{:02x}", byte);
  return digits;
}

}  // namespace

Result<void> StubClient::write_memory(uint64_t address, std::span<const uint8_t> bytes) {
  const std::lock_guard lock(mutex_);
  const size_t most = std::max<size_t>(16, packet_size_ / 2 - 40);
  while (!bytes.empty()) {
    const auto piece = bytes.first(std::min(bytes.size(), most));
    const auto reply = ask(fmt::format("M{:x},{:x}:{}", address, piece.size(), hexadecimal_digits(piece)));
    if (!reply) return tl::unexpected(reply.error());
    if (*reply != "OK")
      return failure(ErrorKind::Unavailable, fmt::format("{}: {:#x} cannot be written", name_, address));
    address += piece.size();
    bytes = bytes.subspan(piece.size());
  }
  return {};
}

Result<void> StubClient::write_registers(uint32_t thread, const std::string& digits) {
  const std::lock_guard lock(mutex_);
  const auto chosen = ask(fmt::format("Hg{}{:x}", process_prefix(), thread));
  if (!chosen) return tl::unexpected(chosen.error());
  if (*chosen != "OK") return failure(ErrorKind::NotFound, fmt::format("{}: has no thread {}", name_, thread));
  const auto written = ask("G" + digits);
  if (!written) return tl::unexpected(written.error());
  if (*written != "OK")
    return failure(ErrorKind::Unavailable, fmt::format("{}: the registers of {} cannot be written", name_, thread));
  return {};
}

Result<void> StubClient::insert(StubPoint kind, uint64_t address, uint64_t length) {
  const auto reply = ask(fmt::format("Z{},{:x},{:x}", static_cast<int>(kind), address, length));
  if (!reply) return tl::unexpected(reply.error());
  if (*reply == "OK") return {};
  if (reply->empty()) return failure(ErrorKind::Unsupported, fmt::format("{}: its stub has no such points", name_));
  return failure(ErrorKind::Unavailable, fmt::format("{}: no point can be set at {:#x}", name_, address));
}

Result<void> StubClient::remove(StubPoint kind, uint64_t address, uint64_t length) {
  const auto reply = ask(fmt::format("z{},{:x},{:x}", static_cast<int>(kind), address, length));
  if (!reply) return tl::unexpected(reply.error());
  return {};
}

// Backwards there are no actions of threads: the one that is meant is chosen before.
Result<void> StubClient::resume(Direction direction) {
  const std::lock_guard lock(mutex_);
  if (direction == Direction::Forwards) return run("vCont;c");
  TRY(ask(fmt::format("Hc{}-1", process_prefix())));
  return run("bc");
}

Result<void> StubClient::step(uint32_t thread, Direction direction) {
  const std::lock_guard lock(mutex_);
  const std::string who = fmt::format("{}{:x}", process_prefix(), thread);
  if (direction == Direction::Forwards) return run("vCont;s:" + who);
  const auto chosen = ask("Hc" + who);
  if (!chosen) return tl::unexpected(chosen.error());
  if (*chosen != "OK") return failure(ErrorKind::NotFound, fmt::format("{}: has no thread {}", name_, thread));
  return run("bs");
}

Result<void> StubClient::run(const std::string& packet) {
  runs_ = true;
  return send(packet);
}

// The stub's text is digits in its one reply (GDB manual, "General Query Packets"); a stub that sends it in packets `O`
// before is understood, too.
Result<std::string> StubClient::monitor(std::string_view command, int patience_ms) {
  const std::lock_guard lock(mutex_);
  struct Patience {
    int& of;
    const int usual;
    ~Patience() { of = usual; }
  } const patience{patience_ms_, std::exchange(patience_ms_, patience_ms)};
  TRY_VOID(send("qRcmd," + hexadecimal_digits({reinterpret_cast<const uint8_t*>(command.data()), command.size()})));
  std::string text;
  const auto add = [&text](std::string_view digits) {
    std::array<uint8_t, 1> byte{};
    for (gdbstub::Arguments arguments(digits); arguments.hex_bytes(byte);) text += static_cast<char>(byte[0]);
  };
  for (;;) {
    const std::string reply = TRY(receive());
    if (reply == "OK") return text;
    if (reply.empty())
      return failure(ErrorKind::Unsupported, fmt::format("{}: its stub has no commands of its own", name_));
    if (reply[0] == 'O') {
      add(std::string_view(reply).substr(1));
    } else if (reply[0] == 'E') {
      return failure(ErrorKind::Unsupported, fmt::format("{}: its stub has no command '{}'", name_, command));
    } else {
      add(reply);
      return text;
    }
  }
}

void StubClient::interrupt() {
  constexpr char kInterrupt = 3;
  (void)::send(socket_, &kInterrupt, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

Result<std::optional<StubStop>> StubClient::wait_for_stop(int milliseconds) {
  if (input_at_ >= input_.size()) {
    pollfd wait{socket_, POLLIN, 0};
    const int ready = poll(&wait, 1, milliseconds);
    if (ready == 0 || (ready < 0 && errno == EINTR)) return std::nullopt;
  }
  const std::lock_guard lock(mutex_);
  const auto received = receive();
  if (!received) return tl::unexpected(received.error());
  const std::string& reply = *received;
  if (reply.starts_with('O')) return std::nullopt;  // output of the program
  runs_ = false;
  StubStop stop;
  gdbstub::Arguments arguments(reply);
  std::array<uint8_t, 1> number{};
  if (arguments.take("W") || arguments.take("X")) {
    stop.kind = reply[0] == 'W' ? StubStop::Kind::Exited : StubStop::Kind::Killed;
    if (arguments.hex_bytes(number)) stop.code = number[0];
    return stop;
  }
  const bool has_keys = arguments.take("T");
  if ((!has_keys && !arguments.take("S")) || !arguments.hex_bytes(number))
    return failure(ErrorKind::BadInput, fmt::format("{}: its stub answers what is no stop: {}", name_, reply));
  stop_signal_ = stop.code = number[0];
  while (!arguments.done()) {
    gdbstub::ThreadSelector thread;
    uint64_t address = 0;
    if (arguments.take("thread:") && arguments.thread(thread)) {
      stop.thread = stopped_thread_ = thread.thread;
    } else if ((arguments.take("watch:") || arguments.take("rwatch:") || arguments.take("awatch:")) &&
               arguments.hex(address)) {
      stop.watched = address;
    } else if (arguments.take("replaylog:")) {
      stop.history = arguments.take("begin") ? StubStop::History::Begin : StubStop::History::End;
    }
    while (!arguments.done() && !arguments.take(";")) arguments.skip(1);
  }
  if (stop.thread == 0) stop.thread = stopped_thread_;
  return stop;
}

}  // namespace mortem::inspector
