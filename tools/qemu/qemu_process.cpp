#include "tools/qemu/qemu_process.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <cstring>

#include "tools/files.h"

namespace mortem::tools {

namespace {

// How QEMU's malloc() is to work (glibc's manual, "Memory Allocation Tunables"), unless somebody said. QEMU allocates
// some megabytes before its first instruction of a guest, 4 KiB a page fault: a sixth of the time until a clone's copy
// stands, less with huge pages. The thread that translates the guest's code allocates all the time, and an arena of its
// own would grow by a page each time (mprotect): a tenth of the time until a server answers.
void tune_allocations() {
  const char* const given = std::getenv("GLIBC_TUNABLES");
  std::string tunables = given != nullptr ? given : "";
  for (const char* wanted : {"glibc.malloc.hugetlb=1", "glibc.malloc.arena_max=1"})
    if (tunables.find(std::string_view(wanted).substr(0, std::strlen(wanted) - 1)) == std::string::npos)
      tunables += (tunables.empty() ? "" : ":") + std::string(wanted);
  setenv("GLIBC_TUNABLES", tunables.c_str(), 1);
}

}  // namespace

Result<pid_t> launch_qemu(const QemuLaunch& launch, const std::function<Result<void>(pid_t)>& name) {
  std::vector<std::string> line = launch.line;
  std::vector<char*> arguments;
  for (std::string& argument : line) arguments.push_back(argument.data());
  arguments.push_back(nullptr);
  const std::filesystem::path log_path = launch.folder / "qemu.log";
  Descriptor log(open(log_path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  Descriptor nothing(open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!log || !nothing) return system_failure("cannot write", log_path);
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return system_failure("cannot make", "a pipe");
  Descriptor is_named(ends[0]), named(ends[1]);
  const pid_t parent = getpid();
  const pid_t process = fork();
  if (process < 0) return system_failure("cannot start", line[0]);
  if (process == 0) {
    // A session of its own: Ctrl-C in the terminal is for us, who ask the guest first.
    setsid();
    if (launch.dies_with_us) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (getppid() != parent) _exit(127);
    }
    named.reset();
    char byte = 0;
    if (read(is_named.get(), &byte, 1) != 1) _exit(127);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    std::signal(SIGPIPE, SIG_DFL);
    umask(0177);  // sockets and logs are the user's alone
    dup2(nothing.get(), 0), dup2(launch.output >= 0 ? launch.output : nothing.get(), 1), dup2(log.get(), 2);
    for (const int inherited : launch.inherited)
      if (inherited >= 0) fcntl(inherited, F_SETFD, 0);
    tune_allocations();
    if (chdir(launch.folder.c_str()) == 0) execv(arguments[0], arguments.data());
    dprintf(2, "cannot start %s: %s\n", arguments[0], std::strerror(errno));
    _exit(127);
  }
  Result<void> begun = name ? name(process) : Result<void>();
  if (begun) begun = write_all(named.get(), "!", "a pipe");
  if (begun) return process;
  kill(process, SIGKILL);
  waitpid(process, nullptr, 0);
  return tl::unexpected(begun.error());
}

}  // namespace mortem::tools
