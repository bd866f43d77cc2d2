#include "tools/qemu/clone_dump.h"

#include <fmt/format.h>
#include <poll.h>

#include <chrono>
#include <csignal>
#include <string>

#include "inspector/target/stub_client.h"
#include "snapshot/clone/clone_description.h"
#include "tools/child_program.h"
#include "tools/output.h"
#include "tools/peer_socket.h"
#include "tools/qemu/clone_start.h"
#include "tools/qemu/control_channel.h"
#include "tools/qemu/instance.h"
#include "tools/qemu/qmp.h"

namespace mortem::tools {

namespace fs = std::filesystem;

namespace {

constexpr std::chrono::seconds kLongestDump{300};
constexpr int kLook = 20;  // milliseconds between looks

Result<void> make_overlay(const fs::path& disk, const fs::path& base) {
  ProgramRun run;
  run.arguments = {"qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", base.string(), disk.string()};
  const ProgramOutcome outcome = TRY(run_program(run));
  if (outcome.exit_status == 0) return {};
  return failure(ErrorKind::System,
                 fmt::format("{}: no copy of it can be made: {}", base.string(), last_line(outcome.errors)));
}

// What the guest says of its end. It boots again then, or is ended: the dump is in its slot.
Result<void> wait_for_dump(PeerSocket& guest, const std::string& name) {
  const auto end = std::chrono::steady_clock::now() + kLongestDump;
  ControlDecoder decoder;
  std::string bytes;
  while (std::chrono::steady_clock::now() < end) {
    bytes.clear();
    TRY(guest.receive(bytes, kLook));
    decoder.add(bytes);
    while (auto message = TRY(decoder.next())) {
      const auto crash = message->crash();
      if (!crash) continue;
      if (crash->slot != format::kNoSlot) return {};
      return failure(ErrorKind::System, fmt::format("{}: {}", name, printable(message->crash_reason())));
    }
  }
  return failure(ErrorKind::System, fmt::format("{}: its dump takes longer than {} s", name, kLongestDump.count()));
}

Result<void> write_dump(const RunningInstance& instance) {
  const std::string& name = instance.facts.name;
  PeerSocket guest(TRY(connect_to(instance.folder, "control")), "its control port");
  Descriptor socket = TRY(connect_to_stub(instance));
  {
    const auto stub = TRY(inspector::StubClient::connect(socket.release(), name));
    const std::string said = TRY(stub->monitor("dump"));
    if (said.find("is being written") == std::string::npos)
      return failure(ErrorKind::System, fmt::format("{}: no dump: its guest says {}", name, printable(said)));
  }
  return wait_for_dump(guest, name);
}

void end_clone(const RunningInstance& instance) {
  auto qmp = Qmp::connect(instance.folder);
  if (!qmp || !qmp->execute("quit")) kill(instance.facts.qemu.id, SIGKILL);
  for (int look = 0; is_running(instance.facts.keeper) && look < 250; ++look) poll(nullptr, 0, kLook);
}

}  // namespace

Result<fs::path> dump_clone(const fs::path& folder, const fs::path& disk) {
  const snapshot::CloneDescription clone = TRY(snapshot::read_clone_description(folder));
  if (clone.disks.size() != 1)
    return failure(ErrorKind::Unsupported, fmt::format("{}: {} disks, and a dump of it needs one to be written to",
                                                       folder.string(), clone.disks.size()));
  std::error_code ignored;
  const fs::path base = fs::absolute(folder / clone.disks[0].file, ignored);
  TRY_VOID(make_overlay(disk, base));
  CloneStartOptions options;
  options.disk = disk;
  const StartedClone started = TRY(start_clone(folder, options, std::nullopt));
  const RunningInstance instance = TRY(find_instance(started.name));
  auto done = write_dump(instance);
  end_clone(instance);
  if (!done) return tl::unexpected(done.error());
  return base;
}

}  // namespace mortem::tools
