#include "kernel/linux/socket_address.h"

#include "kernel/arch/x86_64/user_access.h"

namespace kernel::linux {

Result<SocketAddress> read_user_address(uint64_t address, int length) {
  SocketAddress out;
  if (length < 0 || static_cast<size_t>(length) > sizeof out.bytes) return Error::Invalid;
  TRY(copy_from_user(out.bytes, address, static_cast<size_t>(length)));
  out.length = static_cast<uint32_t>(length);
  return out;
}

Result<void> write_user_address(const SocketAddress& address, uint64_t user_address, uint64_t user_length) {
  const auto room = TRY(read_user<int32_t>(user_length));
  if (room < 0) return Error::Invalid;
  const size_t count = static_cast<uint32_t>(room) < address.length ? static_cast<uint32_t>(room) : address.length;
  TRY(copy_to_user(user_address, address.bytes, count));
  return write_user(user_length, static_cast<int32_t>(address.length));
}

}  // namespace kernel::linux
