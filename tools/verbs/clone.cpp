// mortem clone
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <functional>
#include <memory>

#include "snapshot/clone/clone_description.h"
#include "tools/interrupt.h"
#include "tools/local_store.h"
#include "tools/output.h"
#include "tools/qemu/clone_folder.h"
#include "tools/qemu/remote_clone.h"
#include "tools/verbs.h"
#include "tools/verbs/clone_options.h"

namespace mortem::tools {

namespace fs = std::filesystem;

namespace {

struct CloneOptions {
  std::string source, output, method = "auto";
  std::string ssh = "ssh", remote_mortem = "mortem";
  double patience = 30;
  bool json = false;
  CloneStartWords start;
};

// One of a guest here or on another machine, into a folder.
using MakeClone = std::function<Result<snapshot::CloneDescription>(const fs::path& folder)>;

nlohmann::ordered_json clone_facts(const snapshot::CloneDescription& clone, const std::string& place) {
  const auto known = [](double value) { return value < 0 ? nlohmann::ordered_json() : nlohmann::ordered_json(value); };
  return {{"name", clone.name},
          {"folder", place},
          {"method", clone.method},
          {"pause_ms", clone.pause_ms},
          {"stopped_ms", clone.stopped_ms},
          {"guest_gap_ms", known(clone.guest_gap_ms)},
          {"longest_gap_ms", known(clone.longest_gap_ms)},
          {"processor_share", known(clone.processor_share)},
          {"seconds", clone.seconds},
          {"bytes", clone.stream_bytes},
          {"memory_bytes", clone.memory_bytes},
          {"moment_us", clone.moment_us}};
}

std::string clone_line(const std::string& place, const snapshot::CloneDescription& clone) {
  return fmt::format("{}: {} of memory and {} disk{} in {:.1f} s by {}; {} stood still for {:.1f} ms", place,
                     human_size(clone.memory_bytes), clone.disks.size(), clone.disks.size() == 1 ? "" : "s",
                     clone.seconds, clone.method, clone.name, clone.pause_ms);
}

int fail_as(const Error& error) {
  fail(error);
  return error.kind == ErrorKind::NotFound ? kProblem : kFailed;
}

int keep_clone(const CloneOptions& options, const MakeClone& make) {
  auto clone = make(options.output);
  if (!clone) return fail(clone.error());
  if (options.json)
    print_json("clone", clone_facts(*clone, fs::absolute(options.output).string()));
  else
    write_stdout(
        fmt::format("{}; next: mortem bt {}\n", clone_line(options.output, *clone), shell_quoted(options.output)));
  return kDone;
}

// Without a folder to keep: the copy is started, and its files go with it.
int start_copy(const CloneOptions& options, const MakeClone& make) {
  auto start = clone_start_options(options.start);
  if (!start) return fail(start.error());
  auto temporary = TemporaryFolder::create();
  if (!temporary) return fail(temporary.error());
  const fs::path folder = temporary->path() / "clone";
  auto clone = make(folder);
  if (!clone) return fail(clone.error());
  auto started = start_clone(folder, *start, std::move(*temporary));
  if (!started) return fail(started.error());
  if (options.json) {
    auto facts = clone_facts(*clone, folder.string());
    facts["instance"] = started->name;
    facts["start_seconds"] = started->seconds;
    print_json("clone", facts);
    return kDone;
  }
  write_stdout(started->name + "\n");
  note(clone_line(started->name, *clone));
  if (start->holds_app) note(fmt::format("{0} stands still, next: mortem gdb {0}", started->name));
  return kDone;
}

// What has no effect is refused: somebody relies on it.
Result<void> check_options(const CLI::App& verb, const CloneOptions& options) {
  const auto given = [&](std::initializer_list<const char*> names) -> const char* {
    for (const char* name : names)
      if (verb.count(name) != 0) return name;
    return nullptr;
  };
  if (const char* name = given({"--name", "--net", "--port", "--clock", "--run"}); name && !options.output.empty())
    return failure(ErrorKind::BadInput,
                   fmt::format("{0} is for a copy that is started, and with -o none is: mortem resume {1} {0} ...",
                               name, shell_quoted(options.output)));
  if (const char* name = given({"--ssh", "--remote-mortem"}); name && !parse_remote_clone(options.source))
    return failure(ErrorKind::BadInput,
                   fmt::format("{} is for ssh://, and {} is on this machine", name, printable(options.source)));
  return {};
}

int take_clone(const CLI::App& verb, const CloneOptions& options) {
  if (const auto fine = check_options(verb, options); !fine) return fail(fine.error());
  catch_interrupts();
  auto methods = clone_methods(options.method);
  if (!methods) return fail(methods.error());
  MakeClone make;
  if (auto remote = parse_remote_clone(options.source)) {
    if (!*remote) return fail(remote->error());
    (*remote)->ssh = options.ssh;
    (*remote)->mortem = options.remote_mortem;
    (*remote)->method = options.method;
    (*remote)->patience_seconds = options.patience;
    make = [remote = **remote](const fs::path& folder) { return clone_from_afar(remote, folder); };
  } else {
    auto source = find_clone_source(options.source);
    if (!source) return fail_as(source.error());
    make = [&options, source = *source, methods = *methods](const fs::path& folder) {
      return clone_into_folder(source, folder, methods, options.patience,
                               options.output.empty() ? CloneUse::Here : CloneUse::Anywhere);
    };
  }
  return options.output.empty() ? start_copy(options, make) : keep_clone(options, make);
}

void add_clone(Commands& commands) {
  CLI::App* verb = commands.add(
      nullptr, "clone", "A copy of a running guest, memory and disk of one moment, while it serves",
      "The guest stands still for some milliseconds only. The copy is started at once, cut off from network and disk "
      "of\n"
      "the original, its program standing still for gdb; with -o it becomes a folder that can be looked into without "
      "a\n"
      "start (mortem bt, report, print, gdb ...), copied to another machine and started there (mortem resume).\n"
      "Examples:\n"
      "  mortem clone web && mortem gdb web-clone\n"
      "  mortem clone web -o web.clone && mortem bt web.clone\n"
      "  mortem clone ssh://host/web -o web.clone");
  auto options = std::make_shared<CloneOptions>();
  verb->add_option(
          "SOURCE", options->source,
          "A guest's name as mortem ps shows it; qmp:PATH, the QMP socket of any QEMU that runs one; a domain of\n"
          "libvirt's, qemu:///system/NAME; or any of them on another machine: ssh://[USER@]HOST[:PORT]/SOURCE")
      ->required();
  verb->add_option("-o,--output", options->output, "Folder to make, which must not exist; nothing is started then");
  verb->add_option("--method", options->method, "auto, or only one of pre-copy, background-snapshot, stop-and-copy")
      ->capture_default_str();
  verb->add_option("--patience", options->patience, "Seconds for a pre-copy to catch up with what the guest writes")
      ->capture_default_str()
      ->check(CLI::Range(0.1, 86400.0));
  verb->add_option("--ssh", options->ssh, "Of ssh://: the command here, with its options")->capture_default_str();
  verb->add_option("--remote-mortem", options->remote_mortem, "Of ssh://: the mortem there")->capture_default_str();
  add_clone_start_options(verb, options->start);
  verb->add_flag("--json", options->json, "Print facts as JSON");
  commands.on(verb, [verb, options] { return take_clone(*verb, *options); });
}

const VerbRegistration clone_registration{33, {"clone"}, add_clone};

}  // namespace

}  // namespace mortem::tools
