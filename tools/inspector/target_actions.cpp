#include "tools/inspector/target_actions.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cinttypes>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "tools/child_program.h"
#include "tools/files.h"
#include "tools/output.h"
#include "tools/qemu/clone_folder.h"
#include "tools/qemu/instance.h"

namespace mortem::tools {
namespace {

namespace app = inspector::app;
namespace fs = std::filesystem;

constexpr const char* kNotLive = "this is no running guest";
constexpr auto kDumpDeadline = std::chrono::minutes(10);  // of gigabytes on a slow disk

fs::path command_beside() {
  std::error_code ignored;
  return fs::read_symlink("/proc/self/exe", ignored).parent_path() / "mortem";
}

// A guest of this machine with a name; the target may be a path.
std::optional<RunningInstance> instance_of(const std::string& target) {
  if (target.find('/') != std::string::npos) return std::nullopt;
  auto found = find_instance(target);
  return found ? std::optional(std::move(*found)) : std::nullopt;
}

// What a verb says with --json; its own sentence when it fails.
Result<nlohmann::json> run_verb(std::vector<std::string> words, app::JobControl& job,
                                const std::function<void()>& meanwhile = {}) {
  ProgramRun run;
  run.arguments = {command_beside().string()};
  run.arguments.insert(run.arguments.end(), words.begin(), words.end());
  run.arguments.push_back("--json");
  run.go_on = [&] {
    if (meanwhile) meanwhile();
    return !job.cancelled();
  };
  const ProgramOutcome outcome = TRY(run_program(run));
  if (job.cancelled()) return failure(ErrorKind::System, "cancelled");
  if (outcome.exit_status != 0) {
    std::string why = last_line(outcome.errors);
    if (why.starts_with("mortem: ")) why.erase(0, 8);
    return failure(ErrorKind::System,
                   why.empty() ? fmt::format("mortem {} ended with status {}", words[0], outcome.exit_status) : why);
  }
  auto facts = nlohmann::json::parse(outcome.output, nullptr, false);
  if (!facts.is_object()) return failure(ErrorKind::System, fmt::format("mortem {} gave no facts", words[0]));
  return facts;
}

std::string no_clone(const std::string& target, bool live) {
  if (!live) return kNotLive;
  const auto instance = instance_of(target);
  if (!instance) return fmt::format("{} is no guest of this machine that mortem started", target);
  return instance->facts.is_replay() ? "a replay is copied as its recording's folder" : "";
}

// What the command says in the folder that grows beside the wanted one (clone_folder.h).
void tell_progress(const fs::path& folder, app::JobControl& job) {
  const fs::path absolute = fs::absolute(folder).lexically_normal();
  const std::string beginning = fmt::format(".{}.", absolute.filename().string());
  std::error_code error;
  for (fs::directory_iterator entry(absolute.parent_path(), error); !error && entry != fs::directory_iterator();
       entry.increment(error)) {
    if (!entry->path().filename().string().starts_with(beginning)) continue;
    const auto text = read_text_file(entry->path() / kCloneProgressFile, 256);
    uint64_t done = 0, all = 0;
    if (!text || std::sscanf(text->c_str(), "%" SCNu64 " %" SCNu64, &done, &all) != 2 || all == 0) continue;
    job.progress(done, all);
    job.tell(fmt::format("{} of {}", human_size(done), human_size(all)));
  }
}

Result<std::string> clone(const std::string& target, const std::string& folder, app::JobControl& job) {
  const auto facts = TRY(run_verb({"clone", target, "-o", folder}, job, [&] { tell_progress(folder, job); }));
  job.tell(fmt::format("{}: a copy of {} of memory; {} stood still for {:.1f} ms", folder,
                       human_size(facts.value("memory_bytes", uint64_t{0})), target, facts.value("pause_ms", 0.0)));
  return fs::absolute(folder).lexically_normal().string();
}

Result<std::string> resume(const std::string& target, app::JobControl& job) {
  const auto facts = TRY(run_verb({"resume", fs::absolute(target).string()}, job));
  return facts.value("name", std::string());
}

std::string no_dump(const std::string& target, bool live) {
  if (!live) return kNotLive;
  const auto instance = instance_of(target);
  if (!instance) return fmt::format("{} is no guest of this machine that mortem started", target);
  if (instance->facts.dump.empty()) return "a clone has no place for dumps; what it was is in its own folder";
  return "";
}

// Files that may be dumps of this guest (dump_collector.h): by name, with what tells a new one.
std::set<std::tuple<fs::path, ino_t, int64_t>> dump_files(const fs::path& wanted) {
  std::set<std::tuple<fs::path, ino_t, int64_t>> found;
  const std::string name = wanted.filename().string(), beginning = name.substr(0, name.find('.'));
  const std::string ending = wanted.extension().string();
  std::error_code error;
  for (fs::directory_iterator entry(wanted.parent_path(), error); !error && entry != fs::directory_iterator();
       entry.increment(error)) {
    struct stat facts;
    const std::string one = entry->path().filename().string();
    if (one.starts_with(beginning) && one.ends_with(ending) && stat(entry->path().c_str(), &facts) == 0)
      found.emplace(entry->path(), facts.st_ino, int64_t(facts.st_mtim.tv_sec) * 1000000000 + facts.st_mtim.tv_nsec);
  }
  return found;
}

Result<std::string> dump(const std::string& target, const std::function<Result<void>()>& ask, app::JobControl& job) {
  const RunningInstance instance = TRY(find_instance(target));
  const auto before = dump_files(instance.facts.dump);
  TRY_VOID(ask());
  job.tell("the guest writes it");
  const auto deadline = std::chrono::steady_clock::now() + kDumpDeadline;
  // Whoever looks after the guest takes it out of the image; it appears whole or not at all.
  for (bool is_gone = false;; is_gone = !is_running(instance.facts.keeper)) {
    for (const auto& one : dump_files(instance.facts.dump))
      if (!before.contains(one)) return std::get<fs::path>(one).string();
    if (job.cancelled()) return failure(ErrorKind::System, "cancelled; the guest writes its dump all the same");
    if (is_gone || std::chrono::steady_clock::now() > deadline)
      return failure(ErrorKind::NotFound, fmt::format("no dump came to {}; mortem logs and mortem ps tell more",
                                                      instance.facts.dump.string()));
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
}

}  // namespace

app::TargetActions target_actions() {
  app::TargetActions actions;
  actions.no_clone = no_clone;
  actions.no_dump = no_dump;
  actions.clone = clone;
  actions.resume = resume;
  actions.dump = dump;
  return actions;
}

}  // namespace mortem::tools
