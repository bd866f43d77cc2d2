// What stands in the queue of a Unix socket: bytes, files on their way, and who sent them. A socket that is on its way
// in its own queue, alone or in a ring of others, is kept for ever when the program closes all its descriptors: Linux
// collects such rings (unix_gc), this kernel does not. How many files may be on their way bounds what that can take.
#pragma once

#include "kernel/linux/socket.h"

namespace kernel::linux {

class UnixSocket;

// The sending side of a socket. It outlives the socket for as long as messages of it are on their way, because they
// count against its buffer and show its name.
struct UnixSender {
  int references = 1;
  uint64_t used = 0;            // bytes of memory in messages on their way
  UnixSocket* owner = nullptr;  // null: it is closed
  SocketAddress name;           // length 0: not bound
};
void release_sender(UnixSender& sender);

struct UnixMessage {
  UnixMessage* next = nullptr;
  UnixSender* sender = nullptr;
  uint32_t start = 0, end = 0, capacity = 0;  // of the bytes behind this record: [start, end) is unread
  Credentials credentials{};
  PassedFiles passed;

  uint8_t* bytes() { return reinterpret_cast<uint8_t*>(this + 1); }
  size_t length() const { return end - start; }
};

// Charged to its sender until it is destroyed. TooManyReferences: too many files are on their way.
Result<UnixMessage*> make_message(UnixSender& sender, std::span<const uint8_t> bytes, const SendRequest& request);
void forget_passed(UnixMessage& message);  // its files were handed on
// The sender is told that it has room again.
void destroy_message(UnixMessage& message);

class UnixQueue {
 public:
  UnixQueue() = default;
  ~UnixQueue();
  UnixQueue(const UnixQueue&) = delete;
  UnixQueue& operator=(const UnixQueue&) = delete;

  UnixMessage* first() const { return first_; }
  UnixMessage* last() const { return last_; }
  size_t count() const { return count_; }
  size_t byte_count() const;
  void append(UnixMessage& message);
  void remove_first();  // and destroys it

 private:
  UnixMessage *first_ = nullptr, *last_ = nullptr;
  size_t count_ = 0;
};

}  // namespace kernel::linux
