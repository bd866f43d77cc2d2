// QEMU's machine protocol (docs/interop/qmp-spec): one connection, one command after another, events kept as they come.
#pragma once

#include <deque>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "snapshot/result.h"
#include "tools/peer_socket.h"

namespace mortem::tools {

class Qmp {
 public:
  // Connects to the socket `qmp` of an instance and negotiates. Every answer has to come within `timeout_ms`.
  static Result<Qmp> connect(const std::filesystem::path& instance, int timeout_ms = 2000);
  // The same for any QEMU's socket.
  static Result<Qmp> connect_to_socket(const std::filesystem::path& socket, int timeout_ms = 2000);
  // Over a socket that is connected already.
  static Result<Qmp> over(Descriptor socket, int timeout_ms) { return negotiate(std::move(socket), timeout_ms); }
  // `descriptor`, if it is not -1, goes with the command (SCM_RIGHTS), for getfd and add-fd.
  Result<nlohmann::json> execute(const std::string& command, nlohmann::json arguments = nlohmann::json::object(),
                                 int descriptor = -1);
  // Sends a command and goes on; answer() takes the answers, in their order.
  Result<void> send(const std::string& command, nlohmann::json arguments = nlohmann::json::object(),
                    int descriptor = -1);
  Result<nlohmann::json> answer(const std::string& command);

  // The oldest event that nobody took, waiting for one if there is none; nothing: none came in time.
  Result<std::optional<nlohmann::json>> next_event(int timeout_ms);
  int socket() const { return socket_.get(); }

 private:
  Qmp(PeerSocket socket, int timeout_ms) : socket_(std::move(socket)), timeout_ms_(timeout_ms) {}
  static Result<Qmp> negotiate(Descriptor socket, int timeout_ms);
  Result<std::optional<nlohmann::json>> receive(int timeout_ms);

  PeerSocket socket_;
  int timeout_ms_;
  std::string pending_;            // bytes after the last whole line
  bool is_late_ = false;           // an answer did not come in time: QEMU hangs
  std::deque<std::string> asked_;  // ids of the commands whose answers have not been taken
  std::deque<nlohmann::json> events_;
};

// Microseconds since 1970 at which an event happened, by QEMU's clock.
int64_t event_time_us(const nlohmann::json& event);

}  // namespace mortem::tools
