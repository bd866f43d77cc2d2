// `mortem print`: the variables of a frame, or the value of an expression over them.
#include <fmt/format.h>

#include <memory>

#include "inspector/analysis/file_backed_target.h"
#include "inspector/values/describe.h"
#include "inspector/values/evaluate.h"
#include "tools/output.h"
#include "tools/symbol_options.h"
#include "tools/target.h"
#include "tools/verbs.h"
#include "tools/verbs/contained.h"
#include "tools/verbs/stack_facts.h"
#include "tools/verbs/value_facts.h"

namespace mortem::tools {
namespace {

using nlohmann::ordered_json;

struct PrintOptions {
  std::string dump, expression;
  SymbolFlags symbols;
  uint32_t thread = 0;
  size_t frame = 0;
  bool has_thread = false, has_frame = false, has_expression = false;
  bool all_frames = false, json = false;
  inspector::DescribeOptions describe;
};

class PrintVerb {
 public:
  PrintVerb(const PrintOptions& options, const inspector::Target& target, inspector::Symbolizer& symbolizer)
      : options_(options),
        files_(target, symbolizer),
        memory_(target, files_, inspector::BackingFiles::WithId),
        reader_(memory_, symbolizer),
        program_(memory_, symbolizer, reader_),
        symbolizer_(symbolizer) {
    for (const inspector::TargetThread& one : target.threads())
      if (one.crashed && !options_.has_thread) thread_ = one.id;
    if (thread_ == 0 && !target.threads().empty()) thread_ = target.threads().front().id;
    if (options_.has_thread) thread_ = options_.thread;
  }

  int run() {
    auto stack = program_.stack(thread_);
    if (!stack) {
      note(fmt::format("{}; mortem info shows the threads", stack.error().message));
      return kProblem;
    }
    stack_ = *stack;
    return options_.has_expression ? print_expression() : print_variables();
  }

 private:
  // The innermost frame that has variables, unless one was asked for.
  size_t chosen_frame() {
    if (options_.has_frame) return options_.frame;
    for (size_t index = 0; index < stack_->frames.size(); ++index)
      if (auto frame = program_.frame(thread_, index); frame && frame->variables()) return index;
    return 0;
  }

  std::string heading(size_t index) const {
    const inspector::Frame& frame = stack_->frames[index];
    std::string text = fmt::format("#{} {}", index,
                                   painted(frame.function.empty() ? "??" : printable(frame.function), Paint::Function));
    if (!frame.file.empty()) text += painted(printable(fmt::format(" at {}:{}", frame.file, frame.line)), Paint::Place);
    if (frame.trust != inspector::Trust::Registers && frame.trust != inspector::Trust::Cfi)
      text += fmt::format(" [{}]", inspector::trust_name(frame.trust));
    return text + "\n";
  }

  // "int count = 5" and a newline.
  static std::string variable_text(const std::string& name, const inspector::ValueNode& node) {
    return fmt::format("{} {} = {}", painted(printable(node.type), Paint::Faint),
                       painted(printable(name), Paint::Heading), printable_lines(inspector::value_text(node)));
  }

  ordered_json frame_facts_of(size_t index) const {
    const inspector::Frame& frame = stack_->frames[index];
    return {{"number", index},
            {"pc", fmt::format("{:#x}", frame.pc)},
            {"function", text_or_null(frame.function)},
            {"file", text_or_null(frame.file)},
            {"line", number_or_null(frame.line)},
            {"inlined", frame.inlined},
            {"trust", inspector::trust_name(frame.trust)}};
  }

  int finish(ordered_json facts) {
    if (options_.json) {
      facts["missing_symbols"] = symbolizer_.missing_symbols();
      print_json("print", std::move(facts));
    }
    return kDone;
  }

  int print_expression() {
    const size_t index = chosen_frame();
    auto frame = program_.frame(thread_, index);
    if (!frame) {
      note(fmt::format("{}; mortem bt shows the frames", frame.error().message));
      return kProblem;
    }
    auto value = inspector::evaluate(program_, &*frame, options_.expression);
    if (!value) return fail(printable(value.error().message));
    const inspector::ValueNode node = inspector::describe(program_, *value, options_.describe);
    if (!options_.json) {
      write_stdout(variable_text(options_.expression, node));
    }
    finish({{"thread", thread_},
            {"expression", options_.expression},
            {"frame", frame_facts_of(index)},
            {"value", value_facts(node)},
            {"frames", ordered_json::array()}});
    return node.known ? kDone : kProblem;
  }

