// Z and z (GDB manual, node "Packets", "insert breakpoint or watchpoint").
#include "gdbstub/session.h"

namespace mortem::gdbstub {

namespace {

enum class Change : uint8_t { Insert, Remove };

bool is_offered(const Description& description, BreakpointKind kind) {
  if (kind == BreakpointKind::Software) return true;
  return kind == BreakpointKind::Hardware ? description.hardware_breakpoints : description.hardware_watchpoints;
}

void change(Session& session, Arguments arguments, Change what) {
  constexpr BreakpointKind kKinds[] = {BreakpointKind::Software, BreakpointKind::Hardware, BreakpointKind::WriteWatch,
                                       BreakpointKind::ReadWatch, BreakpointKind::AccessWatch};
  uint64_t type, address, size;
  if (!arguments.hex(type) || !arguments.hex_after(",", address) || !arguments.hex_after(",", size))
    return session.error(ErrorNumber::Invalid);
  if (type >= sizeof kKinds / sizeof kKinds[0] || !is_offered(session.target.description(), kKinds[type])) return;
  const Outcome outcome = what == Change::Insert ? session.target.insert_breakpoint(kKinds[type], address, size)
                                                 : session.target.remove_breakpoint(kKinds[type], address, size);
  if (outcome == Outcome::Done) session.ok();
  if (outcome == Outcome::Failed) session.error(ErrorNumber::BadAddress);
}

constexpr PacketEntry kPackets[] = {
    {"Z", [](Session& session, Arguments arguments) { change(session, arguments, Change::Insert); }, kGlued},
    {"z", [](Session& session, Arguments arguments) { change(session, arguments, Change::Remove); }, kGlued}};

}  // namespace

std::span<const PacketEntry> breakpoint_packets() {
  return kPackets;
}

}  // namespace mortem::gdbstub
