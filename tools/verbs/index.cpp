// `mortem index`: makes the indexes that `symbolize`, `bt` and `report` look names and lines up in.
#include <fmt/format.h>

#include <memory>

#include "inspector/symbols/index/file_symbols.h"
#include "inspector/symbols/index/index_builder.h"
#include "inspector/symbols/index/index_store.h"
#include "tools/interrupt.h"
#include "tools/output.h"
#include "tools/progress_bar.h"
#include "tools/symbol_options.h"
#include "tools/verbs.h"
#include "tools/verbs/contained.h"

namespace mortem::tools {
namespace {

struct IndexOptions {
  std::vector<std::string> files;
  SymbolFlags symbols;
  bool json = false;
};

int make_indexes(const IndexOptions& options) {
  namespace index = inspector::index;
  catch_interrupts();
  const auto where = symbol_options(options.symbols);
  const index::IndexStore store(where.store);
  nlohmann::ordered_json facts = nlohmann::ordered_json::array();
  for (const std::string& name : options.files) {
    auto files = index::IndexedFiles::find(name, where);
    if (!files) return fail(files.error());
    if (!files->debug->has_debug_information())
      return fail(
          fmt::format("{}: no debug information, in it or elsewhere; give the file that has it with --symbols", name));
    const auto path = store.path_of(*files->executable);
    if (path.empty()) return fail(fmt::format("{}: has no build id, by which an index is found again", name));
    if (auto made = index::build_index(*files, path, progress_bar("index")); !made) return fail(made.error());
    store.shrink(path);
    std::error_code ignored;
    const uint64_t size = std::filesystem::file_size(path, ignored);
    if (options.json)
      facts.push_back({{"file", printable(name)},
                       {"debug_file", printable(files->debug->name())},
                       {"index", printable(path.string())},
                       {"bytes", size}});
    else
      write_stdout(fmt::format("{}: {}, {}\n", printable(name), printable(path.string()), human_size(size)));
  }
  if (options.json) print_json("index", {{"indexes", std::move(facts)}});
  return kDone;
}

void add_index(Commands& commands) {
  auto options = std::make_shared<IndexOptions>();
  CLI::App* verb = commands.add(nullptr, "index", "Makes an index of a file's debug information",
                                "bt, report and symbolize use it when it is there, and never make one: a whole index "
                                "takes longer than the few answers they need. Indexes stand by build id in "
                                "~/.cache/mortem/index (4 GiB in all, MORTEM_INDEX_BYTES; the oldest go).\n\n"
                                "Example:\n  mortem index /usr/bin/ceph-osd");
  verb->add_option("file", options->files, "Programs or libraries")->required()->type_name("FILE");
  add_symbol_flags(verb, options->symbols);
  verb->add_flag("--json", options->json, "Print the facts as JSON (mortem.index/1)");
  commands.on(verb, [options] { return contained([&] { return make_indexes(*options); }); });
}

const VerbRegistration index_registration{86, add_index};

}  // namespace
}  // namespace mortem::tools
