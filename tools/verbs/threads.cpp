// `mortem threads`: what each thread is doing, and which do the same.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <memory>

#include "inspector/analysis/stack_text.h"
#include "inspector/analysis/system_calls.h"
#include "inspector/analysis/thread_list.h"
#include "tools/output.h"
#include "tools/symbol_options.h"
#include "tools/target.h"
#include "tools/verbs.h"
#include "tools/verbs/stack_facts.h"

namespace mortem::tools {
namespace {

using nlohmann::ordered_json;

struct ThreadsOptions {
  std::string target;
  SymbolFlags symbols;
  bool stacks = false, json = false;
};

struct ThreadFacts {
  inspector::TargetThread thread;
  inspector::Stack stack;
  std::optional<uint64_t> system_call;  // that it is in
  size_t group = 0;                     // threads of one group have equal stacks
};

void find_groups(std::vector<ThreadFacts>& threads) {
  std::vector<const inspector::Stack*> stacks;
  for (const ThreadFacts& one : threads) stacks.push_back(&one.stack);
  const std::vector<size_t> groups = inspector::group_equal_stacks(stacks);
  for (size_t index = 0; index < threads.size(); ++index) threads[index].group = groups[index];
}

std::string state_text(const ThreadFacts& one) {
  return inspector::thread_state_text(one.thread, one.system_call);
}

ordered_json to_json(const std::vector<ThreadFacts>& threads) {
  ordered_json list = ordered_json::array();
  for (const ThreadFacts& one : threads) {
    const inspector::Frame* frame = inspector::telling_frame(one.stack);
    ordered_json facts;
    facts["id"] = one.thread.id;
    facts["name"] = text_or_null(printable(one.thread.name));
    facts["crashed"] = one.thread.crashed;
    facts["in_kernel"] = one.thread.in_kernel;
    facts["system_call"] =
        one.system_call ? ordered_json(inspector::system_call_name(*one.system_call)) : ordered_json(nullptr);
    facts["group"] = one.group;
    facts["pc"] =
        text_or_null(one.stack.frames.empty() ? std::string() : fmt::format("{:#x}", one.stack.frames.front().pc));
    facts["function"] = text_or_null(frame ? frame->function : "");
    facts["file"] = text_or_null(frame ? frame->file : "");
    facts["line"] = number_or_null(frame ? frame->line : 0);
    list.push_back(std::move(facts));
  }
  return list;
}

void show_list(const std::vector<ThreadFacts>& threads) {
  size_t widest_state = 5;
  for (const ThreadFacts& one : threads) widest_state = std::max(widest_state, state_text(one).size());
  std::string text = painted(fmt::format("{:>8}  {:16}  {:{}}  {}", "THREAD", "NAME", "STATE", widest_state, "WHERE"),
                             Paint::Heading) +
                     "\n";
  for (const ThreadFacts& one : threads) {
    const std::string line = fmt::format(
        "{:>8}  {:16}  {:{}}  {}", one.thread.id, one.thread.name.empty() ? "unknown" : printable(one.thread.name),
        state_text(one), widest_state, printable(inspector::frame_place_text(inspector::telling_frame(one.stack))));
    text += (one.thread.crashed ? painted(line, Paint::Bad) : line) + "\n";
  }
  write_stdout(text);
}

void show_groups(const std::vector<ThreadFacts>& threads) {
  std::map<size_t, std::vector<const ThreadFacts*>> groups;
  for (const ThreadFacts& one : threads) groups[one.group].push_back(&one);
  for (const auto& [number, members] : groups) {
    std::vector<std::string> names;
    for (const ThreadFacts* one : members)
      names.push_back(one->thread.name.empty() ? std::to_string(one->thread.id)
                                               : fmt::format("{} \"{}\"", one->thread.id, one->thread.name));
    const std::string heading = fmt::format("{} {}: {}", members.size(), members.size() == 1 ? "thread" : "threads",
                                            printable(fmt::format("{}", fmt::join(names, ", "))));
    write_stdout(
        fmt::format("\n{}\n{}", painted(heading, members.front()->thread.crashed ? Paint::Bad : Paint::Heading),
                    painted_stack(inspector::stack_text(members.front()->stack, inspector::Folding::Fold, 0))));
  }
}

int show_threads(const ThreadsOptions& options) {
  auto opened = open_target(options.target);
  if (!opened) return fail(opened.error());
  const inspector::Target& target = *opened->target;
  auto symbolizer = inspector::Symbolizer::create(symbol_options(options.symbols, options.target, target.modules()));
  inspector::StackReader reader(target, *symbolizer);
  std::vector<ThreadFacts> threads;
  for (const inspector::TargetThread& thread : target.threads()) {
    auto stack = reader.read(thread.id, {});
    if (!stack) return fail(stack.error());
    threads.push_back({thread, std::move(*stack), inspector::system_call_of(thread, target), 0});
  }
  find_groups(threads);
  if (options.json) {
    print_json("threads", {{"threads", to_json(threads)}, {"missing_symbols", symbolizer->missing_symbols()}});
    return kDone;
  }
  show_list(threads);
  if (options.stacks) show_groups(threads);
  return kDone;
}

void add_threads(Commands& commands) {
  auto options = std::make_shared<ThreadsOptions>();
  CLI::App* verb = commands.add(nullptr, "threads", "What each thread is doing, and which do the same",
                                "Examples:\n  mortem threads web\n  mortem threads program.core.zst --stacks");
  verb->add_option("TARGET", options->target, kTargetHelp)->required();
  verb->add_flag("--stacks", options->stacks, "Show the stacks, too: one for all threads that have the same");
  add_symbol_flags(verb, options->symbols);
  verb->add_flag("--json", options->json, "Print the facts as JSON (mortem.threads/1)");
  commands.on(verb, [options] { return show_threads(*options); });
}

const VerbRegistration threads_registration{62, {"threads"}, add_threads};

}  // namespace
}  // namespace mortem::tools
