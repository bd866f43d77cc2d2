// The bytes of sockets between the program's buffers and the family's code.
#pragma once

#include "kernel/linux/files.h"
#include "kernel/linux/socket.h"
#include "kernel/linux/user_vector.h"

namespace kernel::linux {

Result<Socket*> open_socket(int descriptor);  // BadDescriptor, NotSocket

// For a call that may wait: another thread, or a signal handler, may close the descriptor meanwhile.
class HeldFile {
 public:
  explicit HeldFile(OpenFile& file) : file_(file) { file_.retain(); }
  ~HeldFile() { file_.release(); }
  HeldFile(const HeldFile&) = delete;
  HeldFile& operator=(const HeldFile&) = delete;

 private:
  OpenFile& file_;
};

// `request.passed` is the family's when the call succeeds, and else still the caller's. A broken pipe raises SIGPIPE,
// as send(2) says.
Result<uint64_t> send_vector(Socket& socket, UserVector& from, SendRequest& request);
// Of a datagram with kMessageTruncated among the flags: its whole length.
Result<uint64_t> receive_vector(Socket& socket, UserVector& to, ReceiveRequest& request);

}  // namespace kernel::linux
