// mortem clone
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ctime>
#include <memory>

#include "snapshot/clone/clone_description.h"
#include "tools/interrupt.h"
#include "tools/local_store.h"
#include "tools/output.h"
#include "tools/qemu/clone_folder.h"
#include "tools/verbs.h"

namespace mortem::tools {

namespace fs = std::filesystem;

namespace {

struct CloneOptions {
  std::string source, output, method = "auto";
  double patience = 30;
  bool json = false;
};

nlohmann::ordered_json clone_facts(const snapshot::CloneDescription& clone, const std::string& place) {
  return {{"name", clone.name},
          {"folder", place},
          {"method", clone.method},
          {"pause_ms", clone.pause_ms},
          {"stopped_ms", clone.stopped_ms},
          {"seconds", clone.seconds},
          {"bytes", clone.stream_bytes},
          {"memory_bytes", clone.memory_bytes},
          {"moment_us", clone.moment_us}};
}

int take_clone(const CloneOptions& options) {
  catch_interrupts();
  auto methods = clone_methods(options.method);
  if (!methods) return fail(methods.error());
  auto source = find_clone_source(options.source);
  if (!source) {
    fail(source.error());
    return source.error().kind == ErrorKind::NotFound ? kProblem : kFailed;
  }
  const std::string wanted = options.output.empty() ? source->name + ".clone" : options.output;
  auto clone = clone_into_folder(*source, wanted, *methods, options.patience);
  if (!clone) return fail(clone.error());
  if (options.json) {
    print_json("clone", clone_facts(*clone, fs::absolute(wanted).string()));
    return kDone;
  }
  write_stdout(
      fmt::format("{}: {} of memory and {} disk{} in {:.1f} s by {}; {} stood still for {:.1f} ms; "
                  "next: mortem bt {}\n",
                  wanted, human_size(clone->memory_bytes), clone->disks.size(), clone->disks.size() == 1 ? "" : "s",
                  clone->seconds, clone->method, clone->name, clone->pause_ms, shell_quoted(wanted)));
  return kDone;
}

void add_clone(Commands& commands) {
  CLI::App* verb = commands.add(
      nullptr, "clone", "A copy of a running guest, memory and disk of one moment, while it serves",
      "The guest stands still for some milliseconds only; what is written is a folder that can be looked into with\n"
      "mortem bt, report, print, gdb …, copied to another machine and started there.\n"
      "Examples:\n"
      "  mortem clone web -o web.clone\n"
      "  mortem bt web.clone");
  auto options = std::make_shared<CloneOptions>();
  verb->add_option("SOURCE", options->source, "A guest's name as mortem ps shows it")->required();
  verb->add_option("-o,--output", options->output, "Folder to make (default: NAME.clone); it must not exist");
  verb->add_option("--method", options->method, "auto, or only one of pre-copy, background-snapshot, stop-and-copy")
      ->capture_default_str();
  verb->add_option("--patience", options->patience, "Seconds for a pre-copy to catch up with what the guest writes")
      ->capture_default_str()
      ->check(CLI::Range(0.1, 86400.0));
  verb->add_flag("--json", options->json, "Print facts as JSON");
  commands.on(verb, [options] { return take_clone(*options); });
}

const VerbRegistration clone_registration{33, add_clone};

}  // namespace

}  // namespace mortem::tools
