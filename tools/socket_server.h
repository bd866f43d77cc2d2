// Sockets at which clients of a target are waited for, one after another.
#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "tools/files.h"

namespace mortem::tools {

// A Unix socket, 0600. What stands at `path` already is an error.
Result<Descriptor> listen_at_path(const std::filesystem::path& path);
// TCP on the loopback only. `port` 0: any that is free; becomes the one that it is.
Result<Descriptor> listen_at_port(uint16_t& port);

// Calls `serve` with each client's descriptor until `stop_wanted` is true after a signal, or the listener is shut down.
void accept_clients(int listener, const std::function<void(int)>& serve, const std::function<bool()>& stop_wanted);

}  // namespace mortem::tools
