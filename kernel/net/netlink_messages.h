// Messages of rtnetlink(7): what is asked, and the answers about interfaces and their addresses.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace kernel::net {

struct NetlinkHeader {  // struct nlmsghdr
  uint32_t length;
  uint16_t type, flags;
  uint32_t sequence, port;
};
static_assert(sizeof(NetlinkHeader) == 16);

// Answers, one behind the other. What finds no room makes it `full`, and is not in it.
class NetlinkAnswer {
 public:
  explicit NetlinkAnswer(std::span<uint8_t> room) : room_(room) {}
  size_t size() const { return size_; }
  bool is_full() const { return full_; }

  // The whole answer to a message, whose header is inside of `message` and whose length is the span's.
  void answer(std::span<const uint8_t> message, uint32_t port);

 private:
  uint8_t* take(size_t size);
  void begin(uint16_t type, uint16_t flags, const NetlinkHeader& asked, uint32_t port);
  void end();
  void attribute(uint16_t type, const void* value, size_t size);
  void number(uint16_t type, uint32_t value) { attribute(type, &value, sizeof value); }
  void error(int number, const NetlinkHeader& asked, uint32_t port);
  void done(const NetlinkHeader& asked, uint32_t port);
  void link(int index, uint16_t flags, const NetlinkHeader& asked, uint32_t port);
  void addresses(int index, int family, const NetlinkHeader& asked, uint32_t port);
  void address(int index, int family, unsigned prefix, unsigned scope, const void* bytes, size_t size,
               const uint32_t* broadcast, const NetlinkHeader& asked, uint32_t port);

  std::span<uint8_t> room_;
  size_t size_ = 0, begin_ = 0;
  bool full_ = false;
};

}  // namespace kernel::net
