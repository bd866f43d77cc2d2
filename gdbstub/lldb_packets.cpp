// What only LLDB asks (LLDB documentation, "GDB Remote Protocol Extensions").
#include "gdbstub/program_image.h"
#include "gdbstub/session.h"
#include "gdbstub/signals.h"

namespace mortem::gdbstub {

namespace {

// LLDB takes a vendor "pc" for its own machine, and then believes the process id to be one of its own /proc: the
// program would be some other. "unknown" makes it a remote Linux, and LLDB wants to be told the program's file.
std::string_view triple(const Description& description) {
  return description.process_of_client_machine ? "x86_64-pc-linux-gnu" : "x86_64-unknown-linux-gnu";
}

std::array<char, 2> digits_of(uint8_t byte) {
  return {"0123456789abcdef"[byte >> 4], "0123456789abcdef"[byte & 15]};
}

void host_information(Session& session, Arguments) {
  session.reply.text("triple:");
  session.reply.hex_text(triple(session.target.description()));
  // x86 reports a watchpoint when the access is done (Intel SDM vol. 3, 17.3.1.2).
  session.reply.text(";ptrsize:8;endian:little;watchpoint_exceptions_received:after;");
}

void process_information(Session& session, Arguments) {
  const Description description = session.target.description();
  session.reply.text("pid:");
  session.reply.hex(description.process);
  session.reply.text(";parent-pid:");
  session.reply.hex(description.parent);
  session.reply.text(";triple:");
  session.reply.hex_text(triple(description));
  session.reply.text(";ostype:linux;endian:little;ptrsize:8;");
  if (description.name.empty()) return;
  session.reply.text("name:");
  session.reply.hex_text(description.name);
  session.reply.text(";");
}

// Which file on this machine a module is. The build id is text in digits, and that in digits again.
void module_file(Session& session, Arguments arguments) {
  const Description description = session.target.description();
  if (!description.local_files) return;
  std::string_view path;
  LocalFile file;
  if (!arguments.hex_text(session.text, path)) return session.error(ErrorNumber::Invalid);
  if (!session.target.local_file(path, file)) return session.error(ErrorNumber::Io);
  Reply& reply = session.reply;
  if (!file.build_id.empty()) {
    reply.text("uuid:");
    for (const uint8_t byte : file.build_id) reply.hex_text({digits_of(byte).data(), 2});
    reply.text(";");
  }
  reply.text("triple:");
  reply.hex_text(triple(description));
  reply.text(";file_offset:0;file_size:");
  reply.hex(file.size);
  reply.text(";file_path:");
  reply.hex_text(file.path);
  reply.text(";");
}

void memory_region(Session& session, Arguments arguments) {
  uint64_t address;
  if (!session.target.description().memory_regions) return;
  if (!arguments.hex(address)) return session.error(ErrorNumber::Invalid);
  MemoryRegion region;
  if (!session.target.memory_region(address, region)) return session.error(ErrorNumber::BadAddress);
  Reply& reply = session.reply;
  reply.text("start:");
  reply.hex(region.start);
  reply.text(";size:");
  reply.hex(region.size);
  reply.text(";");
  if (!region.mapped) return;  // no permissions: nothing is there
  reply.text("permissions:");
  if (region.readable) reply.text("r");
  if (region.writable) reply.text("w");
  if (region.executable) reply.text("x");
  reply.text(";flags:;");
  size_t length = 0;
  while (length < sizeof region.name && region.name[length] != 0) ++length;
  if (length == 0) return;
  reply.text("name:");
  reply.hex_text({region.name, length});
  reply.text(";");
}

// Where the address of r_debug is written. LLDB 19 takes main-lm of the library list for it if it gets no answer,
// follows the wrong pointer, and sees no library.
void library_list_pointer(Session& session, Arguments) {
  if (!session.target.description().auxiliary_vector) return;
  const uint64_t pointer = link_map_list_pointer(session.target);
  if (pointer == 0) return session.error(ErrorNumber::BadAddress);
  session.reply.hex(pointer);
}

void watchpoint_support(Session& session, Arguments) {
  const Description description = session.target.description();
  if (!description.hardware_watchpoints) return;
  session.reply.text("num:");
  session.reply.decimal(description.watchpoint_count);
  session.reply.text(";");
}

void stop_of_thread(Session& session, Arguments arguments) {
  ThreadSelector selector;
  if (!arguments.thread(selector)) return session.error(ErrorNumber::Invalid);
  const ThreadId thread = session.thread_of(selector);
  if (thread == 0) return session.error(ErrorNumber::NoThread);
  if (thread == session.stopped_thread()) return write_stop_reply(session, session.stop);
  session.reply.text("T00thread:");
  session.write_thread(thread);
  session.reply.text(";");
}

// JSON stands in the reply escaped: its closing braces are the protocol's escape character.
class Json {
 public:
  explicit Json(Reply& reply) : reply_(reply) { reply.open_window(0, kPacketSize); }

