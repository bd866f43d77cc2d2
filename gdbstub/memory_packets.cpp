// m, M, x, X and what searches or sums memory. A read across the end of a mapping gives the mapped part.
#include "gdbstub/session.h"

namespace mortem::gdbstub {

namespace {

bool take_range(Arguments& arguments, uint64_t& address, uint64_t& length) {
  return arguments.hex(address) && arguments.hex_after(",", length);
}

void read_as_digits(Session& session, Arguments arguments) {
  uint64_t address, length;
  if (!take_range(arguments, address, length)) return session.error(ErrorNumber::Invalid);
  const std::span<uint8_t> staged = session.reply.stage(length, Reply::Encoding::Digits, 0);
  const size_t count = session.target.read_memory(address, staged);
  if (count == 0 && length > 0) return session.error(ErrorNumber::BadAddress);
  session.reply.hex_bytes(staged.first(count));
}

// gdb 16 has a 'b' before the bytes and is told so by "binary-upload+"; LLDB 19 has none and finds out that there is
// an `x` by a read of nothing, which it wants to see answered with OK.
void read_as_bytes(Session& session, Arguments arguments) {
  uint64_t address, length;
  if (!take_range(arguments, address, length)) return session.error(ErrorNumber::Invalid);
  if (length == 0) {
    session.client.bare_binary_reads = true;
    return session.ok();
  }
  const std::string_view prefix = session.client.bare_binary_reads ? "" : "b";
  const std::span<uint8_t> staged = session.reply.stage(length, Reply::Encoding::Binary, prefix.size());
  const size_t count = session.target.read_memory(address, staged);
  if (count == 0) return session.error(ErrorNumber::BadAddress);
  const size_t fitting = session.reply.binary_fitting(staged.first(count), prefix.size());
  session.reply.text(prefix);
  session.reply.binary(staged.first(fitting));
}

void write_from_digits(Session& session, Arguments arguments) {
  uint64_t address, length;
  if (!take_range(arguments, address, length) || !arguments.take(":") || arguments.rest().size() != 2 * length)
    return session.error(ErrorNumber::Invalid);
  const std::span<uint8_t> staged = session.reply.stage(length, Reply::Encoding::Binary, 0);
  if (staged.size() != length || !arguments.hex_bytes(staged)) return session.error(ErrorNumber::Invalid);
  if (session.target.write_memory(address, staged) != length) return session.error(ErrorNumber::BadAddress);
  session.ok();
}

void write_from_bytes(Session& session, Arguments arguments) {
  uint64_t address, length;
  if (!take_range(arguments, address, length) || !arguments.take(":") || arguments.rest().size() != length)
    return session.error(ErrorNumber::Invalid);
  const std::string_view data = arguments.rest();
  // Of no bytes: gdb asks whether there is an X.
  if (session.target.write_memory(address, {reinterpret_cast<const uint8_t*>(data.data()), data.size()}) != length)
    return session.error(ErrorNumber::BadAddress);
  session.ok();
}

// gdb's compare-sections: CRC-32 with the polynomial 0x04C11DB7, most significant bit first, begun with all ones.
void checksum(Session& session, Arguments arguments) {
  uint64_t address, length;
  if (!take_range(arguments, address, length)) return session.error(ErrorNumber::Invalid);
  uint32_t sum = ~0u;
  while (length > 0) {
    const std::span<uint8_t> staged = session.reply.stage(length, Reply::Encoding::Binary, 0);
    if (session.target.read_memory(address, staged) != staged.size()) return session.error(ErrorNumber::BadAddress);
    for (const uint8_t byte : staged) {
      sum ^= static_cast<uint32_t>(byte) << 24;
      for (int bit = 0; bit < 8; ++bit) sum = (sum & 0x80000000) != 0 ? sum << 1 ^ 0x04C11DB7 : sum << 1;
    }
    address += staged.size();
    length -= staged.size();
  }
  session.reply.text("C");
  session.reply.hex(sum);
}

constexpr PacketEntry kPackets[] = {{"m", read_as_digits, kGlued},
                                    {"x", read_as_bytes, kGlued},
                                    {"M", write_from_digits, kGlued},
                                    {"X", write_from_bytes, kGlued},
                                    {"qCRC", checksum}};

}  // namespace

std::span<const PacketEntry> memory_packets() {
  return kPackets;
}

}  // namespace mortem::gdbstub
