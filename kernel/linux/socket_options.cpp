#include "kernel/linux/socket_options.h"

#include "kernel/linux/calls.h"
#include "kernel/linux/socket_transfer.h"

namespace kernel::linux {
namespace {

constexpr uint64_t bit(SocketOption option) {
  return uint64_t{1} << option;
}
constexpr uint64_t kFlags = bit(kOptionDebug) | bit(kOptionReuseAddress) | bit(kOptionDoNotRoute) |
                            bit(kOptionBroadcast) | bit(kOptionKeepAlive) | bit(kOptionOutOfBandInline) |
                            bit(kOptionNoCheck) | bit(kOptionReusePort) | bit(kOptionPassCredentials) |
                            bit(kOptionTimestamp) | bit(kOptionPassSecurity) | bit(kOptionTimestampNanoseconds) |
                            bit(kOptionReceiveQueueOverflow);

bool is_flag(int name) {
  return name > 0 && name < 64 && (kFlags >> name & 1) != 0;
}

// The kernel's own share comes on top (socket(7)): what is read is twice what was set.
int32_t buffer_size(int32_t wanted, bool is_forced, int32_t least) {
  constexpr int32_t kMost = 212992;  // net.core.wmem_max, rmem_max
  if (!is_forced && (wanted > kMost || wanted < 0)) wanted = kMost;
  if (wanted < 0) wanted = 0;
  const int32_t doubled = wanted > INT32_MAX / 2 ? INT32_MAX / 2 * 2 : wanted * 2;
  return doubled < least ? least : doubled;
}

constexpr int32_t kLeastSendBuffer = 4608, kLeastReceiveBuffer = 2304;  // Linux: SOCK_MIN_SNDBUF, SOCK_MIN_RCVBUF

struct LingerValue {  // struct linger
  int32_t on, seconds;
};

}  // namespace

Result<int32_t> option_number(std::span<const uint8_t> value) {
  int32_t number;
  if (value.size() < sizeof number) return Error::Invalid;
  __builtin_memcpy(&number, value.data(), sizeof number);
  return number;
}

size_t give_option(std::span<uint8_t> value, const void* from, size_t size) {
  const size_t count = size < value.size() ? size : value.size();
  __builtin_memcpy(value.data(), from, count);
  return count;
}

Result<void> KeptOptions::set(int name, std::span<const uint8_t> value) {
  const int32_t number = TRY(option_number(value));
  if (is_flag(name)) {
    const uint64_t mask = uint64_t{1} << name;
    flags_ = number != 0 ? flags_ | mask : flags_ & ~mask;
    return {};
  }
  switch (name) {
    case kOptionSendBuffer:
    case kOptionSendBufferForce:
      send_buffer = buffer_size(number, name == kOptionSendBufferForce, kLeastSendBuffer);
      return {};
    case kOptionReceiveBuffer:
    case kOptionReceiveBufferForce:
      receive_buffer = buffer_size(number, name == kOptionReceiveBufferForce, kLeastReceiveBuffer);
      return {};
    case kOptionPriority:
      priority_ = number;
      return {};
    case kOptionMark:
      mark_ = number;
      return {};
    case kOptionReceiveLowWater:
      receive_low_water = number < 0 ? INT32_MAX : number == 0 ? 1 : number;
      return {};
    case kOptionBsdCompatible:
      return {};
    case kOptionLinger: {
      LingerValue linger;
      if (value.size() < sizeof linger) return Error::Invalid;
      __builtin_memcpy(&linger, value.data(), sizeof linger);
      linger_on = linger.on != 0 ? 1 : 0;
      if (linger.on != 0) linger_seconds = linger.seconds;
      return {};
    }
    default:
      return Error::NoProtocolOption;
  }
}

Result<size_t> KeptOptions::get(int name, std::span<uint8_t> value) const {
  if (is_flag(name)) return give_number(value, static_cast<int32_t>(flags_ >> name & 1));
  switch (name) {
    case kOptionSendBuffer:
      return give_number(value, send_buffer);
    case kOptionReceiveBuffer:
      return give_number(value, receive_buffer);
    case kOptionPriority:
      return give_number(value, priority_);
    case kOptionMark:
      return give_number(value, mark_);
    case kOptionReceiveLowWater:
      return give_number(value, receive_low_water);
    case kOptionSendLowWater:
      return give_number(value, 1);
    case kOptionBsdCompatible:
      return give_number(value, 0);
    case kOptionLinger: {
      const LingerValue linger{linger_on, linger_seconds};
      return give_option(value, &linger, sizeof linger);
    }
    default:
      return Error::NoProtocolOption;
  }
}

namespace {

constexpr size_t kLongestValue = 512;  // no option here is longer
constexpr uint64_t kSecond = 1'000'000'000;

Result<void> set_timeout(uint64_t& timeout_ns, std::span<const uint8_t> value) {
  TimeValue time;
  if (value.size() < sizeof time) return Error::Invalid;
  __builtin_memcpy(&time, value.data(), sizeof time);
  if (time.microseconds < 0 || time.microseconds >= 1'000'000) return Error::Domain;
  constexpr int64_t kLongest = int64_t{1} << 31;
  const auto seconds = static_cast<uint64_t>(time.seconds > kLongest ? kLongest : time.seconds);
  timeout_ns = seconds * kSecond + static_cast<uint64_t>(time.microseconds) * 1000;
  if (time.seconds < 0) timeout_ns = 1;  // as Linux: a time that is over, not none
  return {};
}

size_t give_timeout(uint64_t timeout_ns, std::span<uint8_t> value) {
  const TimeValue time{static_cast<int64_t>(timeout_ns / kSecond), static_cast<int64_t>(timeout_ns % kSecond / 1000)};
  return give_option(value, &time, sizeof time);
}

Result<void> set_option(Socket& socket, int level, int name, std::span<const uint8_t> value) {
  if (level != kLevelSocket) return socket.set_option(level, name, value);
  TRY(option_number(value));
  switch (name) {
    case kOptionType:
    case kOptionDomain:
    case kOptionProtocol:
    case kOptionError:
    case kOptionAcceptsConnections:
      return Error::NoProtocolOption;
    case kOptionReceiveTimeout:
    case kOptionReceiveTimeoutNew:
      return set_timeout(socket.receive_timeout_ns, value);
    case kOptionSendTimeout:
    case kOptionSendTimeoutNew:
      return set_timeout(socket.send_timeout_ns, value);
    default:
      return socket.set_option(level, name, value);
  }
}

Result<size_t> get_option(Socket& socket, int level, int name, std::span<uint8_t> value) {
  if (level != kLevelSocket) return socket.get_option(level, name, value);
  switch (name) {
    case kOptionType:
      return give_number(value, socket.type());
    case kOptionDomain:
      return give_number(value, socket.family());
    case kOptionProtocol:
      return give_number(value, socket.protocol());
    case kOptionReceiveTimeout:
    case kOptionReceiveTimeoutNew:
      return give_timeout(socket.receive_timeout_ns, value);
    case kOptionSendTimeout:
    case kOptionSendTimeoutNew:
      return give_timeout(socket.send_timeout_ns, value);
    default:
      return socket.get_option(level, name, value);
  }
}

}  // namespace

MORTEM_CALL(setsockopt) {
  uint8_t value[kLongestValue] = {};
  const int length = argument.number(4);
  if (length < 0) return Error::Invalid;
  Socket* socket = TRY(open_socket(argument.number(0)));
  const size_t count = static_cast<size_t>(length) < kLongestValue ? static_cast<size_t>(length) : kLongestValue;
  TRY(copy_from_user(value, argument[3], count));
  TRY(set_option(*socket, argument.number(1), argument.number(2), {value, count}));
  return 0;
}

MORTEM_CALL(getsockopt) {
  uint8_t value[kLongestValue] = {};
  Socket* socket = TRY(open_socket(argument.number(0)));
  const auto room = TRY(read_user<int32_t>(argument[4]));
  if (room < 0) return Error::Invalid;
  const size_t most = static_cast<size_t>(room) < kLongestValue ? static_cast<size_t>(room) : kLongestValue;
  const size_t count = TRY(get_option(*socket, argument.number(1), argument.number(2), {value, most}));
  TRY(copy_to_user(argument[3], value, count));
  TRY(write_user(argument[4], static_cast<int32_t>(count)));
  return 0;
}

}  // namespace kernel::linux
