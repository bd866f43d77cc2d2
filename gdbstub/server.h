// A server of the GDB remote serial protocol for gdb and LLDB: one client, one process, all-stop.
//
// It owns no thread and no transport and never blocks. Bytes of the client go in by feed, bytes for it come out by
// output and consume, both in whatever pieces the transport has. It asks the target (target.h) from within feed and
// connection_lost, and the target's owner tells it of stops by report_stop. All calls must come from one context at a
// time. No allocation; the object is its memory, so it does not belong on a kernel's stack.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "gdbstub/packets.h"
#include "gdbstub/session.h"
#include "gdbstub/target.h"

namespace mortem::gdbstub {

class Server {
 public:
  enum class AppState : uint8_t { Running, Stopped };

  Server(Target& target, AppState state);
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Takes bytes from the client. Returns how many: fewer than given while an answer waits in output(); the rest is to
  // be given again when that is drained.
  size_t feed(std::span<const uint8_t> bytes);

  // Bytes for the client, the next contiguous piece; empty: none. consume(count) when that many are on their way.
  std::span<const uint8_t> output();
  void consume(size_t count);

  // The app has stopped, all its threads, for this reason; or it has ended.
  void report_stop(const Stop& stop);

  // What the client's user is to read while the app runs, of at most 1,000 bytes (GDB manual, node "Stop Reply
  // Packets", O). Nothing is sent where the client waits for no stop, or still takes what was sent before.
  void tell(std::string_view text);

  // The client has gone (or a new one is here): what becomes of the app is the target's, and the server is as it began.
  void connection_lost();

  bool app_is_running() const { return session_.running; }

 private:
  void handle_packet();
  void finish_reply();
  void send_stop_reply();
  void forget_client();

  Session session_;
  PacketDecoder decoder_;
  char acknowledgement_ = 0;               // '+' or '-' to be sent before the frame; 0: none
  std::span<const uint8_t> frame_;         // the last reply, kept for a client that refuses it
  size_t sent_ = 0;                        // of the frame
  bool acknowledgement_expected_ = false;  // the last one, for the answer to QStartNoAckMode
  bool stop_reply_owed_ = false;           // the app stopped while another answer was on its way
};
static_assert(sizeof(Server) < 200 * 1024, "a kernel has this in its image");

}  // namespace mortem::gdbstub
