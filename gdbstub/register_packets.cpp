// g, G, p and P.
#include "gdbstub/session.h"

namespace mortem::gdbstub {

namespace {

// LLDB names the thread in the packet itself, after what all clients send.
ThreadId thread_in(Session& session, Arguments arguments) {
  if (!session.client.thread_suffix) return session.selected_thread();
  while (!arguments.done()) {
    ThreadSelector selector;
    if (arguments.take(";thread:") && arguments.thread(selector)) return session.thread_of(selector);
    arguments.skip(1);
  }
  return session.selected_thread();
}

void read_all(Session& session, Arguments arguments) {
  const ThreadId thread = thread_in(session, arguments);
  if (!session.load_registers(thread)) return session.error(ErrorNumber::NoThread);
  for (size_t number = 0; number < session.register_count(); ++number) session.write_register(number);
}

void read_one(Session& session, Arguments arguments) {
  uint64_t number;
  if (!arguments.hex(number) || number >= session.register_count()) return session.error(ErrorNumber::Invalid);
  if (!session.load_registers(thread_in(session, arguments))) return session.error(ErrorNumber::NoThread);
  session.write_register(number);
}

enum class Parts : uint8_t { General, Extended, Both };

void store(Session& session, ThreadId thread, Parts parts) {
  RegisterFile& registers = session.registers;
  if (parts != Parts::Extended && !session.target.write_registers(thread, registers.general))
    return session.error(ErrorNumber::Io);
  if (parts != Parts::General && registers.extended_size > 0 &&
      !session.target.write_extended_state(thread, {registers.extended.data(), registers.extended_size}))
    return session.error(ErrorNumber::Io);
  session.ok();
}

// Registers that are not known stand as "xx" in what gdb read, and so in what it writes back: these stay as they are.
bool take_register(Session& session, Arguments& arguments, size_t number) {
  std::array<uint8_t, kLargestRegister> value;
  const std::span<uint8_t> bytes(value.data(), kRegisterLayout[number].size);
  if (arguments.hex_bytes(bytes)) return session.registers.write(number, bytes);
  for (size_t count = 0; count < bytes.size(); ++count)
    if (!arguments.take("xx")) return false;
  return true;
}

void write_all(Session& session, Arguments arguments) {
  const ThreadId thread = thread_in(session, arguments);
  if (!session.load_registers(thread)) return session.error(ErrorNumber::NoThread);
  for (size_t number = 0; number < session.register_count(); ++number)
    if (!take_register(session, arguments, number)) return session.error(ErrorNumber::Invalid);
  store(session, thread, Parts::Both);
}

void write_one(Session& session, Arguments arguments) {
  uint64_t number;
  if (!arguments.hex(number) || !arguments.take("=") || number >= session.register_count())
    return session.error(ErrorNumber::Invalid);
  const ThreadId thread = thread_in(session, arguments);
  if (!session.load_registers(thread)) return session.error(ErrorNumber::NoThread);
  if (!take_register(session, arguments, number)) return session.error(ErrorNumber::Invalid);
  const bool general = kRegisterLayout[number].source == RegisterSource::General;
  store(session, thread, general ? Parts::General : Parts::Extended);
}

constexpr PacketEntry kPackets[] = {
    {"g", read_all, kGlued}, {"G", write_all, kGlued}, {"p", read_one, kGlued}, {"P", write_one, kGlued}};

}  // namespace

std::span<const PacketEntry> register_packets() {
  return kPackets;
}

}  // namespace mortem::gdbstub
