#include "gdbstub/packets.h"

#include "gdbstub/arguments.h"

namespace mortem::gdbstub {

void PacketDecoder::begin() {
  state_ = State::Payload;
  too_long_ = false;
  sum_ = 0;
  length_ = 0;
}

void PacketDecoder::store(uint8_t byte) {
  if (length_ < buffer_.size())
    buffer_[length_++] = static_cast<char>(byte);
  else
    too_long_ = true;
}

PacketEvent PacketDecoder::finish(uint8_t low_digit) {
  state_ = State::Between;
  const int low = hex_digit(static_cast<char>(low_digit));
  if (high_digit_ < 0 || low < 0 || (high_digit_ << 4 | low) != sum_) return PacketEvent::Damaged;
  return too_long_ ? PacketEvent::TooLong : PacketEvent::Packet;
}

// '$' and '#' never stand in a payload unescaped. So '$' always begins a packet (the client before may have vanished in
// the middle of one), and '#' always ends it.
PacketEvent PacketDecoder::push(uint8_t byte) {
  switch (state_) {
    case State::Between:
      if (byte == '$') begin();
      if (byte == '%') state_ = State::Notification;
      if (byte == 0x03) return PacketEvent::Interrupt;
      if (byte == '+') return PacketEvent::Acknowledged;
      if (byte == '-') return PacketEvent::Refused;
      return PacketEvent::None;

    case State::Payload:
    case State::Escaped:
      if (byte == '$') {
        begin();
        return PacketEvent::None;
      }
      if (byte == '#') {
        state_ = State::FirstDigit;
        return PacketEvent::None;
      }
      sum_ = static_cast<uint8_t>(sum_ + byte);
      if (state_ == State::Escaped) {
        store(byte ^ 0x20);
        state_ = State::Payload;
      } else if (byte == '}') {
        state_ = State::Escaped;
      } else {
        store(byte);
      }
      return PacketEvent::None;

    case State::FirstDigit:
      if (byte == '$') {
        begin();
        return PacketEvent::None;
      }
      high_digit_ = hex_digit(static_cast<char>(byte));
      state_ = State::SecondDigit;
      return PacketEvent::None;

    case State::SecondDigit:
      if (byte == '$') {
        begin();
        return PacketEvent::None;
      }
      return finish(byte);

    case State::Notification:  // clients send none; one is passed over with its checksum
      if (byte == '$') begin();
      if (byte == '#') state_ = State::NotificationEnd, digits_left_ = 2;
      return PacketEvent::None;

    case State::NotificationEnd:
      if (byte == '$')
        begin();
      else if (--digits_left_ == 0)
        state_ = State::Between;
      return PacketEvent::None;
  }
  return PacketEvent::None;
}

}  // namespace mortem::gdbstub
