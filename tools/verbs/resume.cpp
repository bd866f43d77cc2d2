// mortem resume
#include <fmt/format.h>

#include <memory>

#include "snapshot/clone/clone_description.h"
#include "tools/output.h"
#include "tools/qemu/clone_dump.h"
#include "tools/qemu/dump_start.h"
#include "tools/qemu/instance.h"
#include "tools/replay/recording_folder.h"
#include "tools/target.h"
#include "tools/verbs.h"
#include "tools/verbs/clone_options.h"

namespace mortem::tools {

namespace {

struct ResumeOptions {
  std::string source, image, record;
  CloneStartWords start;
  bool json = false;
};

// The socket of QEMU's own stub; null: gdb there would disturb what is recorded.
nlohmann::ordered_json qemu_gdb(const StartedClone& started, bool is_free) {
  if (!is_free) return nullptr;
  return started.is_foreign ? (started.instance / "gdb").string() : (started.instance / kQemuGdbSocket).string();
}

// What comes next.
void say_stands_still(const StartedClone& started) {
  note(fmt::format("{0} stands still, next: mortem gdb {0}{1}", started.name,
                   started.is_foreign
                       ? ""
                       : fmt::format("; the whole machine, by QEMU's own stub: mortem gdb {} --qemu", started.name)));
}

int resume_dump(const ResumeOptions& options, const CloneStartOptions& start) {
  auto started = start_dump(options.source, options.image, start, options.record);
  if (!started) return fail(started.error());
  if (options.json)
    print_json("resume", {{"name", started->instance.name},
                          {"instance", started->instance.instance.string()},
                          {"seconds", started->instance.seconds},
                          {"read_seconds", started->read_seconds},
                          {"lost_pages", started->lost_pages},
                          {"holds_program", start.holds_app},
                          {"qemu_gdb", qemu_gdb(started->instance, options.record.empty())}});
  else
    write_stdout(started->instance.name + "\n");
  if (!options.json && start.holds_app) say_stands_still(started->instance);
  if (!options.json && !options.record.empty())
    note(fmt::format("{0} is recorded until it ends; mortem stop {0}, then: mortem replay {1}", started->instance.name,
                     shell_quoted(options.record)));
  return kDone;
}

// A recorded machine has other devices than the one that the clone is of, whose state does not fit: its memory goes on
// there as a dump's does.
int record_clone(ResumeOptions options, CloneStartOptions start) {
  if (auto free = check_recording_folder(options.record); !free) return fail(free.error());
  auto temporary = TemporaryFolder::create();
  if (!temporary) return fail(temporary.error());
  const auto disk = temporary->path() / "disk.qcow2";
  auto own_disk = dump_clone(options.source, disk);
  if (!own_disk) return fail(own_disk.error());
  options.image = own_disk->string();
  if (!start.clock) start.clock = CloneClock::GoesOn;
  std::error_code ignored;
  start.source = std::filesystem::absolute(std::exchange(options.source, disk.string()), ignored).string();
  return resume_dump(options, start);
}

int resume(const ResumeOptions& options) {
  auto start = clone_start_options(options.start);
  if (!start) return fail(start.error());
  if (!options.record.empty()) start->holds_app = false;  // nothing can come into a recorded guest to let it go
  if (auto folder = check_folder(options.source); !folder) return fail(folder.error());
  if (!snapshot::is_clone_folder(options.source)) return resume_dump(options, *start);
  if (!options.image.empty()) return fail("--image is for dumps: a clone's folder has its disk");
  if (!options.record.empty()) return record_clone(options, *start);
  auto started = start_clone(options.source, *start, std::nullopt);
  if (!started) return fail(started.error());
  if (options.json)
    print_json("resume", {{"name", started->name},
                          {"instance", started->instance.string()},
                          {"seconds", started->seconds},
                          {"holds_program", start->holds_app},
                          {"qemu_gdb", qemu_gdb(*started, true)}});
  else
    write_stdout(started->name + "\n");
  if (!options.json && start->holds_app) say_stands_still(*started);
  return kDone;
}

void add_resume(Commands& commands) {
  CLI::App* verb = commands.add(
      nullptr, "resume", "Start a dump or a clone: it goes on from its moment, cut off from all that is outside",
      "A crash dump stands at the instruction that failed, with its signal: in gdb change what was wrong, or skip the\n"
      "instruction, and go on with `signal 0`. Its disk is --image (what it writes there is gone with it), or none.\n"
      "The copy is an instance of its own (mortem ps, gdb, stop). Its program stands still until gdb lets it go.\n"
      "What it writes to its disk and memory is gone with it: a folder can be started any number of times.\n"
      "Examples:\n"
      "  mortem resume server.dump --net user -p 8080:80 && mortem gdb server-resumed\n"
      "  mortem resume web.clone && mortem gdb web-clone\n"
      "  mortem resume web.clone --run --net isolated -p 8081:80\n"
      "  mortem resume web.clone --record late.rec --net isolated -p 8081:80   then, when it has ended:\n"
      "  mortem replay late.rec --at begin");
  auto options = std::make_shared<ResumeOptions>();
  verb->add_option("SOURCE", options->source,
                   "A full dump, a disk image with one (#N: of slot N), or a folder that mortem clone made")
      ->required();
  verb->add_option("--image", options->image, "Of a dump: the disk image that its guest ran from")
      ->check(CLI::ExistingFile);
  add_clone_start_options(verb, options->start);
  verb->add_option(
      "--record", options->record,
      "Let the program run and record it into this new folder, for mortem replay (with --net none its card is "
      "plugged in, as with isolated)");
  verb->add_flag("--json", options->json, "Print facts as JSON");
  commands.on(verb, [options] { return resume(*options); });
}

const VerbRegistration resume_registration{34, {"resume"}, add_resume};

}  // namespace

}  // namespace mortem::tools
