// Sockets: what socket_calls.cpp works on, whatever the family. One class a family behind it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernel/library/result.h"
#include "kernel/linux/open_file.h"

namespace kernel::linux {

inline constexpr int kFamilyUnspecified = 0, kFamilyUnix = 1, kFamilyInet = 2, kFamilyInet6 = 10;  // socket(2)
inline constexpr int kSocketStream = 1, kSocketDatagram = 2, kSocketRaw = 3, kSocketSequenced = 5;
inline constexpr int kMessageOutOfBand = 1, kMessagePeek = 2, kMessageTruncated = 0x20, kMessageDontWait = 0x40,
                     kMessageWaitAll = 0x100, kMessageNoSignal = 0x4000;  // send(2), recv(2)

// struct sockaddr as the app gives and gets it: family first, host order; ports and addresses in network order.
struct SocketAddress {
  alignas(8) uint8_t bytes[128] = {};  // struct sockaddr_storage
  uint32_t length = 0;                 // 0: no address
  int family() const { return length >= 2 ? bytes[0] | bytes[1] << 8 : kFamilyUnspecified; }
};

// Open files that go along with a message (SCM_RIGHTS); each is retained by whoever holds the list.
inline constexpr size_t kMaximumPassedFiles = 253;  // Linux: SCM_MAX_FD
struct PassedFiles {
  OpenFile** files = nullptr;  // of the heap
  size_t count = 0;
};

struct SendRequest {
  int flags = 0;                      // kMessage…
  const SocketAddress* to = nullptr;  // null: the peer
  PassedFiles passed;                 // taken over when the call succeeds
};
struct ReceiveRequest {
  int flags = 0;  // kMessage…
  // Filled in:
  SocketAddress from;
  int result_flags = 0;               // kMessageTruncated
  size_t message_length = 0;          // of a datagram, whole (MSG_TRUNC)
  PassedFiles passed;                 // given to the caller
  int hop_limit = -1, interface = 0;  // of datagrams, where they are known
};

// All wait, unless the file is non-blocking or the flags say kMessageDontWait (Again). Errors are the errno of the
// manual page of the call.
class Socket : public OpenFile {
 public:
  Socket(int family, int type, int protocol, int flags)
      : OpenFile(flags | kOpenReadWrite), family_(family), type_(type), protocol_(protocol) {}

  virtual Result<void> bind(const SocketAddress& address) = 0;
  virtual Result<void> connect(const SocketAddress& address) = 0;  // InProgress where it does not wait
  virtual Result<void> listen(int backlog) = 0;
  virtual Result<Socket*> accept(int flags, SocketAddress& peer) = 0;  // flags: kOpenNonBlock; of the new socket
  virtual Result<size_t> send(std::span<const uint8_t> bytes, const SendRequest& request) = 0;
  virtual Result<size_t> receive(std::span<uint8_t> to, ReceiveRequest& request) = 0;
  virtual Result<void> shutdown(int how) = 0;  // SHUT_RD 0, SHUT_WR 1, SHUT_RDWR 2
  virtual Result<SocketAddress> local_address() = 0;
  virtual Result<SocketAddress> peer_address() = 0;  // NotConnected
  // Values as in getsockopt(2); SO_TYPE, SO_DOMAIN and SO_PROTOCOL are answered by socket_calls.cpp.
  virtual Result<void> set_option(int level, int name, std::span<const uint8_t> value) = 0;
  virtual Result<size_t> get_option(int level, int name, std::span<uint8_t> value) = 0;  // bytes filled

  OpenFileKind kind() const override { return OpenFileKind::Socket; }
  Result<size_t> read(std::span<uint8_t> to) override {
    ReceiveRequest request;
    return receive(to, request);
  }
  Result<size_t> write(std::span<const uint8_t> from) override { return send(from, {}); }

  int family() const { return family_; }
  int type() const { return type_; }
  int protocol() const { return protocol_; }

 private:
  int family_, type_, protocol_;
};

// One for each family: flags are kOpenNonBlock or 0. FamilyNotSupported: the guest has no such family.
Result<Socket*> make_unix_socket(int type, int protocol, int flags);
Result<Socket*> make_inet_socket(int family, int type, int protocol, int flags);

}  // namespace kernel::linux
