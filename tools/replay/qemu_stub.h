// QEMU's own gdb stub, of which we use little: registers, stepping, running, and its break- and watchpoints, which stop
// the machine wherever it is. It knows no threads.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "snapshot/clone/cpu_state.h"
#include "snapshot/result.h"
#include "tools/peer_socket.h"

namespace mortem::tools {

enum class QemuPoint : uint8_t {
  Breakpoint = 1,
  WriteWatch = 2,
  ReadWatch = 3,
  AccessWatch = 4
};  // Z packets' numbers

class QemuStub {
 public:
  QemuStub() = default;
  explicit QemuStub(Descriptor socket) : socket_(std::move(socket), "the socket of its gdb stub") {}

  Result<void> attach();
  Result<snapshot::CpuState> registers();  // without vector registers
  Result<void> insert(QemuPoint kind, uint64_t address, uint64_t length);
  Result<void> remove(QemuPoint kind, uint64_t address, uint64_t length);

  // The machine runs; a stop reply follows.
  Result<void> go_on();
  Result<void> step();
  Result<void> interrupt();
  // Why the machine stopped: a stop reply packet; nothing: not within that time.
  Result<std::optional<std::string>> stopped(int timeout_ms);
  int socket() const { return socket_.get(); }

 private:
  Result<void> send(const std::string& packet);
  Result<std::string> ask(const std::string& packet);
  Result<std::optional<std::string>> receive(int timeout_ms);

  PeerSocket socket_;
  std::string pending_;
};

}  // namespace mortem::tools
