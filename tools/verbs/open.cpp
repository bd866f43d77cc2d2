// `mortem open`: the inspector, a program of its own beside this one.
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "tools/inspector/options.h"
#include "tools/output.h"
#include "tools/verbs.h"

namespace mortem::tools {
namespace {

int open_inspector(const InspectorOptions& options) {
  std::error_code ignored;
  const auto beside = std::filesystem::read_symlink("/proc/self/exe", ignored).parent_path() / "mortem-inspector";
  std::vector<std::string> words = inspector_arguments(options);
  std::vector<char*> arguments = {const_cast<char*>("mortem-inspector")};
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  execv(beside.c_str(), arguments.data());
  return fail({ErrorKind::System, fmt::format("{}: cannot be started ({}); `ninja -C build mortem-inspector` builds it",
                                              beside.string(), std::strerror(errno))});
}

void add_open_verb(Commands& commands) {
  auto options = std::make_shared<InspectorOptions>();
  CLI::App* verb = commands.add(nullptr, "open", "Opens the inspector: a window on a dump, a core or a running guest",
                                "Examples:\n  mortem open program.core.zst\n"
                                "  mortem open program.core.zst --egl --screenshot crash.png --view source");
  add_inspector_options(verb, *options);
  commands.on(verb, [options] { return open_inspector(*options); });
}

const VerbRegistration open_registration{55, {"open"}, add_open_verb};

}  // namespace
}  // namespace mortem::tools
