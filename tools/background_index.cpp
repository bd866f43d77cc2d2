#include "tools/background_index.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

namespace mortem::tools {
namespace {

constexpr int kNiceness = 19;

// Does not return.
void become_index_maker(const std::vector<char*>& arguments) {
  const int nothing = open("/dev/null", O_RDWR);
  for (int descriptor = 0; descriptor <= STDERR_FILENO; ++descriptor) dup2(nothing, descriptor);
  setsid();
  (void)!nice(kNiceness);
  execv("/proc/self/exe", arguments.data());
  _exit(1);
}

}  // namespace

bool start_index(const std::string& executable, const std::string& debug, const SymbolFlags& flags) {
  std::vector<std::string> words = {"mortem", "index", executable, "--symbols", debug};
  for (const std::string& file : flags.files) words.insert(words.end(), {"--symbols", file});
  for (const std::string& folder : flags.folders) words.insert(words.end(), {"--debug-dir", folder});
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  // A child that ends at once leaves its own child to init.
  const pid_t child = fork();
  if (child < 0) return false;
  if (child == 0) {
    const pid_t maker = fork();
    if (maker == 0) become_index_maker(arguments);
    _exit(maker < 0 ? 1 : 0);
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace mortem::tools
