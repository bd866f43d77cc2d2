// The host's messages to a guest whose control port is a UART: that has room for 16 bytes, and a QEMU that records does
// not wait for it. So each goes when the guest says that it took the one before.
#pragma once

#include <deque>
#include <string>

#include "tools/files.h"

namespace mortem::tools {

class UartMessages {
 public:
  bool is_open() const { return bool(pipe_); }
  void open(Descriptor pipe) { pipe_ = std::move(pipe); }
  void tell(std::string bytes);
  void was_taken();  // the guest says so

 private:
  void tell_next();

  Descriptor pipe_;
  std::deque<std::string> waiting_;
  bool is_told_ = false;  // and has not been taken yet
};

}  // namespace mortem::tools
