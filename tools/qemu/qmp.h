// QEMU's machine protocol (docs/interop/qmp-spec): one connection, one command after another, events kept as they come.
#pragma once

#include <deque>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "snapshot/result.h"
#include "tools/files.h"

namespace mortem::tools {

// What carries QMP: lines out, lines in.
class QmpLine {
 public:
  virtual ~QmpLine() = default;
  virtual Result<void> send(const std::string& line, int descriptor) = 0;
  virtual Result<std::optional<std::string>> receive(int timeout_ms) = 0;  // nothing: none came in time
  virtual int descriptor() const = 0;                                      // readable when something came
};

class Qmp {
 public:
  // Over a line on which commands can be sent at once.
  Qmp(std::unique_ptr<QmpLine> line, int timeout_ms) : line_(std::move(line)), timeout_ms_(timeout_ms) {}
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
  int socket() const { return line_->descriptor(); }

 private:
  static Result<Qmp> negotiate(Descriptor socket, int timeout_ms);
  Result<std::optional<nlohmann::json>> receive(int timeout_ms);

  std::unique_ptr<QmpLine> line_;
  int timeout_ms_;
  bool is_late_ = false;  // an answer did not come in time: what comes now could be that one
  std::deque<nlohmann::json> events_;
};

// Microseconds since 1970 at which an event happened, by QEMU's clock.
int64_t event_time_us(const nlohmann::json& event);

}  // namespace mortem::tools
