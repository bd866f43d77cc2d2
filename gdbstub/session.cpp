#include "gdbstub/session.h"

#include "gdbstub/signals.h"

namespace mortem::gdbstub {

int Session::client_signal(int linux_number) const {
  return client.thread_suffix ? linux_number : protocol_signal(linux_number);
}

int Session::target_signal(int client_number) const {
  if (!client.thread_suffix) return linux_signal(client_number);
  return client_number >= 1 && client_number <= kLastLinuxSignal ? client_number : 0;
}

void Session::error(ErrorNumber number) {
  reply.clear();
  reply.text("E");
  const uint8_t value = static_cast<uint8_t>(number);
  reply.hex_bytes({&value, 1});
}

void Session::error(std::string_view sentence) {
  reply.clear();
  reply.text("E.");
  reply.text(sentence);
}

void Session::write_thread(ThreadId thread) {
  if (client.multiprocess) {
    reply.text("p");
    reply.hex(target.description().process);
    reply.text(".");
  }
  reply.hex(thread);
}

bool Session::thread_exists(ThreadId wanted) {
  for (ThreadId thread = target.next_thread(0); thread != 0; thread = target.next_thread(thread))
    if (thread == wanted) return true;
  return false;
}

bool Session::names_this_process(uint32_t process) {
  return process == 0 || process == kAllOfThem || process == target.description().process;
}

ThreadId Session::stopped_thread() {
  return stop.thread != 0 && thread_exists(stop.thread) ? stop.thread : target.next_thread(0);
}

ThreadId Session::thread_of(const ThreadSelector& selector) {
  if (!names_this_process(selector.process)) return 0;
  if (selector.thread == 0 || selector.thread == kAllOfThem) return stopped_thread();
  return thread_exists(selector.thread) ? selector.thread : 0;
}

ThreadId Session::selected_thread() {
  return thread_of(register_thread);
}

bool Session::load_registers(ThreadId thread) {
  registers.general_known = thread != 0 && target.read_registers(thread, registers.general);
  registers.extended_size = registers.general_known ? target.read_extended_state(thread, registers.extended) : 0;
  if (registers.extended_size > registers.extended.size()) registers.extended_size = registers.extended.size();
  const Description description = target.description();
  registers.has_avx = (description.xcr0 & 4) != 0;
  registers.avx_offset = description.avx_offset;
  // An area that cannot hold its own header or the component it claims is no XSAVE area.
  if (registers.has_avx && (registers.extended_size <= 512 || registers.avx_offset < 576 ||
                            registers.avx_offset > registers.extended.size() - 256))
    registers.has_avx = false;
  return registers.general_known;
}

size_t Session::register_count() {
  return (target.description().xcr0 & 4) != 0 ? kRegisterCount : kFirstAvxRegister;
}

void Session::write_register(size_t number) {
  std::array<uint8_t, kLargestRegister> value;
  const std::span<uint8_t> bytes(value.data(), kRegisterLayout[number].size);
  if (registers.read(number, bytes))
    reply.hex_bytes(bytes);
  else
    for (size_t count = 0; count < bytes.size(); ++count) reply.text("xx");
}

}  // namespace mortem::gdbstub
