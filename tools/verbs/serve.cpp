// mortem serve
#include <fmt/format.h>
#include <unistd.h>

#include <csignal>
#include <memory>

#include "inspector/serve/serve_client.h"
#include "tools/interrupt.h"
#include "tools/output.h"
#include "tools/qemu/instance.h"
#include "tools/socket_server.h"
#include "tools/symbol_options.h"
#include "tools/target.h"
#include "tools/verbs.h"

namespace mortem::tools {

namespace {

namespace fs = std::filesystem;

struct ServeVerbOptions {
  std::string target, socket;
  SymbolFlags symbols;
  int port = -1;
  bool stdio = false, once = false, kernel = false;
};

class TargetServer {
 public:
  TargetServer(const ServeVerbOptions& options, const inspector::Target& target) : options_(options), target_(target) {
    serving_.first_write = [this] {
      if (!told_) note("a client changes memory or registers: only its own view does, and only until it leaves");
      told_ = true;
    };
    serving_.stop_wanted = [] { return interrupted_by() != 0; };
  }

  int serve_stdio() {
    std::signal(SIGINT, SIG_IGN);  // Ctrl-C in gdb's terminal comes here, too
    serve(STDIN_FILENO, STDOUT_FILENO);
    return kDone;
  }

  int serve_socket() {
    auto listener = listen_at_path(options_.socket);
    if (!listener) return fail(listener.error());
    const int status = serve_clients(listener->get(), fs::absolute(options_.socket).string());
    std::error_code ignored;
    fs::remove(options_.socket, ignored);
    return status;
  }

  int serve_port() {
    auto port = static_cast<uint16_t>(options_.port);
    auto listener = listen_at_port(port);
    if (!listener) return fail(listener.error());
    return serve_clients(listener->get(), fmt::format("127.0.0.1:{}", port));
  }

 private:
  int serve_clients(int listener, const std::string& place) {
    catch_interrupts();
    write_stdout(fmt::format("target remote {}\n", place));
    bool served = false;
    accept_clients(
        listener,
        [&](int client) {
          serve(client, client);
          served = true;
        },
        [&] { return interrupted_by() != 0 || (options_.once && served); });
    return kDone;
  }

  void serve(int in, int out) {
    const auto symbolizer =
        inspector::Symbolizer::create(symbol_options(options_.symbols, options_.target, target_.modules()));
    inspector::serve_client(target_, *symbolizer, in, out, serving_);
  }

  const ServeVerbOptions& options_;
  const inspector::Target& target_;
  inspector::ServeOptions serving_;
  bool told_ = false;
};

int serve_target(const ServeVerbOptions& options) {
  if (options.target.find('/') == std::string::npos && find_instance(options.target))
    return fail(fmt::format("{0} is a running guest and serves itself: mortem gdb {0} --print", options.target));
  const auto scope = options.kernel ? inspector::Scope::Guest : inspector::Scope::App;
  auto opened = open_target(options.target, scope);
  if (!opened) return fail(opened.error());
  TargetServer server(options, *opened->target);
  if (options.stdio) return server.serve_stdio();
  if (!options.socket.empty()) return server.serve_socket();
  return server.serve_port();
}

void add_serve(Commands& commands) {
  CLI::App* verb = commands.add(
      nullptr, "serve", "Serves a dump or core to gdb, LLDB and what else speaks gdb's protocol",
      "It is read in place, compressed as it is. Clients come one after another; what one of them changes only it "
      "sees.\n"
      "Examples:\n"
      "  mortem serve program.core.zst --port 0               prints the line for gdb: target remote 127.0.0.1:PORT\n"
      "  mortem serve program.core.zst --unix /tmp/dump\n"
      "  (lldb) process connect --plugin gdb-remote unix-connect:///tmp/dump\n"
      "  (gdb) target remote | mortem serve program.core.zst --stdio");
  auto options = std::make_shared<ServeVerbOptions>();
  verb->add_option("TARGET", options->target, "A dump, any x86-64 ELF core, an image with dumps, or a clone's folder")
      ->required();
  CLI::Option_group* ways = verb->add_option_group("way");
  ways->add_option("--port", options->port, "TCP port of this machine alone; 0: any that is free")
      ->type_name("N")
      ->check(CLI::Range(0, 65535));
  ways->add_option("--unix", options->socket, "Path for a Unix socket")->type_name("PATH");
  ways->add_flag("--stdio", options->stdio, "One client on standard input and output");
  ways->require_option(1);
  add_symbol_flags(verb, options->symbols);
  verb->add_flag("--once", options->once, "End when the first client has left");
  verb->add_flag("--kernel", options->kernel, "Show the kernel, too: its module, its memory, and a crash in it");
  commands.on(verb, [options] { return serve_target(*options); });
}

const VerbRegistration serve_registration{26, {"serve"}, add_serve};

}  // namespace

}  // namespace mortem::tools
