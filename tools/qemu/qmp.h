// QEMU's machine protocol, as much of it as ending a guest needs: one connection, one command after another.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "snapshot/result.h"
#include "tools/files.h"

namespace mortem::tools {

class Qmp {
 public:
  // Connects to the socket `qmp` of an instance and negotiates. Every answer has to come within `timeout_ms`.
  static Result<Qmp> connect(const std::filesystem::path& instance, int timeout_ms = 2000);
  Result<nlohmann::json> execute(const std::string& command, nlohmann::json arguments = nlohmann::json::object());

 private:
  Qmp(Descriptor socket, int timeout_ms) : socket_(std::move(socket)), timeout_ms_(timeout_ms) {}
  Result<nlohmann::json> receive();

  Descriptor socket_;
  int timeout_ms_;
  std::string pending_;  // bytes after the last whole line
};

}  // namespace mortem::tools
