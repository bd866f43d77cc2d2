// The `mortem` command: reads the command line and hands over to the verb (tools/verbs/<verb>.cpp).
#include <fcntl.h>

#include <csignal>
#include <filesystem>

#include "snapshot/folder_checksums.h"
#include "tools/output.h"
#include "tools/verbs.h"

int main(int count, char** arguments) {
  // A reader that went away (`mortem logs x | head`) is an ordinary write error, reported as such.
  std::signal(SIGPIPE, SIG_IGN);

  // A descriptor of ours must not become the standard input that was left closed.
  if (fcntl(0, F_GETFD) < 0) (void)!open("/dev/null", O_RDWR);

  mortem::snapshot::on_damage(mortem::tools::note);

  CLI::App app("Brings dead VMs back: packs a Linux program into a VM, runs it, and shows why it crashed.", "mortem");
  app.require_subcommand(0, 1);
  app.set_version_flag("--version", "mortem " MORTEM_VERSION);
  app.set_help_flag("-h,--help", "Print this help and exit");
  app.footer(
      "Example:\n  mortem run ./program            boots it in a VM; a crash leaves program.core.zst\n"
      "Each verb has its own --help. Exit status: 0 done, 1 a problem was found, 2 could not do it.");
  // Programs that start llvm-symbolizer, as sanitizers' runtimes do, know it by its name.
  std::vector<const char*> all(arguments, arguments + count);
  if (count > 0 && std::filesystem::path(all[0]).filename().string().starts_with("llvm-symbolizer"))
    all.insert(all.begin() + 1, "symbolize");
  mortem::tools::Commands commands(app);
  mortem::tools::add_registered_verbs(commands, all.size() > 1 ? all[1] : "");
  return commands.run(static_cast<int>(all.size()), all.data());
}
