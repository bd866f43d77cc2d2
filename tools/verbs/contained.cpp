#include "tools/verbs/contained.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "inspector/symbols/suspect.h"
#include "tools/output.h"

namespace mortem::tools {
namespace {

constexpr int kMostFiles = 16;               // that may crash their readers, one after another
constexpr rlim_t kLongestReading = 30 * 60;  // CPU seconds: a library that never ends is taken for a crash

// Does not return.
void run_child(const std::function<int()>& action, int output) {
  if (dup2(output, STDOUT_FILENO) < 0) _exit(kFailed);
  // A core of this would only hide the one that the user looks at.
  const rlimit no_core{0, 0}, time{kLongestReading, kLongestReading + 10};
  setrlimit(RLIMIT_CORE, &no_core);
  setrlimit(RLIMIT_CPU, &time);
  const int status = action();
  std::fflush(nullptr);
  _exit(status);
}

void pass_on(int output) {
  std::array<char, 65536> bytes;
  lseek(output, 0, SEEK_SET);
  for (ssize_t got; (got = read(output, bytes.data(), bytes.size())) > 0;)
    write_stdout({bytes.data(), static_cast<size_t>(got)});
}

bool is_crash(int signal) {
  return signal == SIGSEGV || signal == SIGBUS || signal == SIGABRT || signal == SIGILL || signal == SIGFPE ||
         signal == SIGXCPU;
}

const char* what_is_missing(inspector::Reader reader) {
  switch (reader) {
    case inspector::Reader::CallFrames:
      return "its call frame information crashed the reader and is not used: frames of it are found by frame pointers "
             "or guessed";
    case inspector::Reader::Llvm:
      return "its debug information crashed LLVM's reader and is not used for variables and split units";
    default:
      return "its debug information crashed the reader and is not used: functions are from the symbol table";
  }
}

}  // namespace

int contained(const std::function<int()>& action) {
  stdout_has_colours();  // the child's stdout is no terminal
  for (int attempt = 0; attempt <= kMostFiles; ++attempt) {
    const int output = memfd_create("mortem output", MFD_CLOEXEC);
    if (output < 0) return fail(fmt::format("cannot keep the output: {}", std::strerror(errno)));
    inspector::share_suspect();
    std::fflush(nullptr);
    const pid_t child = fork();
    if (child < 0) return fail(fmt::format("cannot start a process: {}", std::strerror(errno)));
    if (child == 0) run_child(action, output);
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (WIFEXITED(status)) pass_on(output);
    close(output);
    if (WIFEXITED(status)) return WEXITSTATUS(status);
    const int signal = WTERMSIG(status);
    const auto suspect = inspector::suspect();
    if (!is_crash(signal) || !suspect || inspector::distrusted(suspect->reader, suspect->file))
      return fail(fmt::format("was ended by signal {} ({})", signal, strsignal(signal)));
    note(fmt::format("{}: {}", printable(suspect->file), what_is_missing(suspect->reader)));
    inspector::distrust(*suspect);
  }
  return fail("too many files with broken debug information");
}

}  // namespace mortem::tools
