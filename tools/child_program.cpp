#include "tools/child_program.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <sstream>

#include "tools/files.h"

namespace mortem::tools {

namespace {

using Clock = std::chrono::steady_clock;

struct Pipe {
  Descriptor read, write;
};

Result<Pipe> make_pipe() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return system_failure("cannot make", "a pipe");
  return Pipe{Descriptor(ends[0]), Descriptor(ends[1])};
}

// Feeds `input` and gathers both outputs until all pipes are closed; false: the deadline came first.
bool converse(Descriptor& to, const std::string& input, Descriptor& output, Descriptor& errors, ProgramOutcome& outcome,
              std::optional<Clock::time_point> deadline, const std::function<bool()>& go_on, pid_t child) {
  constexpr auto kGrace = std::chrono::seconds(10);
  constexpr int kLook = 100;  // milliseconds
  bool is_interrupted = false;
  size_t sent = 0;
  if (input.empty()) to.reset();
  while (to || output || errors) {
    pollfd waits[3] = {{to.get(), POLLOUT, 0}, {output.get(), POLLIN, 0}, {errors.get(), POLLIN, 0}};
    if (go_on && !is_interrupted && !go_on()) {
      is_interrupted = true;
      kill(child, SIGINT);
      deadline = Clock::now() + kGrace;
    }
    int wait_ms = -1;
    if (deadline) {
      auto left = std::chrono::duration_cast<std::chrono::milliseconds>(*deadline - Clock::now()).count();
      if (left <= 0) return false;
      wait_ms = int(left);
    }
    if (go_on) wait_ms = wait_ms < 0 ? kLook : std::min(wait_ms, kLook);
    if (poll(waits, 3, wait_ms) < 0 && errno != EINTR) return false;
    if (waits[0].revents) {
      ssize_t wrote = write(to.get(), input.data() + sent, input.size() - sent);
      if (wrote > 0) sent += size_t(wrote);
      if ((wrote < 0 && errno != EINTR && errno != EAGAIN) || sent == input.size()) to.reset();
    }
    auto gather = [](pollfd& wait, Descriptor& from, std::string& text) {
      if (!wait.revents) return;
      char part[4096];
      ssize_t got = read(from.get(), part, sizeof part);
      if (got > 0) text.append(part, size_t(got));
      if (got == 0 || (got < 0 && errno != EINTR)) from.reset();
    };
    gather(waits[1], output, outcome.output);
    gather(waits[2], errors, outcome.errors);
  }
  return true;
}

}  // namespace

std::optional<std::filesystem::path> find_program(const std::string& name) {
  const char* path = std::getenv("PATH");
  std::stringstream folders(std::string(path ? path : "") + ":/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin");
  for (std::string folder; std::getline(folders, folder, ':');) {
    std::filesystem::path candidate = std::filesystem::path(folder.empty() ? "." : folder) / name;
    if (access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return std::nullopt;
}

Result<ProgramOutcome> run_program(const ProgramRun& run) {
  Pipe input = TRY(make_pipe()), output = TRY(make_pipe()), errors = TRY(make_pipe());
  std::vector<char*> arguments;
  for (const std::string& argument : run.arguments) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);

  const pid_t child = fork();
  if (child < 0) return system_failure("cannot start", run.arguments[0]);
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    std::signal(SIGPIPE, SIG_DFL);
    dup2(input.read.get(), 0), dup2(output.write.get(), 1), dup2(errors.write.get(), 2);
    for (const std::string& variable : run.environment) putenv(const_cast<char*>(variable.c_str()));
    execvp(arguments[0], arguments.data());
    const std::string why = fmt::format("cannot start {}: {}\n", arguments[0], std::strerror(errno));
    [[maybe_unused]] ssize_t ignored = write(2, why.data(), why.size());
    _exit(127);
  }
  input.read.reset(), output.write.reset(), errors.write.reset();
  fcntl(input.write.get(), F_SETFL, O_NONBLOCK);

  ProgramOutcome outcome;
  std::optional<Clock::time_point> deadline;
  if (run.timeout_ms > 0) deadline = Clock::now() + std::chrono::milliseconds(run.timeout_ms);
  if (!converse(input.write, run.input, output.read, errors.read, outcome, deadline, run.go_on, child)) {
    outcome.timed_out = true;
    kill(child, SIGKILL);
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  outcome.exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return outcome;
}

std::string last_line(const std::string& text) {
  std::stringstream lines(text);
  std::string last;
  for (std::string line; std::getline(lines, line);)
    if (line.find_first_not_of(" \t\r") != std::string::npos) last = line;
  return last;
}

}  // namespace mortem::tools
