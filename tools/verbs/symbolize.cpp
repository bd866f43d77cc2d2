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
#include "tools/verbs.h"
#include "tools/verbs/symbolize_answers.h"
#include "tools/verbs/symbolize_options.h"

namespace mortem::tools {
namespace {

constexpr size_t kBatch = 8 << 20;  // bytes of input that are answered together, sorted by address

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
  if (options.form.style == SymbolizeStyle::Json && options.form.pretty && !options.json) {
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

std::optional<uint64_t> parse_offset(const std::string& text) {
  const bool negative = text.starts_with('-');
  const auto value = parse_address(std::string_view(text).substr(negative ? 1 : 0));
  return value && negative ? -*value : value;
}

inspector::SymbolOptions where_to_look(const SymbolizeOptions& options) {
  inspector::SymbolOptions where = symbol_options(options.symbols);
  std::vector<std::string> more = options.more_folders;
  if (!options.fallback_folder.empty()) more.push_back(options.fallback_folder);
  where.debug_folders.insert(where.debug_folders.begin(), more.begin(), more.end());
  if (!options.package.empty()) where.package = options.package;
  return where;
}

int symbolize(SymbolizeOptions& options) {
  if (options.windows_library) return fail("--dia: there is no such library on this system; leave it out");
  if (options.markup) return fail("--filter-markup: is not done here; llvm-symbolizer --filter-markup does it");
  const auto adjust = options.adjust.empty() ? 0 : parse_offset(options.adjust);
  if (!adjust) return fail(fmt::format("--adjust-vma {}: is no number", options.adjust));
  const auto lines = options.source_lines.empty() ? 0 : parse_address(options.source_lines);
  constexpr uint64_t kMostLines = 1 << 20;
  if (!lines || *lines > kMostLines)
    return fail(fmt::format("--print-source-context-lines {}: is no number of lines", options.source_lines));
  options.form.source_lines = static_cast<int>(*lines);
  if (!options.build_id.empty()) {
    if (!options.file.empty()) return fail("--build-id and --obj both name the file; give one of them");
    const auto file = build_id_file(options.build_id);
    if (!file) return fail(fmt::format("--build-id {}: is no hexadecimal number", options.build_id));
    options.file = *file;
  }
  if (!options.debuginfod) unsetenv("DEBUGINFOD_URLS");
  keep_memory();
  static Answerer* kept;  // the program ends with it: taking it apart first would cost a tenth of the time
  kept = new Answerer(options.file, options.form, *adjust, where_to_look(options),
                      [](std::string_view text) { note(printable(text)); });
  Answerer& answerer = *kept;
  if (!options.file.empty() && !answerer.file(options.file)) {
    if (!options.json) write_answers(options, answerer.missing_file());
    return kFailed;
  }
  if (options.addresses.empty()) return filter(options, answerer);
  std::vector<SymbolizeQuestion> questions;
  for (const std::string& one : options.addresses) questions.push_back(answerer.parse(one));
  std::string output;
  answerer.answer(questions, [&](std::string_view part) { output += part; });
  if (options.json)
    print_json("symbolize", {{"addresses", nlohmann::ordered_json::parse("[" + as_list(output) + "]")}});
  else if (options.form.style == SymbolizeStyle::Json)
    write_answers(options, "[" + as_list(output) + "]\n");
  else
    write_answers(options, output);
  return kDone;
}

void add_symbolize(Commands& commands) {
  auto options = std::make_shared<SymbolizeOptions>();
  CLI::App* verb = commands.add(
      nullptr, "symbolize", "Addresses in, functions and source lines out",
      "Without ADDRESS, lines are read from standard input: ADDRESS with --obj, else FILE ADDRESS; with DATA or FRAME "
      "in front, the variable at an address or the local variables of its function. Options and output are those of "
      "llvm-symbolizer, also for programs that start it: a link of that name to mortem takes its place.\n\n"
      "Example:\n  echo 0x1169 | mortem symbolize --obj ./program");
  add_symbolize_options(verb, *options);
  commands.read_with(verb, as_we_write_them);
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
