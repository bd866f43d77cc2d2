// Sockets: what socket_calls.cpp works on, whatever the family. One class a family behind it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernel/arch/x86_64/interrupts.h"
#include "kernel/library/result.h"
#include "kernel/linux/identity.h"
#include "kernel/linux/open_file.h"
#include "kernel/task/process.h"
#include "kernel/task/timer_queue.h"
#include "kernel/task/wait.h"

namespace kernel::linux {

inline constexpr int kFamilyUnspecified = 0, kFamilyUnix = 1, kFamilyInet = 2, kFamilyInet6 = 10,
                     kFamilyNetlink = 16;  // socket(2)
inline constexpr int kSocketStream = 1, kSocketDatagram = 2, kSocketRaw = 3, kSocketSequenced = 5;
inline constexpr int kMessageOutOfBand = 1, kMessagePeek = 2, kMessageTruncated = 0x20, kMessageDontWait = 0x40,
                     kMessageWaitAll = 0x100, kMessageNoSignal = 0x4000,
                     kMessageMore = 0x8000;  // send(2), recv(2); socket_calls.cpp sets it on all parts but the last
inline constexpr int kShutdownRead = 0, kShutdownWrite = 1, kShutdownBoth = 2;
inline constexpr int kLevelSocket = 1;  // SOL_SOCKET

// struct sockaddr as the app gives and gets it: family first, host order; ports and addresses in network order.
struct SocketAddress {
  alignas(8) uint8_t bytes[128] = {};  // struct sockaddr_storage
  uint32_t length = 0;                 // 0: no address
  int family() const { return length >= 2 ? bytes[0] | bytes[1] << 8 : kFamilyUnspecified; }
};

// Open files that go along with a message (SCM_RIGHTS); each is retained by whoever holds the list, which lets go of
// them with release_files().
inline constexpr size_t kMaximumPassedFiles = 253;  // Linux: SCM_MAX_FD
struct PassedFiles {
  OpenFile** files = nullptr;  // of the heap
  size_t count = 0;
};
void release_files(PassedFiles& passed);

// What a family tells beside the bytes (recvmsg(2)), each because the program asked for it with an option: IP_PKTINFO,
// IPV6_HOPLIMIT, SCM_CREDENTIALS…
struct ControlMessage {
  int level, type;
  uint32_t length;  // of the bytes that are filled in
  alignas(8) uint8_t bytes[40];
};

struct Credentials {  // struct ucred
  int32_t process;
  uint32_t user, group;
};
inline Credentials own_credentials() {
  return {static_cast<int32_t>(kProcessId), g_identity.user.effective, g_identity.group.effective};
}

struct SendRequest {
  int flags = 0;                                // kMessage…
  const SocketAddress* to = nullptr;            // null: the peer
  PassedFiles passed;                           // taken over when the call succeeds
  Credentials credentials = own_credentials();  // SCM_CREDENTIALS
  bool has_source = false;                      // IP_PKTINFO, IPV6_PKTINFO
  uint8_t source[16];                           // IPv6's form; IPv4 as ::ffff:a.b.c.d
};
struct ReceiveRequest {
  int flags = 0;  // kMessage…
  // Filled in:
  SocketAddress from;
  int result_flags = 0;       // kMessageTruncated
  size_t message_length = 0;  // of a datagram, whole (MSG_TRUNC)
  PassedFiles passed;         // given to the caller
  ControlMessage control[4];
  size_t control_count = 0;
};

// All wait, unless the file is non-blocking or the flags say kMessageDontWait (Again). They wait until
// receive_deadline() or send_deadline() (then Again; connect: InProgress), in wait_in_call(). Errors are the errno of
// the manual page of the call. A send or receive of a datagram gets the whole buffer of the call, one of a stream may
// get the program's bytes in parts.
class Socket : public OpenFile {
 public:
  Socket(int family, int type, int protocol, int flags)
      : OpenFile(flags | kOpenReadWrite), family_(family), type_(type), protocol_(protocol) {
    socket_summary_.family = static_cast<uint16_t>(family);
    socket_summary_.type = static_cast<uint8_t>(type);
    socket_summary_.protocol = static_cast<uint8_t>(protocol);
  }