  int print_variables() {
    ordered_json frames = ordered_json::array();
    const size_t chosen = options_.all_frames ? 0 : chosen_frame();
    const size_t end = options_.all_frames ? stack_->frames.size() : chosen + 1;
    for (size_t index = chosen; index < end; ++index) {
      auto frame = program_.frame(thread_, index);
      if (!frame) {
        note(fmt::format("{}; mortem bt shows the frames", frame.error().message));
        return kProblem;
      }
      auto variables = frame->variables();
      ordered_json facts = frame_facts_of(index);
      facts["problem"] = text_or_null(variables ? "" : variables.error().message);
      facts["variables"] = ordered_json::array();
      std::string text = heading(index);
      if (!variables) {
        text += fmt::format("  (no variables: {})\n", printable(variables.error().message));
      } else {
        if (variables->empty()) text += "  (no variables)\n";
        for (const inspector::Variable& one : *variables) {
          inspector::ValueNode node = inspector::describe(program_, one.value, options_.describe);
          node.name = one.name;
          ordered_json described = value_facts(node);
          described["parameter"] = one.parameter;
          described["shadowed"] = one.shadowed;
          described["line"] = number_or_null(one.line);
          facts["variables"].push_back(std::move(described));
          std::string lines = variable_text(one.name, node);
          lines.pop_back();
          for (size_t at = 0; (at = lines.find('\n', at)) != std::string::npos; at += 3) lines.insert(at + 1, "  ");
          text += fmt::format("  {}{}\n", lines, one.shadowed ? " (shadowed)" : "");
        }
      }
      if (!options_.json) write_stdout(text);
      frames.push_back(std::move(facts));
    }
    return finish({{"thread", thread_},
                   {"expression", nullptr},
                   {"frame", nullptr},
                   {"value", nullptr},
                   {"frames", std::move(frames)}});
  }

  const PrintOptions& options_;
  inspector::StackReader files_;
  const inspector::FileBackedTarget memory_;
  inspector::StackReader reader_;
  inspector::ProgramValues program_;
  inspector::Symbolizer& symbolizer_;
  uint32_t thread_ = 0;
  const inspector::Stack* stack_ = nullptr;
};

int run_print(const PrintOptions& options) {
  auto opened = open_target(options.dump);
  if (!opened) return fail(opened.error());
  const inspector::Target& target = *opened->target;
  auto symbolizer = inspector::Symbolizer::create(symbol_options(options.symbols, options.dump, target.modules()));
  return PrintVerb(options, target, *symbolizer).run();
}

void add_print_verb(Commands& commands) {
  auto options = std::make_shared<PrintOptions>();
  CLI::App* verb = commands.add(nullptr, "print", "Shows variables of a dump or core, and expressions over them",
                                "Without an expression: all parameters and locals of the frame. Expressions are C's: "
                                "members, indices, dereferences, casts, arithmetic, $registers, a@n for n elements.\n"
                                "Examples:\n  mortem print program.core.zst\n"
                                "  mortem print program.core.zst 'req->headers[2]' --thread 7 --frame 3");
  verb->add_option("TARGET", options->dump, kTargetHelp)->required()->type_name("TARGET");
  CLI::Option* expression =
      verb->add_option("expression", options->expression, "What to show")->type_name("EXPRESSION");
  CLI::Option* thread =
      verb->add_option("--thread", options->thread, "The thread of this id; the crashed one without it")
          ->type_name("N");
  CLI::Option* frame =
      verb->add_option("--frame", options->frame,
                       "The frame of this number in mortem bt; the innermost with variables without it")
          ->type_name("N")
          ->check(CLI::Range(0, 1'000'000));
  verb->add_flag("--all-frames", options->all_frames, "The variables of all frames of the thread")->excludes(frame);
  verb->add_option("--offset", options->describe.offset, "The first element of a container to show")->type_name("N");
  verb->add_option("--limit", options->describe.limit, "Elements of a container at most")
      ->type_name("N")
      ->capture_default_str();
  verb->add_option("--string-limit", options->describe.string_limit, "Characters of a string at most")
      ->type_name("N")
      ->capture_default_str()
      ->check(CLI::Range(1, 1 << 20));
  verb->add_flag("--raw", options->describe.raw, "Containers as the structures they are");
  add_symbol_flags(verb, options->symbols);
  verb->add_flag("--json", options->json, "Print the facts as JSON (mortem.print/1)");
  commands.on(verb, [options, thread, frame, expression] {
    options->has_thread = thread->count() > 0;
    options->has_frame = frame->count() > 0;
    options->has_expression = expression->count() > 0;
    return contained([&] { return run_print(*options); });
  });
}

const VerbRegistration print_registration{65, {"print"}, add_print_verb};

}  // namespace
}  // namespace mortem::tools
