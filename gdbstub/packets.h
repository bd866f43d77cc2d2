// The packet layer, client to server (GDB manual, nodes "Overview" and "Packet Acknowledgment"): finds packets in a
// stream of bytes that may be cut anywhere.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace mortem::gdbstub {

// What qSupported says as PacketSize (in hexadecimal, as all its numbers are): the longest payload in either direction.
// 64 KiB of memory and what a packet needs around them fit in one binary packet, and in two of digits.
inline constexpr size_t kPacketSize = 0x12000;

enum class PacketEvent : uint8_t {
  None,          // more bytes are needed
  Packet,        // packet() is a whole one
  Damaged,       // the checksum was wrong
  TooLong,       // it was whole, but longer than kPacketSize; its bytes are lost
  Interrupt,     // 0x03 between packets
  Acknowledged,  // '+'
  Refused,       // '-': send the last packet again
};

class PacketDecoder {
 public:
  PacketEvent push(uint8_t byte);

  // The payload with escapes undone; good until the next push.
  std::string_view packet() const { return {buffer_.data(), length_}; }

  // Forgets a packet that was begun.
  void reset() { state_ = State::Between; }

 private:
  enum class State : uint8_t { Between, Payload, Escaped, FirstDigit, SecondDigit, Notification, NotificationEnd };

  void begin();
  void store(uint8_t byte);
  PacketEvent finish(uint8_t low_digit);

  State state_ = State::Between;
  bool too_long_ = false;
  uint8_t sum_ = 0;
  uint8_t digits_left_ = 0;
  int high_digit_ = 0;
  size_t length_ = 0;
  std::array<char, kPacketSize> buffer_;
};

}  // namespace mortem::gdbstub
