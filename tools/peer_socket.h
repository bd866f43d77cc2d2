// Bytes to and from a peer at a connected socket, whose protocol is the caller's.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "snapshot/result.h"
#include "tools/files.h"

namespace mortem::tools {

class PeerSocket {
 public:
  PeerSocket() = default;
  // `name` is for people: "QEMU closed NAME".
  PeerSocket(Descriptor socket, std::string name) : socket_(std::move(socket)), name_(std::move(name)) {}
  int get() const { return socket_.get(); }

  Result<void> send(std::string_view bytes);
  // Appends what has come; false: nothing within that time (milliseconds; -1: for ever).
  Result<bool> receive(std::string& to, int timeout_ms);

 private:
  tl::unexpected<Error> closed() const;

  Descriptor socket_;
  std::string name_;
};

}  // namespace mortem::tools
