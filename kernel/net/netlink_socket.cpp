// AF_NETLINK sockets of NETLINK_ROUTE (netlink(7)), as far as programs list interfaces and addresses by them.
#include "kernel/linux/socket.h"
#include "kernel/linux/socket_options.h"
#include "kernel/memory/heap.h"
#include "kernel/net/interfaces.h"
#include "kernel/net/netlink_messages.h"
#include "kernel/net/network.h"

namespace kernel::net {
namespace {

using namespace kernel::linux;

constexpr size_t kMostOfOne = 8192, kMostWaiting = 16;  // of answers, bytes and how many

struct NetlinkAddress {  // struct sockaddr_nl
  uint16_t family, padding;
  uint32_t port, groups;
};
static_assert(sizeof(NetlinkAddress) == 12);

struct Waiting {
  size_t size;
  Waiting* next;
  uint8_t bytes[kMostOfOne];
};

bool g_process_port_is_taken = false;
uint32_t g_next_port = 0xFFFFF000;
uint64_t g_next_netlink_number = 1;

class NetlinkSocket final : public Socket {
 public:
  NetlinkSocket(int type, int flags) : Socket(kFamilyNetlink, type, 0, flags), number_(g_next_netlink_number++) {
    socket_summary_.number = number_;
    describe_socket("socket:[netlink]", socket_summary_);
  }
  ~NetlinkSocket() override {
    if (port_ == kProcessId) g_process_port_is_taken = false;
    while (first_ != nullptr) drop_first();
  }

  Result<void> bind(const SocketAddress& address) override {
    const NetlinkAddress wanted = TRY(parse(address));
    if (port_ != 0 && wanted.port != port_) return Error::Invalid;
    groups_ = wanted.groups;
    if (port_ == 0 && wanted.port != 0)
      take_port(wanted.port);
    else
      need_port();
    return {};
  }
  Result<void> connect(const SocketAddress& address) override {
    TRY(parse(address));
    need_port();
    return {};
  }
  Result<void> listen(int) override { return Error::NotSupported; }
  Result<Socket*> accept(int, SocketAddress&) override { return Error::NotSupported; }
  Result<void> shutdown(int) override { return Error::NotSupported; }

  Result<size_t> send(std::span<const uint8_t> bytes, const SendRequest& request) override {
    if ((request.flags & kMessageOutOfBand) != 0) return Error::NotSupported;
    if (request.to != nullptr && TRY(parse(*request.to)).port != 0) return Error::ConnectionRefused;  // nobody is there
    need_port();
    const NetworkScope scope;
    size_t at = 0;
    while (bytes.size() - at >= sizeof(NetlinkHeader)) {
      NetlinkHeader header;
      __builtin_memcpy(&header, bytes.data() + at, sizeof header);
      if (header.length < sizeof header || header.length > bytes.size() - at) break;  // as Linux: the rest is nothing
      TRY(answer(bytes.subspan(at, header.length)));
      const size_t whole = (size_t{header.length} + 3) & ~size_t{3};
      if (whole >= bytes.size() - at) break;
      at += whole;
    }
    return bytes.size();
  }

  Result<size_t> receive(std::span<uint8_t> to, ReceiveRequest& request) override {
    if ((request.flags & kMessageOutOfBand) != 0) return Error::NotSupported;
    const uint64_t deadline = receive_deadline();
    while (first_ == nullptr) {
      if (!waits(request.flags)) return Error::Again;
      TRY(wait_in_call(
          waiters_, [this] { return first_ != nullptr; }, deadline));
    }
    const size_t whole = first_->size, count = whole < to.size() ? whole : to.size();
    __builtin_memcpy(to.data(), first_->bytes, count);
    request.message_length = whole;
    if (count < whole) request.result_flags |= kMessageTruncated;
    request.from = address_of(0);
    if ((request.flags & kMessagePeek) == 0) drop_first();
    return count;
  }

