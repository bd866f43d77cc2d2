// `mortem bt`: the stacks of all threads, symbolized.
#include <fmt/format.h>

#include <memory>

#include "inspector/analysis/stack_text.h"
#include "inspector/symbols/source_text.h"
#include "tools/output.h"
#include "tools/symbol_options.h"
#include "tools/target.h"
#include "tools/verbs.h"
#include "tools/verbs/contained.h"
#include "tools/verbs/stack_facts.h"

namespace mortem::tools {
namespace {

using nlohmann::ordered_json;

struct BtOptions {
  std::string dump;
  SymbolFlags symbols;
  std::vector<std::string> checkouts;
  uint32_t thread = 0, lines = 0;
  bool has_thread = false;
  size_t limit = 200000;
  bool no_inline = false, no_tail_calls = false, kernel = false, full = false, json = false;
};

std::string source_line(uint64_t number, const std::string& source, bool is_here) {
  const std::string line = fmt::format("     {} {:>6}  {}", is_here ? "=>" : "  ", number, printable_source(source));
  return (is_here ? painted(line, Paint::Heading) : line) + "\n";
}

// After every frame with a known line: that line of its source, and `around` more on either side.
std::string with_source(const inspector::Stack& stack, const inspector::StackReader& reader,
                        inspector::Symbolizer& symbolizer, uint32_t around, inspector::SourceText& sources) {
  std::string text;
  for (size_t index = 0; index < stack.frames.size(); ++index) {
    const inspector::Frame& frame = stack.frames[index];
    text += painted_stack(inspector::frame_text(index, frame));
    const auto* module = reader.module_at(frame.pc);
    if (!module) continue;
    const auto found = sources.lines(symbolizer, module, frame.file, frame.line, around);
    if (found && found->newer) text += painted("     (changed since the program was built)", Paint::Faint) + "\n";
    for (size_t line = 0; found && line < found->lines.size(); ++line)
      text += source_line(found->first + line, found->lines[line], found->first + line == frame.line);
  }
  return text + painted_stack(fmt::format("(end: {})\n", stack.end));
}

// What is missing of many libraries is the same in each line.
void say_missing(const std::vector<std::string>& missing, const std::string& target) {
  constexpr size_t kMost = 4;
  const size_t said = missing.size() > kMost ? 1 : missing.size();
  for (size_t index = 0; index < said; ++index) note(printable(missing[index]));
  if (said < missing.size())
    note(fmt::format("symbols of {} more modules are missing: mortem info {} names them", missing.size() - said,
                     target));
}

int show_stacks(const BtOptions& options) {
  auto opened = open_target(options.dump);
  if (!opened) return fail(opened.error());
  const inspector::Target& target = *opened->target;
  const inspector::SymbolOptions where = symbol_options(options.symbols, options.dump, target.modules());
  auto symbolizer = inspector::Symbolizer::create(where);
  inspector::SourceText sources(where, {options.checkouts.begin(), options.checkouts.end()});
  inspector::StackReader reader(target, *symbolizer);
  inspector::StackOptions wanted;
  wanted.frame_limit = options.limit;
  wanted.inlined = !options.no_inline;
  wanted.tail_calls = !options.no_tail_calls;

  ordered_json threads = ordered_json::array();
  bool found = false, any_in_kernel = false;
  for (const inspector::TargetThread& thread : target.threads()) {
    if (options.has_thread && thread.id != options.thread) continue;
    auto stack = reader.read(thread.id, wanted);
    if (!stack) return fail(stack.error());
    if (options.kernel)
      if (auto whole = reader.read_in_kernel(thread.id, wanted)) stack = std::move(*whole);
    any_in_kernel |= !stack->frames.empty() && stack->frames.front().kernel;
    if (options.json) {
      threads.push_back(stack_facts(*stack));
    } else {
      const auto folding = options.full ? inspector::Folding::ShowAll : inspector::Folding::Fold;
      write_stdout(fmt::format("{}{}\n{}", found ? "\n" : "", painted_heading(*stack),
                               options.lines != 0 ? with_source(*stack, reader, *symbolizer, options.lines - 1, sources)
                                                  : painted_stack(inspector::stack_text(*stack, folding, 0))));
    }
    found = true;
  }
  if (!found) {
    note(fmt::format("{}: has no thread {}; mortem bt without --thread shows all", options.dump, options.thread));
    return kProblem;
  }
  if (options.kernel && !any_in_kernel)
    note(
        fmt::format("{}: no thread's place in the kernel is in it: dumps and clones of Mortem's guests hold those of "
                    "threads that wait",
                    options.dump));
  const auto missing = symbolizer->missing_symbols();
  if (options.json)
    print_json("bt", {{"threads", std::move(threads)}, {"missing_symbols", missing}});
  else
    say_missing(missing, options.dump);
  return kDone;
}

void add_verb(Commands& commands) {
  auto options = std::make_shared<BtOptions>();
  CLI::App* verb =
      commands.add(nullptr, "bt", "Shows all stacks of a dump, core or running guest, with functions and lines",
                   "Example:\n  mortem bt program.core.zst --symbols ./program");
  verb->add_option("TARGET", options->dump, kTargetHelp)->required()->type_name("TARGET");
  CLI::Option* thread = verb->add_option("--thread", options->thread, "Only the thread of this id")->type_name("N");
  verb->add_option("--limit", options->limit, "Frames of a stack at most, inlined ones not counted")
      ->type_name("N")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  add_symbol_flags(verb, options->symbols);
  verb->add_option("--lines", options->lines, "Show the source line of every frame, and N - 1 more on either side")
      ->type_name("N")
      ->check(CLI::Range(1, 100));
  verb->add_option("--source-dir", options->checkouts,
                   "A checkout in which sources are looked for by the end of their paths")
      ->type_name("DIR")
      ->allow_extra_args(false)
      ->check(CLI::ExistingDirectory);
  verb->add_flag("--no-inline", options->no_inline, "Leave inlined functions out");
  verb->add_flag("--no-tail-calls", options->no_tail_calls, "Only frames that are on the stack, none inferred");
  verb->add_flag("--kernel", options->kernel, "Of threads that wait, begin where they wait in the kernel");
  verb->add_flag("--full", options->full, "Show every frame of a recursion");
  verb->add_flag("--json", options->json, "Print the facts as JSON (mortem.bt/1)");
  commands.on(verb, [options, thread] {
    options->has_thread = thread->count() > 0;
    return contained([&] { return show_stacks(*options); });
  });
}

const VerbRegistration bt_registration{60, {"bt"}, add_verb};

}  // namespace
}  // namespace mortem::tools
