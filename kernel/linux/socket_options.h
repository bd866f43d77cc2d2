// Options of SOL_SOCKET (socket(7)): those that a family only keeps and answers, with Linux's rules for their values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernel/library/result.h"

namespace kernel::linux {

enum SocketOption : int {  // asm-generic/socket.h
  kOptionDebug = 1,
  kOptionReuseAddress = 2,
  kOptionType = 3,
  kOptionError = 4,
  kOptionDoNotRoute = 5,
  kOptionBroadcast = 6,
  kOptionSendBuffer = 7,
  kOptionReceiveBuffer = 8,
  kOptionKeepAlive = 9,
  kOptionOutOfBandInline = 10,
  kOptionNoCheck = 11,
  kOptionPriority = 12,
  kOptionLinger = 13,
  kOptionBsdCompatible = 14,
  kOptionReusePort = 15,
  kOptionPassCredentials = 16,
  kOptionPeerCredentials = 17,
  kOptionReceiveLowWater = 18,
  kOptionSendLowWater = 19,
  kOptionReceiveTimeout = 20,
  kOptionSendTimeout = 21,
  kOptionTimestamp = 29,
  kOptionAcceptsConnections = 30,
  kOptionSendBufferForce = 32,
  kOptionReceiveBufferForce = 33,
  kOptionPassSecurity = 34,
  kOptionTimestampNanoseconds = 35,
  kOptionMark = 36,
  kOptionProtocol = 38,
  kOptionDomain = 39,
  kOptionReceiveQueueOverflow = 40,
  kOptionReceiveTimeoutNew = 66,
  kOptionSendTimeoutNew = 67,
};

// An `int` of setsockopt; Invalid: too short.
Result<int32_t> option_number(std::span<const uint8_t> value);
// As much of it as the program's buffer holds.
size_t give_option(std::span<uint8_t> value, const void* from, size_t size);
inline size_t give_number(std::span<uint8_t> value, int32_t number) {
  return give_option(value, &number, sizeof number);
}

class KeptOptions {
 public:
  // NoProtocolOption: none of those that are only kept.
  Result<void> set(int name, std::span<const uint8_t> value);
  Result<size_t> get(int name, std::span<uint8_t> value) const;

  bool is_on(SocketOption flag) const { return (flags_ >> flag & 1) != 0; }
  int32_t send_buffer = 212992, receive_buffer = 212992;  // bytes; Linux: net.core.wmem_default, rmem_default
  int32_t linger_on = 0, linger_seconds = 0;
  int32_t receive_low_water = 1;

 private:
  uint64_t flags_ = 0;  // bit n: option n
  int32_t priority_ = 0, mark_ = 0;
};

}  // namespace kernel::linux
