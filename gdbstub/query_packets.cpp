// What the server can do, and the small questions.
#include "gdbstub/session.h"

namespace mortem::gdbstub {

namespace {

void take_client_features(Session& session, Arguments arguments) {
  ClientFeatures& client = session.client;
  client.multiprocess = client.software_breakpoint_reason = client.hardware_breakpoint_reason = false;
  client.exec_events = false;
  while (!arguments.done()) {
    const std::string_view rest = arguments.rest();
    size_t length = 0;
    while (length < rest.size() && rest[length] != ';') ++length;
    const std::string_view feature(rest.data(), length);
    if (feature == "multiprocess+") client.multiprocess = true;
    if (feature == "swbreak+") client.software_breakpoint_reason = true;
    if (feature == "hwbreak+") client.hardware_breakpoint_reason = true;
    if (feature == "exec-events+") client.exec_events = true;
    arguments.skip(length + 1);
  }
}

// Only what is really answered; a client that is told of a packet takes an empty answer to it for the end of the line.
void supported(Session& session, Arguments arguments) {
  take_client_features(session, arguments);
  const Description description = session.target.description();
  Reply& reply = session.reply;
  reply.text("PacketSize=");
  reply.hex(kPacketSize);
  reply.text(";QStartNoAckMode+;binary-upload+;qXfer:features:read+;qXfer:threads:read+");
  const auto offer = [&reply](bool offered, std::string_view feature) {
    if (offered) reply.text(feature);
  };
  offer(description.cannot_run.empty(), ";vContSupported+");
  offer(description.runs_backwards, ";ReverseStep+;ReverseContinue+");
  offer(session.client.multiprocess, ";multiprocess+");
  offer(session.client.software_breakpoint_reason, ";swbreak+");
  offer(session.client.hardware_breakpoint_reason && description.hardware_breakpoints, ";hwbreak+");
  offer(session.client.exec_events && description.reports_exec, ";exec-events+");
  offer(description.executable_path, ";qXfer:exec-file:read+");
  offer(description.auxiliary_vector, ";qXfer:auxv:read+;qXfer:libraries-svr4:read+");
  offer(description.signal_information, ";qXfer:siginfo:read+;qXfer:siginfo:write+");
  offer(description.memory_map && description.memory_regions, ";qXfer:memory-map:read+");
  offer(description.catches_system_calls, ";QCatchSyscalls+");
  offer(description.reports_thread_events, ";QThreadEvents+");
  offer(description.passes_signals, ";QPassSignals+;QProgramSignals+");
}

// Text of a monitor command, as digits in the one reply it has.
class ReplySink final : public TextSink {
 public:
  explicit ReplySink(Reply& reply) : reply_(reply) {}
  void write(std::string_view text) override {
    static constexpr std::string_view kCut = "\n(cut off: more than one packet holds)\n";
    for (const char& character : text) {
      if (cut_) return;
      if (reply_.room() <= 2 * (kCut.size() + 1)) {
        reply_.hex_text(kCut);
        cut_ = true;
        return;
      }
      reply_.hex_text({&character, 1});
    }
  }

 private:
  Reply& reply_;
  bool cut_ = false;
};

void monitor(Session& session, Arguments arguments) {
  std::string_view command;
  if (!arguments.hex_text(session.text, command) || !arguments.done()) return session.error(ErrorNumber::Invalid);
  ReplySink sink(session.reply);
  if (!session.target.monitor(command, sink)) {
    session.reply.clear();
    return session.error(ErrorNumber::Invalid);
  }
  if (session.reply.empty()) session.ok();
}

void start_without_acknowledgements(Session& session, Arguments) {
  session.acknowledges = false;
  session.ok();
}

constexpr PacketEntry kPackets[] = {
    {"qSupported", supported},
    {"QStartNoAckMode", start_without_acknowledgements},
    // "1": it ran before the client came, and gdb leaves it running when it quits.
    {"qAttached", [](Session& session, Arguments) { session.reply.text("1"); }},
    {"qRcmd", monitor},
};

}  // namespace

std::span<const PacketEntry> query_packets() {
  return kPackets;
}

}  // namespace mortem::gdbstub
