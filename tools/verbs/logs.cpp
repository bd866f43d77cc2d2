// mortem logs
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <cstring>
#include <memory>
#include <vector>

#include "tools/output.h"
#include "tools/qemu/instance.h"
#include "tools/verbs.h"

namespace mortem::tools {

namespace {

Result<void> copy_new_bytes(int log, const std::filesystem::path& path) {
  std::vector<char> part(64 << 10);
  for (;;) {
    const ssize_t got = read(log, part.data(), part.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return system_failure("cannot read", path);
    if (got == 0) return {};
    write_stdout({part.data(), size_t(got)});
  }
}

// Until the guest ends; the open file survives the removal of its folder.
Result<void> follow(const RunningInstance& instance, int log, const std::filesystem::path& path) {
  Descriptor changes(inotify_init1(IN_CLOEXEC));
  if (!changes || inotify_add_watch(changes.get(), path.c_str(), IN_MODIFY | IN_DELETE_SELF) < 0)
    return system_failure("cannot watch", path);
  for (;;) {
    // Looked at before reading, so that the guest's last bytes are never left out.
    const bool running = is_running(instance.facts.qemu);
    TRY_VOID(copy_new_bytes(log, path));
    if (!running) return {};
    pollfd wait{changes.get(), POLLIN, 0};
    if (poll(&wait, 1, 500) > 0) {
      char events[4096];
      (void)!read(changes.get(), events, sizeof events);
    }
  }
}

int show_log(const std::string& name, bool follow_it) {
  auto instance = find_instance(name);
  if (!instance) {
    fail(instance.error());
    return instance.error().kind == ErrorKind::NotFound ? kProblem : kFailed;
  }
  const std::filesystem::path path = instance->folder / "console.log";
  Descriptor log(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!log) return fail("cannot read " + path.string() + ": " + std::strerror(errno));
  auto shown = follow_it ? follow(*instance, log.get(), path) : copy_new_bytes(log.get(), path);
  return shown ? kDone : fail(shown.error());
}

void add_logs(Commands& commands) {
  CLI::App* verb = commands.add(nullptr, "logs", "What a guest wrote to its console",
                                "Examples:\n  mortem logs web\n  mortem logs web -f");
  struct Options {
    std::string name;
    bool follow = false;
  };
  auto options = std::make_shared<Options>();
  verb->add_option("NAME", options->name, "As mortem ps shows it")->required();
  verb->add_flag("-f,--follow", options->follow, "Go on until the guest ends");
  commands.on(verb, [options] { return show_log(options->name, options->follow); });
}

const VerbRegistration logs_registration{32, {"logs"}, add_logs};

}  // namespace

}  // namespace mortem::tools
