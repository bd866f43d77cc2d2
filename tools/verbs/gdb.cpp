// mortem gdb
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "inspector/symbols/symbol_files.h"
#include "snapshot/format/guest_description.h"
#include "tools/child_program.h"
#include "tools/elf_file.h"
#include "tools/local_store.h"
#include "tools/module_files.h"
#include "tools/output.h"
#include "tools/qemu/instance.h"
#include "tools/qemu/qmp.h"
#include "tools/replay/recording.h"
#include "tools/symbol_options.h"
#include "tools/verbs.h"
#include "tools/verbs/gdb_dump.h"

namespace mortem::tools {

namespace fs = std::filesystem;

namespace {

struct GdbOptions {
  std::string name;
  std::vector<std::string> symbols;
  bool print = false, kernel = false, qemu = false;
  std::vector<std::string> arguments;
};

// The program as it was packed, with its symbols: quicker for gdb than reading it out of the guest, which it does
// by itself otherwise.
fs::path packed_program(const InstanceFacts& facts) {
  if (facts.program_id.size() < 4) return {};
  for (const fs::path& kept :
       {path_in_store(facts.program_id), fs::path(facts.source) / inspector::module_file_name(facts.program_id)})
    if (auto id = module_id(kept); id && *id == facts.program_id) return kept;
  return {};
}

// gdb takes what has a slash in it and is no host:port for a Unix socket (gdb 13, node "Connecting"); its path may have
// 107 bytes (unix(7)). A longer one is reached through a descriptor that gdb inherits.
Result<std::string> socket_path(const RunningInstance& instance, const char* socket) {
  const std::string path = (instance.folder / socket).string();
  constexpr size_t kLongest = 107;
  if (path.size() <= kLongest) return path;
  const int folder = open(instance.folder.c_str(), O_PATH | O_DIRECTORY);
  if (folder < 0) return system_failure("cannot open", instance.folder);
  return fmt::format("/proc/self/fd/{}/{}", folder, socket);
}

// Which of the two stubs; the error says why there is no second one.
Result<const char*> socket_of(const RunningInstance& instance, bool qemu) {
  TRY_VOID(check_for_stub(instance));
  if (!qemu) return "gdb";
  const std::string& name = instance.facts.name;
  if (instance.facts.is_replay())
    return failure(ErrorKind::Unsupported,
                   fmt::format("--qemu: {0} is a replay, which moves by QEMU's stub itself: mortem gdb {0}, and there "
                               "`monitor qemu info registers` and the like for the whole machine",
                               name));
  return instance.facts.is_foreign ? "gdb" : kQemuGdbSocket;  // of a foreign one that is QEMU's
}

// For gdb on QEMU's stub: the kernel where it is. Nothing where that is not known: gdb has no symbols then.
std::vector<std::string> kernel_words(const RunningInstance& instance) {
  auto qmp = Qmp::connect(instance.folder);
  if (!qmp || instance.facts.kernel.empty()) return {};
  const auto word = [&](size_t offset) -> std::optional<uint64_t> {
    const auto said =
        qmp->execute("human-monitor-command",
                     {{"command-line", fmt::format("xp /1gx {:#x}", format::kGuestDescriptionAddress + offset)}});
    const std::string text = said && said->is_string() ? said->get<std::string>() : std::string();
    const size_t at = text.find(": 0x");
    return at == std::string::npos ? std::nullopt : std::optional(std::strtoull(text.c_str() + at + 2, nullptr, 16));
  };
  const auto magic = word(offsetof(format::GuestDescription, magic)),
             base = word(offsetof(format::GuestDescription, kernel_virtual_base));
  if (!magic || !base || std::memcmp(&*magic, format::kGuestDescriptionMagic, sizeof *magic) != 0) return {};
  return {"-ex", fmt::format("with confirm off -- add-symbol-file {} -o {:#x}", instance.facts.kernel, *base)};
}

int start_gdb(const GdbOptions& options) {
  std::error_code ignored;
  const bool is_path = options.name.find('/') != std::string::npos;
  Result<RunningInstance> instance = failure(ErrorKind::NotFound, {});
  if (!is_path) instance = find_instance(options.name);
  if (!instance) {
    if (instance.error().kind != ErrorKind::NotFound) return fail(instance.error());
    if (is_path || fs::exists(options.name, ignored))
      return options.qemu
                 ? fail(fmt::format("--qemu is for running guests, and {} is none", options.name))
                 : gdb_on_dump({options.name, options.symbols, options.print, options.kernel, options.arguments});
    fail(instance.error());
    return kProblem;
  }
  if (options.kernel || !options.symbols.empty())
    return fail(fmt::format("--kernel and --symbols are for dumps, and {} is a running guest", options.name));
  const auto stub = socket_of(*instance, options.qemu);
  if (!stub) return fail(stub.error());
  if (options.print) {
    write_stdout(fmt::format("target remote {}\n", (instance->folder / *stub).string()));
    return kDone;
  }
  auto gdb = find_program("gdb");
  if (!gdb)
    return fail(std::string("gdb is not installed: apt-get install gdb; or another debugger: mortem gdb --print"));
  auto socket = socket_path(*instance, *stub);
  if (!socket) return fail(socket.error());
  std::vector<std::string> line = {gdb->string(), "-q"};
  if (const fs::path program = options.qemu ? fs::path() : packed_program(instance->facts); !program.empty())
    line.push_back(program.string());
  // What came with a clone from another machine; of a replay its front gives it out.
  if (const fs::path debug = instance->folder / "debug";
      !instance->facts.is_replay() && link_debug_files(instance->facts.source, debug))
    line.insert(line.end(), {"-iex", fmt::format("set debug-file-directory {}:/usr/lib/debug", debug.string())});
  if (const fs::path script = instance->folder / kReplayGdbScript; fs::exists(script, ignored))
    line.insert(line.end(), {"-ex", "source " + script.string()});
  line.insert(line.end(), {"-ex", "target remote " + *socket});
  if (options.qemu)
    for (const std::string& one : kernel_words(*instance)) line.push_back(one);
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
      ->check(check_symbol_file);
  verb->add_flag("--kernel", options->kernel, "Of a dump: show the kernel, too, with its symbols");
  verb->add_flag("--qemu", options->qemu,
                 "Of a running guest: QEMU's own stub in place of the guest's: the whole machine, with the kernel's "
                 "symbols; all of it stands still while gdb is there");
  commands.take_arguments_after_dashes(verb, &options->arguments);
  commands.on(verb, [options] { return start_gdb(*options); });
}

const VerbRegistration gdb_registration{25, {"gdb"}, add_gdb};

}  // namespace

}  // namespace mortem::tools
