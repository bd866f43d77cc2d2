// The client's end of the protocol, written anew for the tests: what it finds in the server's bytes owes nothing to
// gdbstub's own packet layer.
#pragma once

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "fake_stub_target.h"
#include "gdbstub/server.h"

namespace mortem::test {

inline std::string framed(const std::string& payload) {
  std::string body;
  for (const char character : payload) {
    if (character == '$' || character == '#' || character == '}' || character == '*') {
      body += '}';
      body += static_cast<char>(character ^ 0x20);
    } else {
      body += character;
    }
  }
  unsigned sum = 0;
  for (const char character : body) sum += static_cast<uint8_t>(character);
  char checksum[4];
  snprintf(checksum, sizeof checksum, "#%02x", sum & 0xFF);
  return "$" + body + checksum;
}

class StubClient {
 public:
  explicit StubClient(gdbstub::Server::AppState state = gdbstub::Server::AppState::Stopped)
      : server(std::make_unique<gdbstub::Server>(target, state)) {}

  // Gives bytes in pieces and takes all output as it comes, also in pieces.
  std::string exchange(const std::string& bytes, size_t piece = ~size_t{0}) {
    std::string output = drain();
    for (size_t at = 0; at < bytes.size();) {
      const size_t count = std::min(piece, bytes.size() - at);
      at += server->feed({reinterpret_cast<const uint8_t*>(bytes.data()) + at, count});
      output += drain();
    }
    return output;
  }

  std::string drain() {
    std::string output;
    for (auto bytes = server->output(); !bytes.empty(); bytes = server->output()) {
      const size_t count = std::min<size_t>(bytes.size(), 1000);
      output.append(reinterpret_cast<const char*>(bytes.data()), count);
      server->consume(count);
    }
    return output;
  }

  // The payload of the one packet in `output`, escapes undone, behind acknowledgements; nothing: none is there.
  // Throws if the framing is wrong.
  static std::optional<std::string> payload(const std::string& output) {
    size_t at = output.find_first_not_of('+');
    if (at == std::string::npos) return std::nullopt;
    if (output[at] != '$') throw std::runtime_error("no packet: " + output.substr(0, 80));
    std::string result;
    unsigned sum = 0;
    for (++at; at < output.size() && output[at] != '#'; ++at) {
      sum += static_cast<uint8_t>(output[at]);
      if (output[at] == '*' || output[at] == '$') throw std::runtime_error("not escaped");
      if (output[at] == '}') {
        ++at;
        sum += static_cast<uint8_t>(output.at(at));
        result += static_cast<char>(output[at] ^ 0x20);
      } else {
        result += output[at];
      }
    }
    char checksum[4];
    snprintf(checksum, sizeof checksum, "#%02x", sum & 0xFF);
    if (output.substr(at) != checksum) throw std::runtime_error("wrong checksum or more after it");
    return result;
  }

  std::string ask(const std::string& packet) { return payload(exchange(framed(packet))).value_or("(no reply)"); }

  // As gdb 13 begins.
  void connect() {
    exchange("+");
    features = ask("qSupported:multiprocess+;swbreak+;hwbreak+;exec-events+;vContSupported+");
    ask("QStartNoAckMode");
    exchange("+");
  }

  FakeStubTarget target;
  std::unique_ptr<gdbstub::Server> server;
  std::string features;
};

inline std::string hex_of(const std::string& bytes) {
  std::string result;
  char digits[3];
  for (const char byte : bytes) {
    snprintf(digits, sizeof digits, "%02x", static_cast<uint8_t>(byte));
    result += digits;
  }
  return result;
}

}  // namespace mortem::test
