// AF_UNIX (unix(7)). Both ends of everything are in this one kernel, and kernel code is not preempted: an operation
// works on both sockets of a connection directly.
#pragma once

#include "kernel/linux/socket_options.h"
#include "kernel/linux/unix_message.h"

namespace kernel::linux {

class UnixSocket final : public Socket {
 public:
  UnixSocket(int type, int protocol, int flags, UnixSender& sender);
  ~UnixSocket() override;

  Result<void> bind(const SocketAddress& address) override;
  Result<void> connect(const SocketAddress& address) override;
  Result<void> listen(int backlog) override;
  Result<Socket*> accept(int flags, SocketAddress& peer) override;
  Result<size_t> send(std::span<const uint8_t> bytes, const SendRequest& request) override;
  Result<size_t> receive(std::span<uint8_t> to, ReceiveRequest& request) override;
  Result<void> shutdown(int how) override;
  Result<SocketAddress> local_address() override;
  Result<SocketAddress> peer_address() override;
  Result<void> set_option(int level, int name, std::span<const uint8_t> value) override;
  Result<size_t> get_option(int level, int name, std::span<uint8_t> value) override;
  Result<uint64_t> control(uint32_t request, uint64_t user_argument) override;

  Result<InodeStatus> status() override;
  uint16_t poll_events() override;
  WaitQueue* wait_queue() override { return &waiters_; }
  const char* path() const override { return path_; }
  Result<uint32_t> bytes_available() override;
  Result<uint32_t> bytes_unsent() override;

  void join(UnixSocket& other);  // the two are connected
  void got_room() { waiters_.notify_all(kPollOut); }

 private:
  friend class UnixNames;
  enum class State : uint8_t { Closed, Listening, Connected };
  enum Shut : uint8_t { kShutRead = 1, kShutWrite = 2, kShutAll = 3 };

  bool is_datagram() const { return type() == kSocketDatagram; }
  // unix_connect.cpp
  Result<void> connect_datagram(const SocketAddress& address);
  Result<void> connect_stream(const SocketAddress& address);
  Result<UnixSocket*> find_listener(const SocketAddress& address, uint64_t deadline);
  void set_peer(UnixSocket* peer);
  void lose_peer(bool was_reset);
  bool accepts_more() const { return waiting_count_ <= backlog_; }
  void drop_waiting();
  // unix_transfer.cpp
  Result<size_t> send_stream(std::span<const uint8_t> bytes, const SendRequest& request);
  Result<size_t> send_message(std::span<const uint8_t> bytes, const SendRequest& request);
  Result<size_t> receive_stream(std::span<uint8_t> to, ReceiveRequest& request);
  Result<size_t> receive_message(std::span<uint8_t> to, ReceiveRequest& request);
  Result<void> wait_for_room(int flags, uint64_t deadline);
  Result<UnixSocket*> find_target(const SendRequest& request, uint64_t deadline);
  bool is_full_for(const UnixSocket& sender) const;
  bool extend_last(std::span<const uint8_t> bytes, const SendRequest& request, UnixSender& from);
  void describe(UnixMessage& message, ReceiveRequest& request);
  bool has_room() const { return sender_.used < static_cast<uint64_t>(options_.send_buffer); }
  bool is_writable() const { return sender_.used * 4 <= static_cast<uint64_t>(options_.send_buffer); }
  Result<void> take_error();

  State state_ = State::Closed;
  uint8_t shut_ = 0;
  Error error_{};                    // SO_ERROR; 0: none
  bool peer_was_closed_ = false;     // of a datagram socket: the next send says so
  UnixSender& sender_;               // has the own name
  UnixSocket* peer_ = nullptr;       // whom a send without an address goes to; null: nobody, or it is closed
  SocketAddress peer_name_;          // of a peer that is closed
  UnixSocket* connected_ = nullptr;  // those whose peer this is
  UnixSocket *next_connected_ = nullptr, *previous_connected_ = nullptr;
  UnixQueue queue_;
  uint64_t unread_ = 0;      // bytes in it
  UnixSocket *first_waiting_ = nullptr, *last_waiting_ = nullptr;  // connections nobody accepted yet
  UnixSocket* next_waiting_ = nullptr;
  int waiting_count_ = 0, backlog_ = 0;
  bool is_waiting_ = false;  // in such a list
  Inode* inode_ = nullptr;   // of a path name
  UnixSocket* next_bound_ = nullptr;
  KeptOptions options_;
  uint64_t number_;
  char path_[32];
  WaitQueue waiters_;
};

Result<UnixSocket*> new_unix_socket(int type, int protocol, int flags);

// unix_names.cpp: who has which name.
class UnixNames {
 public:
  static Result<void> check(const SocketAddress& address);
  static Result<void> bind(UnixSocket& socket, const SocketAddress& address);
  static Result<void> bind_automatically(UnixSocket& socket);
  static void unbind(UnixSocket& socket);
  static Result<UnixSocket*> find(const SocketAddress& address, int type);
  static bool is_bound(const UnixSocket* socket);  // it may be closed already

 private:
  static UnixSocket* find_abstract(const SocketAddress& address, int type);
  static void add(UnixSocket& socket, const SocketAddress& address);
};

}  // namespace kernel::linux
