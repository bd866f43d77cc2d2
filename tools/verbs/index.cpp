// `mortem index`: makes the indexes that all verbs look names, lines, frames and calls up in.
#include <elf.h>
#include <fmt/format.h>

#include <memory>

#include "inspector/symbols/index/index_builder.h"
#include "inspector/symbols/index/index_store.h"
#include "tools/interrupt.h"
#include "tools/module_files.h"
#include "tools/output.h"
#include "tools/progress_bar.h"
#include "tools/symbol_options.h"
#include "tools/target.h"
#include "tools/verbs.h"
#include "tools/verbs/contained.h"

namespace mortem::tools {
namespace {

namespace index = inspector::index;

struct IndexOptions {
  std::vector<std::string> files;
  SymbolFlags symbols;
  bool json = false;
};

bool is_program_or_library(const std::string& path) {
  const auto image = inspector::ElfImage::map_file(path);
  if (!image) return false;
  const auto bytes = (*image)->bytes();
  return bytes.size() > EI_NIDENT && bytes[EI_NIDENT] != ET_CORE;
}

class IndexMaker {
 public:
  explicit IndexMaker(const IndexOptions& options)
      : where_(symbol_options(options.symbols)), rules_(where_.substitutions), store_(where_), json_(options.json) {}

  Result<void> add_file(const std::string& name) {
    const auto files = TRY(index::IndexedFiles::find(name, where_));
    if (store_.path_of(*files.executable).empty())
      return failure(ErrorKind::Unsupported,
                     fmt::format("{}: has no build id, by which an index is found again", printable(name)));
    if (!files.debug->has_debug_information())
      note(
          fmt::format("{}: no debug information, in it or elsewhere (--symbols FILE gives it): its index has only its "
                      "symbols and call frame information",
                      printable(name)));
    return make(name, files);
  }

  // All modules of a dump, core or guest that have no index yet.
  Result<void> add_target(const std::string& name) {
    const auto core = TRY(open_target_core(name));
    inspector::SymbolOptions where = where_;
    add_module_folder(name, where);
    inspector::SymbolFileFinder finder(std::move(where));
    for (const snapshot::CoreModule& module : core->modules()) {
      const inspector::FoundFiles found = finder.find(module);
      if (!found.executable) continue;
      const index::IndexedFiles files(found);
      std::string complaint;
      if (store_.path_of(*files.executable).empty() || store_.open(files, &complaint)) continue;
      if (auto made = make(found.executable->name(), files); !made) {
        if (interrupted_by()) return made;
        note(printable(made.error().message));  // say, .dwo files that are not there: the others still help
      }
    }
    if (made_.empty() && !json_) write_stdout("nothing to do: every module found here has its index\n");
    return {};
  }

  const nlohmann::ordered_json& made() const { return made_; }

 private:
  Result<void> make(const std::string& name, const index::IndexedFiles& files) {
    const auto path = store_.path_of(*files.executable);
    TRY_VOID(index::build_index(files, rules_, path, progress_bar("index of " + printable(name))));
    store_.shrink(path);
    std::error_code ignored;
    const uint64_t size = std::filesystem::file_size(path, ignored);
    made_.push_back({{"file", printable(name)},
                     {"debug_file", printable(files.debug->name())},
                     {"index", printable(path.string())},
                     {"bytes", size}});
    if (!json_) write_stdout(fmt::format("{}: {}, {}\n", printable(name), printable(path.string()), human_size(size)));
    return {};
  }

  const inspector::SymbolOptions where_;
  const inspector::PathRules rules_;
  const index::IndexStore store_;
  const bool json_;
  nlohmann::ordered_json made_ = nlohmann::ordered_json::array();
};

int make_indexes(const IndexOptions& options) {
  IndexMaker maker(options);
  for (const std::string& name : options.files)
    if (auto done = is_program_or_library(name) ? maker.add_file(name) : maker.add_target(name); !done)
      return fail(done.error());
  if (options.json) print_json("index", {{"indexes", maker.made()}});
  return kDone;
}

void add_index(Commands& commands) {
  auto options = std::make_shared<IndexOptions>();
  CLI::App* verb = commands.add(
      nullptr, "index", "Makes indexes of debug information, by which stacks and symbols come at once",
      "All verbs use an index when it is there, and never make one that you did not ask for: a whole index takes "
      "longer "
      "than the few answers they need. One that is found broken, or was made by another version, is made anew in the "
      "background. Of a dump, all modules without an index get one. Indexes stand by build id in ~/.cache/mortem/index "
      "(4 GiB in all, MORTEM_INDEX_BYTES; the oldest go).\n\n"
      "Example:\n  mortem index /usr/bin/ceph-osd");
  verb->add_option("file", options->files, "Programs and libraries, or a dump, core or running guest")
      ->required()
      ->type_name("FILE|TARGET");
  add_symbol_flags(verb, options->symbols);
  verb->add_flag("--json", options->json, "Print the facts as JSON (mortem.index/1)");
  commands.on(verb, [options] {
    catch_interrupts();
    return contained([&] { return make_indexes(*options); });
  });
}

const VerbRegistration index_registration{86, {"index"}, add_index};

}  // namespace
}  // namespace mortem::tools
