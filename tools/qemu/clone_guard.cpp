#include "tools/qemu/clone_guard.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>

namespace mortem::tools {

using nlohmann::json;

namespace {

constexpr int kTries = 500, kTryMilliseconds = 20;
constexpr auto kSoon = std::chrono::minutes(1);  // then it is tried more seldom
constexpr unsigned kSeldomSeconds = 2;

void pause_a_little() {
  usleep(kTryMilliseconds * 1000);
}

std::string text_at(const json& object, const char* key) {
  const auto found = object.is_object() ? object.find(key) : object.end();
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

bool is_under_way(const std::string& status) {
  return status == "setup" || status == "active" || status == "pre-switchover" || status == "device" ||
         status == "cancelling" || status == "wait-unplug";
}

Result<bool> is_background_snapshot(Qmp& qmp) {
  const json capabilities = TRY(qmp.execute("query-migrate-capabilities"));
  for (const json& one : capabilities)
    if (text_at(one, "capability") == "background-snapshot") return one.value("state", false);
  return false;
}

Result<void> end_migration(Qmp& qmp) {
  // Not to be cancelled: it ends when all of it was read.
  const bool has_to_end = TRY(is_background_snapshot(qmp));
  uint64_t done = 0;
  for (int left = kTries; left > 0; --left) {
    const json state = TRY(qmp.execute("query-migrate"));
    if (!is_under_way(text_at(state, "status"))) return {};
    if (!has_to_end) TRY(qmp.execute("migrate_cancel"));
    const uint64_t now_done = state.value("ram", json::object()).value("transferred", uint64_t{0});
    if (has_to_end && now_done != done) left = kTries;
    done = now_done;
    pause_a_little();
  }
  return failure(ErrorKind::System, "QEMU does not end its migration");
}

Result<void> end_jobs(Qmp& qmp) {
  for (int left = kTries; left > 0; --left) {
    bool any = false;
    const json jobs = TRY(qmp.execute("query-jobs"));
    for (const json& job : jobs) {
      if (!text_at(job, "id").starts_with(kCloneJob)) continue;
      any = true;
      (void)qmp.execute("block-job-cancel", {{"device", text_at(job, "id")}, {"force", true}});
      if (text_at(job, "status") == "concluded") (void)qmp.execute("job-dismiss", {{"id", text_at(job, "id")}});
    }
    if (!any) return {};
    pause_a_little();
  }
  return failure(ErrorKind::System, "QEMU does not end its block jobs");
}

// Those of ours; one that another stands on goes after that one.
Result<void> remove_nodes(Qmp& qmp) {
  for (int left = kTries; left > 0; --left) {
    bool any = false;
    const json nodes = TRY(qmp.execute("query-named-block-nodes", {{"flat", true}}));
    for (const json& node : nodes) {
      const std::string name = text_at(node, "node-name");
      if (name.starts_with(kCloneNode) && !qmp.execute("blockdev-del", {{"node-name", name}})) any = true;
    }
    if (!any) break;
    if (left == 1) return failure(ErrorKind::System, "QEMU does not give up the nodes of a clone");
    pause_a_little();
  }
  const json sets = TRY(qmp.execute("query-fdsets"));
  for (const json& set : sets) {
    const int64_t id = set.value("fdset-id", int64_t{0});
    if (id >= kCloneFirstFdSet && id < kCloneFirstFdSet + kMostCloneFdSets)
      (void)qmp.execute("remove-fd", {{"fdset-id", id}});
  }
  return {};
}

Result<void> let_go(Qmp& qmp, bool was_running) {
  const std::string status = text_at(TRY(qmp.execute("query-status")), "status");
  const bool stands = status == "postmigrate" || status == "finish-migrate" || status == "paused";
  if (stands && was_running) TRY(qmp.execute("cont"));
  return {};
}

// Reads a pipe to its end, in a process of its own.
pid_t drain(int pipe) {
  const pid_t process = fork();
  if (process != 0) return process;
  static char bytes[1 << 16];
  while (true) {
    const ssize_t got = read(pipe, bytes, sizeof bytes);
    pollfd wait{pipe, POLLIN, 0};
    if (got < 0 && errno == EAGAIN) poll(&wait, 1, -1);
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) _exit(0);
  }
}

[[noreturn]] void watch(int line, int background, const QmpConnector& connect, const CloneOriginal& original,
                        const std::filesystem::path& folder) {
  char byte;
  ssize_t got;
  while ((got = read(line, &byte, 1)) < 0 && errno == EINTR) {
  }
  if (got > 0) _exit(0);  // dismissed
  const pid_t drainer = background >= 0 ? drain(background) : -1;
  const auto soon = std::chrono::steady_clock::now() + kSoon;
  // As long as the guest is there: a QEMU that does not answer may do so later, and its guest would stand still.
  while (true) {
    auto qmp = connect();
    if (qmp && undo_clone(*qmp, original)) break;
    if (!qmp && qmp.error().kind == ErrorKind::NotFound) break;  // the guest is gone
    if (std::chrono::steady_clock::now() < soon)
      pause_a_little();
    else
      sleep(kSeldomSeconds);
  }
  if (drainer > 0) kill(drainer, SIGKILL);
  // Whoever wrote there may take a moment to die.
  std::error_code ignored;
  for (int left = kTries; left > 0 && !folder.empty(); --left) {
    std::filesystem::remove_all(folder, ignored);
    pause_a_little();
    if (!std::filesystem::exists(folder, ignored)) break;
  }
  _exit(0);
}

}  // namespace

Result<void> undo_clone(Qmp& qmp, const CloneOriginal& original) {
  try {
    TRY_VOID(end_migration(qmp));
    // The guest first: a job may take its time to end.
    TRY_VOID(let_go(qmp, original.was_running));
    TRY_VOID(end_jobs(qmp));
    TRY_VOID(take_filters_away(qmp, original.drives));
    TRY_VOID(remove_nodes(qmp));
    if (original.settings) original.settings->restore(qmp);
    return let_go(qmp, original.was_running);
  } catch (const json::exception& error) {
    return failure(ErrorKind::System, "QEMU sent something that is not QMP");
  }
}

Result<CloneGuard> CloneGuard::start(const QmpConnector& connect, const CloneOriginal& original,
                                     const std::filesystem::path& folder, const MigrationPipe& background) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return system_failure("cannot make", "a pipe");
  Descriptor from(ends[0]), to(ends[1]);
  const pid_t process = fork();
  if (process < 0) return system_failure("cannot start", "the clone's guard");
  if (process == 0) {
    setsid();
    for (int signal : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) std::signal(signal, SIG_IGN);
    prctl(PR_SET_NAME, "mortem-guard");
    const int line = from.release();
    const int nothing = open("/dev/null", O_RDWR);
    for (int standard : {0, 1, 2}) dup2(nothing, standard);
    // Whatever else was open is the other one's: a pipe of his must end with him.
    close_descriptors_but({line, background.from.get()});
    watch(line, background.from.get(), connect, original, folder);
  }
  return CloneGuard(std::move(to), process);
}

void CloneGuard::dismiss() {
  if (!line_) return;
  (void)!write(line_.get(), "d", 1);
  line_.reset();
  waitpid(process_, nullptr, 0);
}

}  // namespace mortem::tools