  virtual Result<void> bind(const SocketAddress& address) = 0;
  virtual Result<void> connect(const SocketAddress& address) = 0;  // InProgress where it does not wait
  virtual Result<void> listen(int backlog) = 0;
  virtual Result<Socket*> accept(int flags, SocketAddress& peer) = 0;  // flags: kOpenNonBlock; of the new socket
  virtual Result<size_t> send(std::span<const uint8_t> bytes, const SendRequest& request) = 0;
  virtual Result<size_t> receive(std::span<uint8_t> to, ReceiveRequest& request) = 0;
  virtual Result<void> shutdown(int how) = 0;  // SHUT_RD 0, SHUT_WR 1, SHUT_RDWR 2
  virtual Result<SocketAddress> local_address() = 0;
  virtual Result<SocketAddress> peer_address() = 0;  // NotConnected
  // Values as in getsockopt(2); SO_TYPE, SO_DOMAIN, SO_PROTOCOL, SO_RCVTIMEO and SO_SNDTIMEO are the work of
  // socket_options.cpp, which has the others of SOL_SOCKET that are only kept too (KeptOptions).
  virtual Result<void> set_option(int level, int name, std::span<const uint8_t> value) = 0;
  virtual Result<size_t> get_option(int level, int name, std::span<uint8_t> value) = 0;  // bytes filled

  // ioctl(2) on it that is not every file's; `argument` is the app's. NotTerminal: there is no such request.
  virtual Result<uint64_t> control(uint32_t request, uint64_t user_argument) {
    return (void)request, (void)user_argument, Error::NotTerminal;
  }

  OpenFileKind kind() const override { return OpenFileKind::Socket; }
  Result<size_t> read(std::span<uint8_t> to) override {
    ReceiveRequest request;
    auto count = receive(to, request);
    release_files(request.passed);
    return count;
  }
  Result<size_t> write(std::span<const uint8_t> from) override { return send(from, {}); }

  int family() const { return family_; }
  int type() const { return type_; }
  int protocol() const { return protocol_; }
  bool waits(int message_flags) const { return is_blocking() && (message_flags & kMessageDontWait) == 0; }
  uint64_t receive_deadline() const { return deadline_after(receive_timeout_ns); }
  uint64_t send_deadline() const { return deadline_after(send_timeout_ns); }
  // A call's wait in which `queue` tells of news. Its error: Again at the deadline; after a signal as signal(7) says, a
  // call with a timeout is not made again after a handler.
  template <typename Condition>
  static Result<void> wait_in_call(WaitQueue& queue, Condition condition, uint64_t deadline) {
    switch (wait_on(queue, condition, deadline)) {
      case WaitResult::Done:
        return {};
      case WaitResult::Signal:
        return deadline == kNoDeadline ? Error::RestartSystem : Error::Interrupted;
      case WaitResult::Deadline:
        return Error::Again;
    }
    __builtin_unreachable();
  }

  uint64_t receive_timeout_ns = 0, send_timeout_ns = 0;  // SO_RCVTIMEO, SO_SNDTIMEO; 0: none

 protected:
  mortem::format::SocketSummary socket_summary_{};  // for readers from outside

 private:
  static uint64_t deadline_after(uint64_t timeout_ns) {
    return timeout_ns == 0 ? kNoDeadline : monotonic_ns() + timeout_ns;
  }
  int family_, type_, protocol_;
};

// One for each family: flags are kOpenNonBlock or 0. FamilyNotSupported: the guest has no such family.
Result<Socket*> make_unix_socket(int type, int protocol, int flags);
Result<Socket*> make_inet_socket(int family, int type, int protocol, int flags);
Result<Socket*> make_netlink_socket(int type, int protocol, int flags);

}  // namespace kernel::linux