  void raw(std::string_view text) { reply_.window_text(text); }
  void number(uint64_t value) { reply_.window_decimal(value); }
  void string(std::string_view text) {
    raw("\"");
    for (const char& character : text) {
      const uint8_t byte = static_cast<uint8_t>(character);
      if (byte == '"' || byte == '\\') raw("\\");
      // A name is bytes, JSON is UTF-8.
      raw(byte < 0x20 || byte >= 0x7F ? std::string_view("?") : std::string_view(&character, 1));
    }
    raw("\"");
  }

 private:
  Reply& reply_;
};

void write_json_registers(Session& session, Json& json, ThreadId thread) {
  if (!session.load_registers(thread)) return;
  json.raw(",\"registers\":{");
  bool first = true;
  for (const size_t number : {kFramePointerNumber, kStackPointerNumber, kProgramCounterNumber}) {
    if (!first) json.raw(",");
    first = false;
    json.raw("\"");
    json.number(number);
    json.raw("\":\"");
    std::array<uint8_t, 8> value;
    if (session.registers.read(number, value)) {
      for (const uint8_t byte : value) json.raw({digits_of(byte).data(), 2});
    }
    json.raw("\"");
  }
  json.raw("}");
}

void threads_information(Session& session, Arguments) {
  if (session.running) return session.error(ErrorNumber::NotPermitted);
  Target& target = session.target;
  Json json(session.reply);
  const ThreadId stopped = session.stopped_thread();
  json.raw("[");
  for (ThreadId thread = target.next_thread(0), first = thread; thread != 0; thread = target.next_thread(thread)) {
    json.raw(thread == first ? "{\"tid\":" : ",{\"tid\":");
    json.number(thread);
    if (const size_t length = target.thread_name(thread, session.text); length > 0) {
      json.raw(",\"name\":");
      json.string({session.text.data(), length});
    }
    if (thread == stopped) {
      const int signal = session.stop.kind == StopKind::Signal ? session.stop.signal : kLinuxSignalTrap;
      json.raw(",\"signal\":");
      json.number(static_cast<uint64_t>(session.client_signal(signal)));
      json.raw(",\"reason\":");
      json.string(lldb_stop_reason(session.stop.kind));
    }
    write_json_registers(session, json, thread);
    json.raw("}");
  }
  json.raw("]");
  // Half of it would be no JSON. Without it LLDB asks thread by thread.
  if (session.reply.window_has_more()) session.reply.clear();
}

constexpr PacketEntry kPackets[] = {
    {"QThreadSuffixSupported",
     [](Session& session, Arguments) {
       session.client.thread_suffix = true;
       session.ok();
     }},
    {"QListThreadsInStopReply",
     [](Session& session, Arguments) {
       session.client.threads_in_stop_reply = true;
       session.ok();
     }},
    {"qHostInfo", host_information},
    {"qProcessInfo", process_information},
    {"qModuleInfo", module_file},
    {"qMemoryRegionInfo", memory_region},
    {"qWatchpointSupportInfo", watchpoint_support},
    {"qShlibInfoAddr", library_list_pointer},
    {"qThreadStopInfo", stop_of_thread, kGlued},
    {"jThreadsInfo", threads_information},
};

}  // namespace

std::span<const PacketEntry> lldb_packets() {
  return kPackets;
}

}  // namespace mortem::gdbstub
