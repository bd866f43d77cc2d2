// mortem core
#include <fmt/format.h>
#include <unistd.h>

#include <memory>

#include "snapshot/dump_info.h"
#include "snapshot/plain_core.h"
#include "tools/interrupt.h"
#include "tools/local_store.h"
#include "tools/output.h"
#include "tools/progress_bar.h"
#include "tools/verbs.h"

namespace mortem::tools {

namespace fs = std::filesystem;

namespace {

struct CoreOptions {
  std::string dump, output;
  bool json = false;
};

// The program as it was packed here; empty: it was packed elsewhere, or has left the store.
fs::path program_in_store(const snapshot::CoreFile& core) {
  for (const snapshot::CoreModule& module : core.modules()) {
    if (module.kind != format::ModuleKind::Program || module.id.size() < 2) continue;
    const std::string id = snapshot::hexadecimal(module.id);
    const fs::path kept = local_store() / "build-id" / id.substr(0, 2) / id.substr(2);
    if (access(kept.c_str(), R_OK) == 0) return kept;
  }
  return {};
}

int write(const CoreOptions& options) {
  catch_interrupts();
  auto core = snapshot::CoreFile::open(options.dump);
  if (!core) return fail(core.error());
  auto written =
      snapshot::write_plain_core(**core, options.output, snapshot::Existing::Keep, progress_bar("expanding"));
  if (!written) return fail(written.error());
  const fs::path program = program_in_store(**core);
  const uint64_t bytes = (*core)->bytes().size();
  if (options.json) {
    nlohmann::ordered_json facts = {
        {"dump", printable(options.dump)}, {"core", printable(options.output)}, {"bytes", bytes}};
    if (!program.empty()) facts["program"] = printable(program.string());
    print_json("core", facts);
    return kDone;
  }
  const std::string file = program.empty() ? std::string("PROGRAM") : shell_quoted(program.string());
  write_stdout(fmt::format("{}: {}\nopen it: gdb {} {}\n", options.output, human_size(bytes), file,
                           shell_quoted(options.output)));
  if (program.empty()) note("the program is not in the local store: put the path of its file for PROGRAM");
  return kDone;
}

void add_core(Commands& commands) {
  CLI::App* verb = commands.add(
      nullptr, "core", "The plain ELF core of a dump, for gdb, lldb, eu-stack and others",
      "The file is sparse, and only you can read it.\nExample:\n  mortem core program.core.zst -o program.core");
  auto options = std::make_shared<CoreOptions>();
  verb->add_option("DUMP", options->dump, "A dump, as run and pull write it")->required();
  verb->add_option("-o,--output", options->output, "File to write; must not be there yet")->required();
  verb->add_flag("--json", options->json, "Print facts as JSON");
  commands.on(verb, [options] { return write(*options); });
}

const VerbRegistration core_registration{60, {"core"}, add_core};

}  // namespace

}  // namespace mortem::tools
