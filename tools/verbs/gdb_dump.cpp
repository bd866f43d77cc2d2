#include "tools/verbs/gdb_dump.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <thread>

#include "inspector/serve/serve_client.h"
#include "inspector/serve/served_target.h"
#include "snapshot/dump_info.h"
#include "tools/child_program.h"
#include "tools/elf_file.h"
#include "tools/files.h"
#include "tools/output.h"
#include "tools/socket_server.h"
#include "tools/symbol_options.h"
#include "tools/target.h"

namespace mortem::tools {

namespace {

namespace fs = std::filesystem;

// The target's files as gdb looks for them, as links to those that were found on this machine by build id: gdb maps
// them itself, which is quicker than reading them through the protocol, and never takes another build for one of them.
class FoundFiles {
 public:
  FoundFiles(const inspector::Target& target, inspector::Symbolizer& symbolizer, fs::path folder)
      : folder_(std::move(folder)) {
    for (const auto& module : target.modules()) add(module, module.path, symbolizer.files(module));
    const inspector::ServedTarget served(target, symbolizer, {});
    for (const auto& [name, module] : served.linker_names()) add(*module, name, symbolizer.files(*module));
  }

  std::vector<std::string> gdb_arguments() const {
    std::vector<std::string> words = {
        "-iex", fmt::format("set sysroot {}", (folder_ / "root").string()), "-iex",
        fmt::format("set debug-file-directory {}:/usr/lib/debug", (folder_ / "debug").string())};
    // gdb's helper for libstdc++ looks for its printers beside the library, which is in our folder.
    std::error_code ignored;
    constexpr const char* kPrinters = "/usr/share/gcc/python";
    if (fs::is_directory(kPrinters, ignored))
      words.insert(words.end(), {"-iex", fmt::format("python import sys; sys.path.append('{}')", kPrinters)});
    if (!program_.empty()) words.push_back(program_.string());
    return words;
  }
  std::vector<std::string> kernel_arguments() const {
    if (kernel_.empty()) return {};
    return {"-ex", fmt::format("with confirm off -- add-symbol-file {} -o {:#x}", kernel_.string(), kernel_bias_)};
  }

 private:
  // `path`: the target's name of the file.
  void add(const snapshot::CoreModule& module, const std::string& path, const inspector::SymbolFiles& files) {
    if (files.executable.empty()) return;
    std::error_code ignored;
    // gdb loads helpers (py-bt of CPython) by the program's own path: that file, if it is the same build.
    const std::string id = snapshot::hexadecimal(module.id);
    fs::path executable = fs::absolute(files.executable, ignored);
    if (fs::is_regular_file(module.path, ignored) && !id.empty())
      if (const auto id_there = module_id(module.path); id_there && *id_there == id) executable = module.path;
    if (module.kind == format::ModuleKind::Program) program_ = executable;
    if (module.kind == format::ModuleKind::Kernel) {
      kernel_ = executable;
      kernel_bias_ = module.load_bias;
      return;
    }
    // The path comes out of the dump: it must not lead out of the folder.
    const fs::path inside = fs::path("/" + path).lexically_normal().relative_path();
    if (!inside.empty() && inside.has_filename()) link(executable, folder_ / "root" / inside);
    if (files.debug.empty() || files.debug == files.executable || id.size() < 4) return;
    link(fs::absolute(files.debug, ignored),
         folder_ / "debug" / ".build-id" / id.substr(0, 2) / (id.substr(2) + ".debug"));
  }

  static void link(const fs::path& file, const fs::path& at) {
    std::error_code ignored;
    fs::create_directories(at.parent_path(), ignored);
    fs::create_symlink(file, at, ignored);
  }

  const fs::path folder_;
  fs::path program_, kernel_;
  uint64_t kernel_bias_ = 0;
};

Result<pid_t> start(const std::vector<std::string>& line) {
  std::vector<char*> arguments;
  for (const std::string& argument : line) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  const pid_t process = fork();
  if (process < 0) return system_failure("cannot start", line[0]);
  if (process > 0) return process;
  std::signal(SIGPIPE, SIG_DFL);
  execv(arguments[0], arguments.data());
  _exit(127);
}

int wait_for(pid_t process) {
  int status = 0;
  while (waitpid(process, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int serve_to_gdb(const GdbDumpOptions& options, const inspector::Target& target, const fs::path& gdb) {
  auto folder = TemporaryFolder::create();
  if (!folder) return fail(folder.error());
  auto listener = listen_at_path(folder->path() / "gdb");
  if (!listener) return fail(listener.error());
  const auto symbolizer = inspector::Symbolizer::create(
      symbol_options(SymbolFlags{options.symbols, {}, {}}, options.target, target.modules()));
  const FoundFiles files(target, *symbolizer, folder->path());

  // Through a descriptor that gdb inherits: the path of the socket may be longer than an address holds (unix(7)).
  const Descriptor place(open(folder->path().c_str(), O_PATH | O_DIRECTORY));
  if (!place) return fail(fmt::format("cannot open {}: {}", folder->path().string(), std::strerror(errno)));
  std::vector<std::string> line = {gdb.string(), "-q"};
  const auto append = [&line](const std::vector<std::string>& words) {
    line.insert(line.end(), words.begin(), words.end());
  };
  append(files.gdb_arguments());
  append({"-ex", fmt::format("target remote /proc/self/fd/{}/gdb", place.get())});
  if (options.kernel) append(files.kernel_arguments());
  append(options.arguments);

  auto process = start(line);
  if (!process) return fail(process.error());
  std::signal(SIGINT, SIG_IGN);  // Ctrl-C is for gdb
  bool told = false;
  const inspector::ServeOptions serving{
      .first_write =
          [&told] {
            if (!told) note("changes are seen by this gdb alone, and go with it: the dump stays as it is");
            told = true;
          },
      .stop_wanted = {}};
  std::thread server([&] {
    accept_clients(
        listener->get(), [&](int client) { inspector::serve_client(target, *symbolizer, client, client, serving); },
        [] { return false; });
  });
  const int status = wait_for(*process);
  shutdown(listener->get(), SHUT_RDWR);  // ends the waiting; gdb's own connection went with it
  server.join();
  return status;
}

}  // namespace

int gdb_on_dump(const GdbDumpOptions& options) {
  const auto scope = options.kernel ? inspector::Scope::Guest : inspector::Scope::App;
  auto opened = open_target(options.target, scope);
  if (!opened) return fail(opened.error());
  if (options.print) {
    std::error_code ignored;
    const fs::path self = fs::read_symlink("/proc/self/exe", ignored);
    std::string line = fmt::format("target remote | {} serve {} --stdio", shell_quoted(self.string()),
                                   shell_quoted(fs::absolute(options.target, ignored).string()));
    for (const std::string& file : options.symbols)
      line += " --symbols " + shell_quoted(fs::absolute(file, ignored).string());
    write_stdout(line + (options.kernel ? " --kernel\n" : "\n"));
    return kDone;
  }
  const auto gdb = find_program("gdb");
  if (!gdb)
    return fail(std::string("gdb is not installed: apt-get install gdb; or another debugger: mortem gdb --print"));
  return serve_to_gdb(options, *opened->target, *gdb);
}

}  // namespace mortem::tools
