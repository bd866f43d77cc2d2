// mortem gdb
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "tools/child_program.h"
#include "tools/elf_file.h"
#include "tools/local_store.h"
#include "tools/output.h"
#include "tools/qemu/instance.h"
#include "tools/replay/recording.h"
#include "tools/verbs.h"
#include "tools/verbs/gdb_dump.h"

namespace mortem::tools {

namespace fs = std::filesystem;

namespace {

struct GdbOptions {
  std::string name;
  std::vector<std::string> symbols;
  bool print = false, kernel = false;
  std::vector<std::string> arguments;
};

// The program as it was packed, with its symbols: quicker for gdb than reading it out of the guest, which it does
// by itself otherwise.
fs::path packed_program(const InstanceFacts& facts) {
  if (facts.program_id.size() < 4) return {};
  const fs::path kept = local_store() / "build-id" / facts.program_id.substr(0, 2) / facts.program_id.substr(2);
  auto id = module_id(kept);
  return id && *id == facts.program_id ? kept : fs::path();
}

// gdb takes what has a slash in it and is no host:port for a Unix socket (gdb 13, node "Connecting"); its path may have
// 107 bytes (unix(7)). A longer one is reached through a descriptor that gdb inherits.
Result<std::string> socket_path(const RunningInstance& instance) {
  const std::string path = (instance.folder / "gdb").string();
  constexpr size_t kLongest = 107;
  if (path.size() <= kLongest) return path;
  const int folder = open(instance.folder.c_str(), O_PATH | O_DIRECTORY);
  if (folder < 0) return system_failure("cannot open", instance.folder);
  return fmt::format("/proc/self/fd/{}/gdb", folder);
}

int start_gdb(const GdbOptions& options) {
  std::error_code ignored;
  const bool is_path = options.name.find('/') != std::string::npos;
  Result<RunningInstance> instance = failure(ErrorKind::NotFound, {});
  if (!is_path) instance = find_instance(options.name);
  if (!instance) {
    if (instance.error().kind != ErrorKind::NotFound) return fail(instance.error());
    if (is_path || fs::exists(options.name, ignored))
      return gdb_on_dump({options.name, options.symbols, options.print, options.kernel, options.arguments});
    fail(instance.error());
    return kProblem;
  }
  if (options.kernel || !options.symbols.empty())
    return fail(fmt::format("--kernel and --symbols are for dumps, and {} is a running guest", options.name));
  if (auto there = check_for_stub(*instance); !there) return fail(there.error());
  if (options.print) {
    write_stdout(fmt::format("target remote {}\n", (instance->folder / "gdb").string()));
    return kDone;
  }
  auto gdb = find_program("gdb");
  if (!gdb)
    return fail(std::string("gdb is not installed: apt-get install gdb; or another debugger: mortem gdb --print"));
  auto socket = socket_path(*instance);
  if (!socket) return fail(socket.error());
  std::vector<std::string> line = {gdb->string(), "-q"};
  if (const fs::path program = packed_program(instance->facts); !program.empty()) line.push_back(program.string());
  if (const fs::path script = instance->folder / kReplayGdbScript; fs::exists(script, ignored))
    line.insert(line.end(), {"-ex", "source " + script.string()});
  line.insert(line.end(), {"-ex", "target remote " + *socket});
  line.insert(line.end(), options.arguments.begin(), options.arguments.end());
  std::vector<char*> arguments;
  for (std::string& argument : line) arguments.push_back(argument.data());
  arguments.push_back(nullptr);
  execv(arguments[0], arguments.data());
  return fail(fmt::format("cannot start {}: {}", line[0], std::strerror(errno)));
}

void add_gdb(Commands& commands) {
  CLI::App* verb = commands.add(
      nullptr, "gdb", "gdb in a running guest, or on a dump",
      "A guest's program stops while gdb is attached and goes on when gdb detaches or ends. A dump is read "
      "in place,\n"
      "compressed as it is, with the files that are found by build id; what gdb changes in it only gdb "
      "sees.\n"
      "In gdb, `monitor help` shows what there is besides.\n"
      "Examples:\n"
      "  mortem gdb web\n"
      "  mortem gdb web -- -batch -ex 'thread apply all bt'\n"
      "  mortem gdb program.core.zst\n"
      "  mortem run ./server --wait --detach && mortem gdb server     from its first instruction\n"
      "  lldb -o \"process connect --plugin gdb-remote unix-connect://PATH\"     PATH: mortem gdb web --print");
  auto options = std::make_shared<GdbOptions>();
  verb->add_option("TARGET", options->name, "A guest's name as mortem ps shows it, a dump, or any x86-64 ELF core")
      ->required();
  verb->add_flag("--print", options->print, "Print gdb's command to connect, for other debuggers; start nothing");
  verb->add_option("--symbols", options->symbols,
                   "Of a dump: an ELF file with symbols, used where its build id is a module's")
      ->type_name("FILE")
      ->allow_extra_args(false)
      ->check(CLI::ExistingFile);
  verb->add_flag("--kernel", options->kernel, "Of a dump: show the kernel, too, with its symbols");
  commands.take_arguments_after_dashes(verb, &options->arguments);
  commands.on(verb, [options] { return start_gdb(*options); });
}

const VerbRegistration gdb_registration{25, {"gdb"}, add_gdb};

}  // namespace

}  // namespace mortem::tools
