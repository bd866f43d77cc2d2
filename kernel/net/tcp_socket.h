// TCP sockets (tcp(7)) on lwIP's raw interface. What lwIP calls back (tcp_callbacks.cpp) only changes the fields here
// and tells who waits; what the program asks for is in tcp_socket.cpp (connections) and tcp_transfer.cpp (bytes).
#pragma once

#include "kernel/net/inet_socket.h"

struct pbuf;
struct tcp_pcb;

namespace kernel::net {

// What came and was not read yet: lwIP's chains, one behind the other. Their total lengths are not kept, only each
// part's own.
class ReceiveQueue {
 public:
  ~ReceiveQueue();
  void append(pbuf* chain);
  // Copies from the front; what was copied goes away, unless it is only looked at.
  enum class Take : uint8_t { Yes, Look };
  size_t copy(std::span<uint8_t> to, Take take);
  size_t size() const { return size_; }
  const uint64_t* size_counter() const { return &size_; }

 private:
  void drop_front();
  pbuf *first_ = nullptr, *last_ = nullptr;
  size_t taken_ = 0;  // bytes of the first part that are gone
  uint64_t size_ = 0;
};

class TcpSocket final : public InetSocket {
 public:
  TcpSocket(int family, int flags);
  ~TcpSocket() override;

  Result<void> bind(const linux::SocketAddress& address) override;
  Result<void> connect(const linux::SocketAddress& address) override;
  Result<void> listen(int backlog) override;
  Result<linux::Socket*> accept(int flags, linux::SocketAddress& peer) override;
  Result<size_t> send(std::span<const uint8_t> bytes, const linux::SendRequest& request) override;
  Result<size_t> receive(std::span<uint8_t> to, linux::ReceiveRequest& request) override;
  Result<void> shutdown(int how) override;
  Result<linux::SocketAddress> local_address() override;
  Result<linux::SocketAddress> peer_address() override;
  Result<void> set_option(int level, int name, std::span<const uint8_t> value) override;
  Result<size_t> get_option(int level, int name, std::span<uint8_t> value) override;
  uint16_t poll_events() override;
  Result<uint32_t> bytes_available() override;
  Result<uint32_t> bytes_unsent() override;
  void linger() override;

 private:
  friend struct TcpCallbacks;
  enum class State : uint8_t { Idle, Listening, Connecting, Connected, Ended };

  void apply_options() override;
  bool is_bound() const override;
  Result<void> need_pcb();  // makes one if there is none
  void watch();             // lwIP calls back
  void let_go();            // lwIP ends the connection by itself; the socket knows no more of it
  void close_connection();  // of the last reference
  void keep_names();        // of a connection that lwIP forgets
  void end_if_both_closed();
  bool is_closing() const;  // what was written, and the end behind it, is not all acknowledged
  void add_waiting(TcpSocket& connection);
  TcpSocket* take_waiting();
  size_t most_to_send() const;  // that is not acknowledged
  size_t room() const;          // for bytes to send
  bool is_writable() const;
  Result<void> connected_result();
  Result<void> wait_for_room(int flags, uint64_t deadline);

  tcp_pcb* pcb_ = nullptr;
  State state_ = State::Idle;
  bool peer_closed_ = false, read_shut_ = false, write_shut_ = false;
  bool connect_is_told_ = false;  // connect() has returned success
  bool end_is_told_ = false;      // a read has met the end of the stream
  bool lingers_ = false;          // close() waits until it is
  bool wants_room_ = false;       // somebody found no room: tell when there is some
  ReceiveQueue received_;
  Endpoint local_, peer_;  // when lwIP has no record any more
  TcpSocket *first_waiting_ = nullptr, *last_waiting_ = nullptr, *next_waiting_ = nullptr;  // nobody accepted them yet

  // tcp(7)
  bool no_delay_ = false, corked_ = false;
  int keep_idle_ = 7200, keep_interval_ = 75, keep_count_ = 9, user_timeout_ = 0, defer_accept_ = 0;
  int wanted_segment_ = 0, linger2_ = 60, not_sent_low_water_ = 0;  // kept, and told again (linger2_: tcp_fin_timeout)
  uint8_t syn_count_ = 0;                                           // 0: as many as usual
};

// Whose a connection or listener of lwIP's is.
struct TcpOwner {
  int family;         // kFamilyInet, kFamilyInet6
  uint64_t number;    // of the socket's inode; 0: the program has none (any more, or yet)
  uint64_t received;  // bytes that the program did not read; as on Linux the stream's end counts as one
};

// tcp_callbacks.cpp: how lwIP tells of a connection, and of new ones.
struct TcpCallbacks {
  static void watch(tcp_pcb& pcb, TcpSocket& socket);
  static void watch_listener(tcp_pcb& pcb, TcpSocket& socket);
  static void leave(tcp_pcb& pcb);                              // nobody is told any more
  static bool has_room(const tcp_pcb& pcb, uint32_t sequence);  // for content that came
  static int8_t connected(void* socket, tcp_pcb* pcb, int8_t error);
  static void reset_those_to_others();
  static TcpOwner owner(const tcp_pcb& pcb);

 private:
  static int8_t accepted(void* socket, tcp_pcb* pcb, int8_t error);
  static int8_t received(void* socket, tcp_pcb* pcb, pbuf* bytes, int8_t error);
  static int8_t sent(void* socket, tcp_pcb* pcb, uint16_t length);
  static void failed(void* socket, int8_t error);
};

// Of a guest that is a copy: whoever the other sides are, they speak with the original. Within a NetworkScope.
void reset_connections_to_others();

}  // namespace kernel::net