  Result<SocketAddress> local_address() override { return address_of(port_, groups_); }
  Result<SocketAddress> peer_address() override { return address_of(0); }
  Result<void> set_option(int level, int name, std::span<const uint8_t> value) override {
    if (level == kLevelSocket) return options_.set(name, value);
    constexpr int kLevelNetlink = 270, kHighestOption = 12;  // SOL_NETLINK: nothing here depends on them
    if (level != kLevelNetlink || name < 1 || name > kHighestOption) return Error::NoProtocolOption;
    return {};
  }
  Result<size_t> get_option(int level, int name, std::span<uint8_t> value) override {
    if (level != kLevelSocket) return Error::NoProtocolOption;
    if (name == kOptionError) return give_number(value, 0);
    return options_.get(name, value);
  }
  Result<InodeStatus> status() override {
    InodeStatus status{};
    status.device = 8;
    status.inode = number_;
    status.type = FileType::Socket;
    status.permissions = 0777;
    status.links = 1;
    return status;
  }
  Result<uint64_t> control(uint32_t request, uint64_t user_argument) override {
    return interface_control(request, user_argument);
  }
  uint16_t poll_events() override { return static_cast<uint16_t>(kPollOut | (first_ != nullptr ? kPollIn : 0)); }
  WaitQueue* wait_queue() override { return &waiters_; }
  const char* path() const override { return "socket:[netlink]"; }

 private:
  static Result<NetlinkAddress> parse(const SocketAddress& address) {
    NetlinkAddress parsed;
    if (address.length < sizeof parsed) return Error::Invalid;
    __builtin_memcpy(&parsed, address.bytes, sizeof parsed);
    if (parsed.family != kFamilyNetlink) return Error::Invalid;
    return parsed;
  }
  static SocketAddress address_of(uint32_t port, uint32_t groups = 0) {
    SocketAddress address;
    const NetlinkAddress own{kFamilyNetlink, 0, port, groups};
    __builtin_memcpy(address.bytes, &own, sizeof own);
    address.length = sizeof own;
    return address;
  }
  void take_port(uint32_t port) {
    port_ = port;
    if (port == kProcessId) g_process_port_is_taken = true;
  }
  void need_port() {
    if (port_ == 0) take_port(g_process_port_is_taken ? g_next_port++ : static_cast<uint32_t>(kProcessId));
  }
  void drop_first() {
    Waiting* gone = first_;
    first_ = gone->next;
    if (first_ == nullptr) last_ = nullptr;
    --count_;
    destroy(gone);
  }
  Result<void> answer(std::span<const uint8_t> message) {
    if (count_ == kMostWaiting) return Error::NoBuffers;
    auto* waiting = TRY(make<Waiting>());
    NetlinkAnswer made({waiting->bytes, kMostOfOne});
    made.answer(message, port_);
    if (made.size() == 0 || made.is_full()) {
      destroy(waiting);
      return made.is_full() ? Result<void>(Error::NoBuffers) : Result<void>();
    }
    waiting->size = made.size();
    (last_ != nullptr ? last_->next : first_) = waiting;
    last_ = waiting;
    ++count_;
    waiters_.notify_all(kPollIn);
    return {};
  }

  KeptOptions options_;
  WaitQueue waiters_;
  Waiting *first_ = nullptr, *last_ = nullptr;
  size_t count_ = 0;
  uint32_t port_ = 0, groups_ = 0;  // 0: not bound
  uint64_t number_;
};

}  // namespace
}  // namespace kernel::net

namespace kernel::linux {

Result<Socket*> make_netlink_socket(int type, int protocol, int flags) {
  constexpr int kRoute = 0;
  if (type != kSocketRaw && type != kSocketDatagram) return Error::SocketTypeNotSupported;
  if (protocol != kRoute) return Error::ProtocolNotSupported;
  return static_cast<Socket*>(TRY(make<net::NetlinkSocket>(type, flags)));
}

}  // namespace kernel::linux
