// mortem resume
#include <fmt/format.h>

#include <memory>

#include "snapshot/clone/clone_description.h"
#include "tools/output.h"
#include "tools/verbs.h"
#include "tools/verbs/clone_options.h"

namespace mortem::tools {

namespace {

struct ResumeOptions {
  std::string source;
  CloneStartWords start;
  bool json = false;
};

int resume(const ResumeOptions& options) {
  auto start = clone_start_options(options.start);
  if (!start) return fail(start.error());
  if (!snapshot::is_clone_folder(options.source))
    return fail(
        fmt::format("{}: not the folder of a clone: mortem clone NAME -o FOLDER makes one", printable(options.source)));
  auto started = start_clone(options.source, *start, std::nullopt);
  if (!started) return fail(started.error());
  if (options.json)
    print_json("resume", {{"name", started->name},
                          {"instance", started->instance.string()},
                          {"seconds", started->seconds},
                          {"holds_program", start->holds_app}});
  else
    write_stdout(started->name + "\n");
  if (!options.json && start->holds_app) note(fmt::format("{0} stands still, next: mortem gdb {0}", started->name));
  return kDone;
}

void add_resume(Commands& commands) {
  CLI::App* verb = commands.add(
      nullptr, "resume", "Start a clone: it goes on from its moment, cut off from all that is outside",
      "The copy is an instance of its own (mortem ps, gdb, stop). Its program stands still until gdb lets it go.\n"
      "What it writes to its disk and memory is gone with it: a folder can be started any number of times.\n"
      "Examples:\n"
      "  mortem resume web.clone && mortem gdb web-clone\n"
      "  mortem resume web.clone --run --net isolated -p 8081:80");
  auto options = std::make_shared<ResumeOptions>();
  verb->add_option("CLONE", options->source, "A folder that mortem clone made")->required();
  add_clone_start_options(verb, options->start);
  verb->add_flag("--json", options->json, "Print facts as JSON");
  commands.on(verb, [options] { return resume(*options); });
}

const VerbRegistration resume_registration{34, add_resume};

}  // namespace

}  // namespace mortem::tools
