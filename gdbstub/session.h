// What the packet families share: the target, the reply that is being written, and what this client has said about
// itself. Inside the library only.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "gdbstub/arguments.h"
#include "gdbstub/register_file.h"
#include "gdbstub/reply.h"
#include "gdbstub/target.h"

namespace mortem::gdbstub {

// Reset for each client.
struct ClientFeatures {
  bool multiprocess = false;
  bool software_breakpoint_reason = false;
  bool hardware_breakpoint_reason = false;
  bool exec_events = false;
  bool thread_events = false;
  bool thread_suffix = false;          // LLDB: ";thread:ID;" after register packets
  uint32_t library_lists = 0;          // that were asked for
  bool threads_in_stop_reply = false;  // LLDB
  bool bare_binary_reads = false;      // LLDB: the answer to `x` has no 'b' before it
};

enum class Ending : uint8_t { None, Exited, Detached };

// E numbers are errno's where there is one.
enum class ErrorNumber : uint8_t {
  NotPermitted = 1,
  NoThread = 3,
  Io = 5,
  BadAddress = 14,
  Invalid = 22,
  TooLong = 90,
  Damaged = 74,
};

struct Session {
  explicit Session(Target& the_target) : target(the_target) {}

  Target& target;
  Reply reply;
  bool no_reply = false;  // the packet has none, or it comes with the next stop

  ClientFeatures client;
  ThreadSelector register_thread;  // Hg
  ThreadSelector resume_thread;    // Hc
  ThreadId listed_thread = 0;      // the last that qfThreadInfo and qsThreadInfo have named
  bool acknowledges = true;        // until QStartNoAckMode
  // Where glibc has the module number in its link_map (thread_local_storage.cpp); 0: not known.
  uint64_t module_number_offset = 0;

  bool running = false;
  bool client_waits = false;  // for a stop reply
  bool stop_asked_by_server = false;
  Ending ending = Ending::None;
  Stop stop;

  RegisterFile registers;             // scratch
  std::array<char, 4096> text;        // scratch: paths, names, commands
  std::array<uint64_t, 512> numbers;  // scratch: system calls

  // Signals as this client counts them. LLDB takes a server that knows QThreadSuffixSupported for its own, and that one
  // has its system's numbers.
  int client_signal(int linux_number) const;
  int target_signal(int client_number) const;

  void error(ErrorNumber number);
  // With a sentence for people (GDB manual, node "Standard Replies"), which has no '#', '$', '}' and '*'. To LLDB that
  // would be no error.
  void error(std::string_view sentence);
  void ok() { reply.text("OK"); }

  // "p1.2a" or "2a", as the client has it.
  void write_thread(ThreadId thread);
  // `register_thread`, or the thread that stopped; 0: there is none.
  ThreadId selected_thread();
  ThreadId thread_of(const ThreadSelector& selector);
  ThreadId stopped_thread();
  bool thread_exists(ThreadId thread);
  bool names_this_process(uint32_t process);

  // Into `registers`.
  bool load_registers(ThreadId thread);
  // The value of one, as two digits a byte, "xx" for what is not known.
  void write_register(size_t number);
  size_t register_count();
};

// A packet: its name, and what answers it. An answer that writes nothing says "not supported".
struct PacketEntry {
  std::string_view name;
  void (*answer)(Session&, Arguments);
  enum class End : uint8_t {
    Separated,  // the name ends at the packet's end or at one of ":;," which is taken away
    Glued,      // arguments follow at once
  } end = End::Separated;
};
inline constexpr PacketEntry::End kGlued = PacketEntry::End::Glued;

// One a family, each in the file of that name.
std::span<const PacketEntry> query_packets();
std::span<const PacketEntry> transfer_packets();
std::span<const PacketEntry> register_packets();
std::span<const PacketEntry> memory_packets();
std::span<const PacketEntry> breakpoint_packets();
std::span<const PacketEntry> resume_packets();
std::span<const PacketEntry> thread_packets();
std::span<const PacketEntry> file_packets();
std::span<const PacketEntry> lldb_packets();
std::span<const PacketEntry> event_packets();
std::span<const PacketEntry> thread_local_storage_packets();

// The stop reply packet for `stop` into the reply.
void write_stop_reply(Session& session, const Stop& stop);
// For LLDB, which takes an error here for the end of the connection: it has stopped again at once, and this is why.
void write_refused_resume(Session& session, std::string_view sentence);
// The value of LLDB's key "reason".
std::string_view lldb_stop_reason(StopKind kind);

}  // namespace mortem::gdbstub
