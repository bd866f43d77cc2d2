// `mortem symbolize`: addresses in, functions and lines out; a filter with the forms of llvm-symbolizer.
#include <fcntl.h>
#include <fmt/format.h>
#include <malloc.h>
#include <poll.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "tools/output.h"
#include "tools/symbol_options.h"
#include "tools/verbs.h"
#include "tools/verbs/symbolize_answers.h"

namespace mortem::tools {
namespace {

constexpr size_t kBatch = 8 << 20;  // bytes of input that are answered together, sorted by address

struct SymbolizeOptions {
  std::vector<std::string> addresses;
  SymbolFlags symbols;
  std::string file, style = "LLVM", functions = "linkage";
  std::string adjust;
  bool basenames = false, relative = false, json = false;
  SymbolizeForm form;
};

// Objects come one a line: a list of them is made where there is an end to it.
std::string as_list(std::string_view lines) {
  std::string list(lines);
  if (!list.empty()) list.pop_back();
  // No string in them has a line break.
  for (char& one : list)
    if (one == '\n') one = ',';
  return list;
}

void write_answers(const SymbolizeOptions& options, std::string_view answers) {
  if (options.form.style == SymbolizeStyle::Json && options.form.pretty) {
    while (!answers.empty()) {
      const size_t end = answers.find('\n');
      write_stdout(nlohmann::ordered_json::parse(answers.substr(0, end), nullptr, false).dump(2) + "\n");
      answers.remove_prefix(end + 1);
    }
    return;
  }
  write_stdout(answers);
}

// Memory that one unit of debug information needed serves the next: it does not go back to the system in between. And
// it comes in large pages where the system has them (madvise(2)): the faults of small ones would be half of the time.
void keep_memory() {
  constexpr int kHeap = 256 << 20;
  mallopt(M_TRIM_THRESHOLD, 2 * kHeap);
  mallopt(M_MMAP_THRESHOLD, 2 * kHeap);
  mallopt(M_TOP_PAD, kHeap);
  constexpr uintptr_t kPage = 2 << 20;
  void* const first = malloc(kPage);  // with it the heap grows by all of that
  const uintptr_t start = (reinterpret_cast<uintptr_t>(first) + kPage - 1) / kPage * kPage,
                  end = reinterpret_cast<uintptr_t>(sbrk(0)) / kPage * kPage;
  if (first && start < end) madvise(reinterpret_cast<void*>(start), end - start, MADV_HUGEPAGE);
  free(first);
}

// Input is answered when there is much of it, or no more of it yet: whoever asks line by line gets line by line.
int filter(const SymbolizeOptions& options, Answerer& answerer) {
  std::string input, all;
  std::vector<SymbolizeQuestion> questions;
  bool ended = false;
  while (!ended) {
    const size_t before = input.size();
    input.resize(before + (1 << 18));
    const ssize_t got = read(STDIN_FILENO, input.data() + before, input.size() - before);
    if (got < 0 && errno != EINTR) return fail(fmt::format("standard input: {}", std::strerror(errno)));
    input.resize(before + static_cast<size_t>(std::max<ssize_t>(got, 0)));
    ended = got == 0;
    pollfd waiting{STDIN_FILENO, POLLIN, 0};
    if (!ended && input.size() < kBatch && poll(&waiting, 1, 0) == 1) continue;

    size_t start = 0;
    questions.reserve(static_cast<size_t>(std::count(input.begin(), input.end(), '\n')) + 1);
    while (start < input.size()) {
      size_t end = input.find('\n', start);
      if (end == std::string::npos) {
        if (!ended) break;
        end = input.size();
      }
      questions.push_back(answerer.parse(std::string_view(input).substr(start, end - start)));
      start = end + 1;
    }
    answerer.answer(questions,
                    [&](std::string_view part) { options.json ? (void)(all += part) : write_answers(options, part); });
    questions.clear();
    input.erase(0, std::min(start, input.size()));
  }
  if (options.json) print_json("symbolize", {{"addresses", nlohmann::ordered_json::parse("[" + as_list(all) + "]")}});
  return kDone;
}

int symbolize(const SymbolizeOptions& options) {
  std::optional<uint64_t> adjust = 0;
  if (!options.adjust.empty()) {
    const bool negative = options.adjust.starts_with('-');
    adjust = parse_address(std::string_view(options.adjust).substr(negative ? 1 : 0));
    if (!adjust) return fail(fmt::format("--adjust-vma {}: is no number", options.adjust));
    if (negative) adjust = -*adjust;
  }
  keep_memory();
  static Answerer* kept;  // the program ends with it: taking it apart first would cost a tenth of the time
  kept = new Answerer(options.file, options.form, *adjust, symbol_options(options.symbols),
                      [](std::string_view text) { note(printable(text)); });
  Answerer& answerer = *kept;
  if (!options.file.empty() && !answerer.file(options.file)) return kFailed;
  if (options.addresses.empty()) return filter(options, answerer);
  std::vector<SymbolizeQuestion> questions;
  for (const std::string& one : options.addresses) questions.push_back(answerer.parse(one));
  std::string output;
  answerer.answer(questions, [&](std::string_view part) { output += part; });
  if (options.json)
    print_json("symbolize", {{"addresses", nlohmann::ordered_json::parse("[" + as_list(output) + "]")}});
  else if (options.form.style == SymbolizeStyle::Json && !options.form.pretty)
    write_stdout("[" + as_list(output) + "]\n");
  else
    write_answers(options, output);
  return kDone;
}

void add_symbolize(Commands& commands) {
  auto options = std::make_shared<SymbolizeOptions>();
  CLI::App* verb = commands.add(nullptr, "symbolize", "Addresses in, functions and source lines out",
                                "Without ADDRESS, lines are read from standard input: ADDRESS with --obj, else FILE "
                                "ADDRESS. Options and output are those of llvm-symbolizer.\n\nExample:\n  "
                                "echo 0x1169 | mortem symbolize --obj ./program");
  verb->add_option("address", options->addresses, "Addresses in the file, or names of functions")->type_name("ADDRESS");
  verb->add_option("-e,--obj,--exe", options->file, "The ELF file that the addresses are in")->type_name("FILE");
  verb->add_option("--output-style", options->style, "LLVM, GNU or JSON")
      ->type_name("STYLE")
      ->check(CLI::IsMember({"LLVM", "GNU", "JSON"}));
  verb->add_flag("--json", options->json, "Print the facts as JSON (mortem.symbolize/1)");
  verb->add_option("-f,--functions", options->functions, "Names of functions: none, short or linkage")
      ->type_name("KIND")
      ->expected(0, 1)
      ->default_str("linkage")
      ->check(CLI::IsMember({"none", "short", "linkage"}));
  verb->add_flag("-i,--inlines,--inlining,!--no-inlines", options->form.inlines,
                 "Functions that are inlined at an address, too (default)");
  verb->add_flag("-C,--demangle,!--no-demangle", options->form.demangle, "C++, Rust and D names undone (default)");
  verb->add_flag("-a,--addresses,--print-address", options->form.addresses, "The address before its answer");
  verb->add_flag("-p,--pretty-print", options->form.pretty, "One line a function");
  verb->add_flag("-s,--basenames", options->basenames, "File names without folders");
  verb->add_flag("--relativenames", options->relative, "File names without the folder of the compilation");
  verb->add_flag("-v,--verbose", options->form.verbose, "Where functions start, too");
  verb->add_option("--adjust-vma", options->adjust, "By how much the addresses lie above those of the file")
      ->type_name("OFFSET");
  add_symbol_flags(verb, options->symbols);
  commands.on(verb, [options] {
    SymbolizeForm& form = options->form;
    form.style = options->json || options->style == "JSON" ? SymbolizeStyle::Json
                 : options->style == "GNU"                 ? SymbolizeStyle::Gnu
                                                           : SymbolizeStyle::Llvm;
    form.functions = options->functions == "none"    ? FunctionNameKind::None
                     : options->functions == "short" ? FunctionNameKind::Short
                                                     : FunctionNameKind::Linkage;
    form.function_start = paint_start(Paint::Function);
    form.place_start = paint_start(Paint::Place);
    form.paint_end = paint_end();
    form.paths = options->basenames ? PathKind::Name : options->relative ? PathKind::Relative : PathKind::Absolute;
    return symbolize(*options);
  });
}

const VerbRegistration symbolize_registration{85, {"symbolize"}, add_symbolize};

}  // namespace
}  // namespace mortem::tools
