#include "tools/qemu/detached_run.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <memory>

#include "tools/output.h"

namespace mortem::tools {

namespace {

// What the monitor has to say goes to monitor.log and, until the program runs, to its parent.
[[noreturn]] void monitor(MonitorWork work, Instance instance, std::optional<TemporaryFolder> temporary,
                          int ready_pipe) {
  setsid();
  const int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
  const int log = open((instance.folder() / "monitor.log").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  dup2(nothing, 0), dup2(nothing, 1), dup2(log, 2);
  if (auto done = work(instance, temporary, ready_pipe); !done) {
    fail(done.error());
    (void)write_all(ready_pipe, "failed " + done.error().message + "\n", "the ready pipe");
  } else {
    (void)write_all(ready_pipe, "ready\n", "the ready pipe");
  }
  temporary.reset();
  instance.remove();
  _exit(0);
}

}  // namespace

Result<DetachedRun> run_detached(RunPlan plan, Instance instance, std::optional<TemporaryFolder> temporary) {
  const auto shared = std::make_shared<RunPlan>(std::move(plan));  // a std::function can be copied
  return run_detached(
      [shared](Instance& its_instance, std::optional<TemporaryFolder>& its_temporary, int ready_pipe) -> Result<void> {
        shared->ready_pipe = ready_pipe;
        GuestRun run(std::move(*shared), its_instance);
        auto status = run.run();
        if (its_temporary && run.image_holds_dump()) its_temporary->release();
        return status.map([](int) {});
      },
      std::move(instance), std::move(temporary));
}

Result<DetachedRun> run_detached(MonitorWork work, Instance instance, std::optional<TemporaryFolder> temporary) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return system_failure("cannot make", "a pipe");
  Descriptor from(ends[0]), to(ends[1]);
  const std::string name = instance.name();
  DetachedRun started;
  started.monitor = fork();
  if (started.monitor < 0) {
    instance.remove();
    return failure(ErrorKind::System, "cannot start the monitor");
  }
  if (started.monitor == 0) monitor(std::move(work), std::move(instance), std::move(temporary), to.get());
  to.reset();
  if (temporary) temporary->release();  // the monitor's now
  instance.disown();

  pollfd wait{from.get(), POLLIN, 0};
  std::string said;
  char part[1024];
  while (said.find('\n') == std::string::npos) {
    const int answered = poll(&wait, 1, kReadyMilliseconds);
    if (answered < 0 && errno == EINTR) continue;
    if (answered == 0) {
      started.is_ready = false;
      break;
    }
    const ssize_t got = read(from.get(), part, sizeof part);
    if (got <= 0) return failure(ErrorKind::System, name + ": its monitor died");
    said.append(part, size_t(got));
  }
  if (!said.starts_with("failed ")) return started;
  waitpid(started.monitor, nullptr, 0);  // it takes the instance away
  return failure(ErrorKind::System, said.substr(7, said.find('\n') - 7));
}

}  // namespace mortem::tools
