// `mortem goroutines`: the goroutines of a Go program, beside the threads that run them.
#include <fmt/format.h>

#include <memory>

#include "inspector/analysis/goroutines.h"
#include "tools/output.h"
#include "tools/symbol_options.h"
#include "tools/target.h"
#include "tools/verbs.h"
#include "tools/verbs/contained.h"
#include "tools/verbs/goroutine_facts.h"
#include "tools/verbs/stack_facts.h"

namespace mortem::tools {
namespace {

using nlohmann::ordered_json;

struct GoroutinesOptions {
  std::string dump;
  SymbolFlags symbols;
  std::optional<uint64_t> id;
  bool system = false, json = false;
};

int show_goroutines(const GoroutinesOptions& options) {
  auto opened = open_target(options.dump);
  if (!opened) return fail(opened.error());
  const inspector::Target& target = *opened->target;
  auto symbolizer = inspector::Symbolizer::create(symbol_options(options.symbols, options.dump, target.modules()));
  inspector::StackReader reader(target, *symbolizer);
  auto found = inspector::read_goroutines(target, *symbolizer, reader, {});
  if (!found) {
    fail(found.error());
    return found.error().kind == ErrorKind::NotFound ? kProblem : kFailed;
  }
  ordered_json all = ordered_json::array();
  size_t shown = 0, hidden = 0;
  for (const inspector::Goroutine& one : found->all) {
    if (options.id && one.id != *options.id) continue;
    // What the runtime does for itself is in the way, unless it is asked for or has died.
    if (one.system && !options.system && !options.json && !options.id && one.panic.empty()) {
      ++hidden;
      continue;
    }
    if (options.json)
      all.push_back(goroutine_facts(one));
    else
      write_stdout((shown > 0 ? "\n" : "") + goroutine_text(one, 0));
    ++shown;
  }
  if (options.id && shown == 0) {
    note(fmt::format("{}: has no goroutine {}; mortem goroutines without --id shows all", options.dump, *options.id));
    return kProblem;
  }
  ordered_json threads = ordered_json::array();
  for (const auto& thread : target.threads()) {
    ordered_json one = {{"id", thread.id}, {"name", text_or_null(thread.name)}, {"goroutine", nullptr}};
    for (const inspector::Goroutine& goroutine : found->all)
      if (goroutine.thread == thread.id) one["goroutine"] = goroutine.id;
    threads.push_back(std::move(one));
  }
  if (options.json) {
    print_json("goroutines", {{"version", text_or_null(found->version)},
                              {"goroutines", std::move(all)},
                              {"threads", std::move(threads)},
                              {"problems", found->problems}});
    return kDone;
  }
  if (hidden > 0) write_stdout(fmt::format("\n({} goroutines of the runtime itself; --system shows them)\n", hidden));
  for (const std::string& one : found->problems) note(printable(one));
  return kDone;
}

void add_goroutines(Commands& commands) {
  auto options = std::make_shared<GoroutinesOptions>();
  CLI::App* verb = commands.add(nullptr, "goroutines", "Shows the goroutines of a Go program, with their stacks",
                                "Example:\n  mortem goroutines server.core.zst --symbols ./server");
  verb->add_option("TARGET", options->dump, kTargetHelp)->required()->type_name("TARGET");
  verb->add_option("--id", options->id, "Only the goroutine of this number")->type_name("N");
  add_symbol_flags(verb, options->symbols);
  verb->add_flag("--system", options->system, "Show the runtime's own too");
  verb->add_flag("--json", options->json, "Print the facts as JSON (mortem.goroutines/1)");
  commands.on(verb, [options] { return contained([&] { return show_goroutines(*options); }); });
}

const VerbRegistration goroutines_registration{63, {"goroutines"}, add_goroutines};

}  // namespace
}  // namespace mortem::tools
