#include "inspector/target/stub_client.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "gdbstub/arguments.h"

namespace mortem::inspector {
namespace {

constexpr int kFirstPatience = 15000;  // milliseconds
constexpr size_t kLargestTransfer = 64 << 20, kLargestPacket = 16 << 20;
constexpr size_t kMostThreads = 1 << 20;

using gdbstub::Arguments;
using gdbstub::hex_digit;

bool is_error(const std::string& reply) {
  return reply.size() >= 2 && reply[0] == 'E';
}

}  // namespace

Result<std::unique_ptr<StubClient>> StubClient::connect(int socket, std::string name) {
  std::unique_ptr<StubClient> client(new StubClient(socket, std::move(name)));
  TRY_VOID(client->begin());
  return client;
}

Result<void> StubClient::begin() {
  patience_ms_ = kFirstPatience;
  constexpr char kAcknowledgement = '+';
  if (::send(socket_, &kAcknowledgement, 1, MSG_NOSIGNAL) != 1)
    return failure(ErrorKind::System, fmt::format("{}: cannot talk to its debug stub", name_));
  std::string features = TRY(ask("qSupported:multiprocess+;swbreak+;hwbreak+;xmlRegisters=i386"));
  // QEMU's stub stops a guest that runs when somebody comes, and says so unasked.
  stands_for_us_ = features.starts_with('T') || features.starts_with('S');
  if (stands_for_us_) features = TRY(receive());
  patience_ms_ = kPatience;
  multiprocess_ = features.find("multiprocess+") != std::string::npos;
  binary_reads_ = features.find("binary-upload+") != std::string::npos;
  runs_backwards_ =
      features.find("ReverseStep+") != std::string::npos && features.find("ReverseContinue+") != std::string::npos;
  if (const size_t at = features.find("PacketSize="); at != std::string::npos) {
    uint64_t size = 0;
    Arguments number(std::string_view(features).substr(at + 11));
    if (number.hex(size)) packet_size_ = std::clamp<uint64_t>(size, 64, kLargestPacket);
  }
  const std::string quiet = TRY(ask("QStartNoAckMode"));
  if (quiet == "OK") {
    if (::send(socket_, &kAcknowledgement, 1, MSG_NOSIGNAL) != 1)
      return failure(ErrorKind::System, fmt::format("{}: its debug stub is gone", name_));
  }
  return learn_stop();
}

Result<void> StubClient::learn_stop() {
  const std::lock_guard lock(mutex_);
  const std::string stop = TRY(ask("?"));
  return take_stop(stop);
}

// Our stub lets the program go on, unless it stands still by itself: a copy that nobody has let go yet. QEMU's has to
// be asked.
StubClient::~StubClient() {
  if (stands_for_us_ && !runs_) (void)send(multiprocess_ ? fmt::format("D;{:x}", process_) : std::string("D"));
  close(socket_);
}

Result<void> StubClient::take_stop(const std::string& reply) {
  Arguments arguments(reply);
  uint64_t signal = 0;
  const bool has_keys = arguments.take("T");
  if (!has_keys && !arguments.take("S"))
    return failure(ErrorKind::Unavailable, fmt::format("{}: its program has ended", name_));
  std::array<uint8_t, 1> number;
  if (!arguments.hex_bytes(number))
    return failure(ErrorKind::BadInput, fmt::format("{}: its stub answers what is no stop: {}", name_, reply));
  signal = number[0];
  stop_signal_ = static_cast<int>(signal);
  while (!arguments.done()) {
    gdbstub::ThreadSelector thread;
    if (arguments.take("thread:") && arguments.thread(thread)) {
      if (thread.process != 0) process_ = thread.process;
      stopped_thread_ = thread.thread;
    }
    while (!arguments.done() && !arguments.take(";")) arguments.skip(1);
  }
  return {};
}

std::string StubClient::process_prefix() const {
  return multiprocess_ ? fmt::format("p{:x}.", process_) : std::string();
}

std::vector<uint32_t> StubClient::threads() {
  const std::lock_guard lock(mutex_);
  std::vector<uint32_t> result;
  for (const char* question = "qfThreadInfo"; result.size() < kMostThreads; question = "qsThreadInfo") {
    const auto reply = ask(question);
    if (!reply || !reply->starts_with('m')) break;
    Arguments arguments(*reply);
    arguments.skip(1);
    gdbstub::ThreadSelector thread;
    while (arguments.thread(thread)) {
      result.push_back(thread.thread);
      if (!arguments.take(",")) break;
    }
  }
  return result;
}

Result<std::string> StubClient::registers(uint32_t thread) {
  const std::lock_guard lock(mutex_);
  const std::string chosen = TRY(ask(fmt::format("Hg{}{:x}", process_prefix(), thread)));
  if (chosen != "OK") return failure(ErrorKind::NotFound, fmt::format("{}: has no thread {}", name_, thread));
  std::string reply = TRY(ask("g"));
  if (is_error(reply)) return failure(ErrorKind::Unavailable, fmt::format("{}: no registers of {}", name_, thread));
  return reply;
}

Result<std::string> StubClient::transfer(std::string_view object, std::string_view annex) {
  const std::lock_guard lock(mutex_);
  std::string result;
  while (result.size() < kLargestTransfer) {
    const std::string reply =
        TRY(ask(fmt::format("qXfer:{}:read:{}:{:x},{:x}", object, annex, result.size(), packet_size_ / 2)));
    if (reply.empty() || (reply[0] != 'm' && reply[0] != 'l') || reply == "m")
      return failure(ErrorKind::Unavailable, fmt::format("{}: its stub has no {}", name_, object));
    result.append(reply, 1);
    if (reply[0] == 'l') break;
  }
  return result;
}

Result<std::string> StubClient::read_file(std::string_view path) {
  const std::lock_guard lock(mutex_);
  std::string name;
  for (const char byte : path) name += fmt::format("{:02x}", static_cast<uint8_t>(byte));
  const auto number_of = [](const std::string& reply, uint64_t& number) {
    if (reply.empty() || reply[0] != 'F') return false;
    Arguments arguments(reply);
    arguments.skip(1);
    return arguments.hex(number);
  };
  uint64_t descriptor = 0;
  const auto opened = ask(fmt::format("vFile:open:{},0,0", name));
  if (!opened) return tl::unexpected(opened.error());
  if (!number_of(*opened, descriptor))
    return failure(ErrorKind::NotFound, fmt::format("{}: has no file {}", name_, path));
  std::string content;
  while (content.size() < kLargestTransfer) {
    const std::string reply =
        TRY(ask(fmt::format("vFile:pread:{:x},{:x},{:x}", descriptor, packet_size_ / 2, content.size())));
    uint64_t count = 0;
    const size_t data = reply.find(';');
    if (!number_of(reply, count) || count == 0 || data == std::string::npos) break;
    content.append(reply, data + 1);
  }
  TRY(ask(fmt::format("vFile:close:{:x}", descriptor)));
  return content;
}

Result<size_t> StubClient::read_memory(uint64_t address, std::span<uint8_t> to) {
  size_t done = 0;
  while (done < to.size()) {
    const size_t most = packet_size_ / 2 - 64 > 64 ? packet_size_ / 2 - 64 : 64;
    const size_t count = TRY(read_piece(address + done, to.subspan(done, std::min(to.size() - done, most))));
    if (count == 0) break;
    done += count;
  }
  return done;
}

Result<size_t> StubClient::read_piece(uint64_t address, std::span<uint8_t> to) {
  const std::string reply = TRY(ask(fmt::format("{}{:x},{:x}", binary_reads_ ? 'x' : 'm', address, to.size())));
  if (binary_reads_) {
    if (reply.empty() || reply[0] != 'b') return 0;
    const size_t count = std::min(reply.size() - 1, to.size());
    std::memcpy(to.data(), reply.data() + 1, count);
    return count;
  }
  if (is_error(reply)) return 0;
  const size_t count = std::min(reply.size() / 2, to.size());
  return Arguments(reply).hex_bytes(to.first(count)) ? count : 0;
}

Result<std::string> StubClient::ask(std::string_view packet) {
  const std::lock_guard lock(mutex_);
  // The next packet will be the stop, which is not the answer to this.
  if (runs_) return failure(ErrorKind::Unavailable, fmt::format("{}: its program runs", name_));
  TRY_VOID(send(packet));
  return receive();
}

// None of our packets has a character that must be escaped.
Result<void> StubClient::send(std::string_view packet) {
  uint8_t sum = 0;
  for (const char byte : packet) sum = static_cast<uint8_t>(sum + static_cast<uint8_t>(byte));
  const std::string frame = fmt::format("${}#{:02x}", packet, sum);
  for (size_t at = 0; at < frame.size();) {
    const ssize_t count = ::send(socket_, frame.data() + at, frame.size() - at, MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0)
      return failure(ErrorKind::System, fmt::format("{}: its debug stub is gone: {}", name_, std::strerror(errno)));
    at += static_cast<size_t>(count);
  }
  return {};
}

Result<char> StubClient::next_byte() {
  if (input_at_ < input_.size()) return input_[input_at_++];
  pollfd wait{socket_, POLLIN, 0};
  int ready;
  while ((ready = poll(&wait, 1, patience_ms_)) < 0 && errno == EINTR) {
  }
  if (ready == 0)
    return failure(ErrorKind::Unavailable,
                   fmt::format("{}: its debug stub does not answer; is another debugger attached?", name_));
  input_.resize(65536);
  input_at_ = 0;
  const ssize_t count = recv(socket_, input_.data(), input_.size(), 0);
  input_.resize(count > 0 ? static_cast<size_t>(count) : 0);
  if (count <= 0)
    return failure(ErrorKind::Unavailable, fmt::format("{}: it has ended, or its debug stub is gone", name_));
  return input_[input_at_++];
}

// The payload, its escapes and runs undone (GDB manual, node "Overview"). One with a wrong checksum is an error: the
// line is a local socket, which loses nothing.
Result<std::string> StubClient::receive() {
  while (TRY(next_byte()) != '$') {
  }
  std::string payload;
  uint8_t sum = 0;
  for (char byte = TRY(next_byte()); byte != '#'; byte = TRY(next_byte())) {
    sum = static_cast<uint8_t>(sum + static_cast<uint8_t>(byte));
    if (byte == '}' || byte == '*') {
      const char next = TRY(next_byte());
      sum = static_cast<uint8_t>(sum + static_cast<uint8_t>(next));
      if (byte == '}')
        payload += static_cast<char>(next ^ 0x20);
      else if (!payload.empty() && next >= ' ')
        payload.append(static_cast<size_t>(next - 29), payload.back());
    } else {
      payload += byte;
    }
    if (payload.size() > kLargestPacket)
      return failure(ErrorKind::BadInput, fmt::format("{}: its stub sends a packet without an end", name_));
  }
  const int high = hex_digit(TRY(next_byte())), low = hex_digit(TRY(next_byte()));
  if (high < 0 || low < 0 || (high << 4 | low) != sum)
    return failure(ErrorKind::BadInput, fmt::format("{}: a packet of its stub has a wrong checksum", name_));
  return payload;
}

}  // namespace mortem::inspector
