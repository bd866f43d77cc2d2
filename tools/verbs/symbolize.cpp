// `mortem symbolize`: addresses in, functions and lines out; a filter with the forms of llvm-symbolizer.
#include <fcntl.h>
#include <fmt/format.h>
#include <malloc.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <map>
#include <memory>

#include "tools/output.h"
#include "tools/symbol_options.h"
#include "tools/verbs.h"
#include "tools/verbs/symbolize_text.h"

namespace mortem::tools {
namespace {

using inspector::index::FileSymbols;

constexpr size_t kBatch = 8 << 20;  // bytes of input that are answered together, sorted by address

struct SymbolizeOptions {
  std::vector<std::string> addresses;
  SymbolFlags symbols;
  std::string file, style = "LLVM", functions = "linkage";
  std::string adjust;
  bool basenames = false, relative = false, json = false;
  SymbolizeForm form;
};

struct Question {
  enum class Kind : uint8_t { Code, Data, Name, Bad } kind = Kind::Bad;
  std::string_view file, text;
  uint64_t address = 0, locality = 0;
  size_t answer = 0, answer_length = 0;  // in the text of all answers
};

// As llvm::StringRef::getAsInteger of radix 0: 0x, 0b, 0o and a leading 0 are understood.
std::optional<uint64_t> parse_address(std::string_view text) {
  int base = 10;
  auto takes = [&](std::string_view prefix) {
    if (text.size() <= prefix.size() || text[0] != '0' || (text[1] | 0x20) != prefix[1]) return false;
    text.remove_prefix(2);
    return true;
  };
  if (takes("0x"))
    base = 16;
  else if (takes("0b"))
    base = 2;
  else if (takes("0o"))
    base = 8;
  else if (text.size() > 1 && text[0] == '0' && text[1] >= '0' && text[1] <= '9')
    base = 8;
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

class Answerer {
 public:
  Answerer(const SymbolizeOptions& options, uint64_t adjust)
      : options_(options), adjust_(adjust), text_(options.form), where_(symbol_options(options.symbols)) {}

  // Nothing: the file cannot be read, and it was said.
  FileSymbols* file(std::string_view name) {
    if (name == last_name_) return last_;
    last_name_ = name;
    if (const auto known = files_.find(name); known != files_.end()) return last_ = known->second.get();
    auto opened = FileSymbols::open(std::filesystem::path(name), where_);
    if (!opened) note(opened.error().message);
    auto& place = files_[std::string(name)];
    if (opened) place = std::move(*opened);
    return last_ = place.get();
  }

  Question parse(std::string_view line) {
    Question question;
    question.text = line;
    auto take_front = [&](std::string_view word) {
      if (!line.starts_with(word)) return false;
      line.remove_prefix(word.size());
      return true;
    };
    question.kind = take_front("DATA ") ? Question::Kind::Data : Question::Kind::Code;
    if (question.kind == Question::Kind::Code) take_front("CODE ");
    question.file = options_.file;
    if (options_.file.empty()) question.file = take_word(line, true);
    const std::string_view word = take_word(line, false);
    const auto address = parse_address(word);
    question.text = word;
    if (address) {
      question.address = *address;
    } else if (word.empty()) {
      question.kind = Question::Kind::Bad;
    } else {
      question.kind = Question::Kind::Name;
    }
    return question;
  }

  // The answers in the order of the questions.
  void answer(std::vector<Question>& questions, std::string& to) {
    std::vector<uint32_t> order(questions.size());
    for (size_t index = 0; index < order.size(); ++index) order[index] = static_cast<uint32_t>(index);
    for (Question& question : questions)
      if (FileSymbols* file = question.kind == Question::Kind::Code ? this->file(question.file) : nullptr)
        question.locality = file->locality(question.address + adjust_);
    std::stable_sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
      const Question &left = questions[a], &right = questions[b];
      if (left.file.data() != right.file.data())
        if (const int files = left.file.compare(right.file); files != 0) return files < 0;
      return left.locality != right.locality ? left.locality < right.locality : left.address < right.address;
    });
    answers_.clear();
    for (const uint32_t index : order) {
      Question& question = questions[index];
      question.answer = answers_.size();
      answer_one(question);
      question.answer_length = answers_.size() - question.answer;
    }
    to.reserve(to.size() + answers_.size());
    for (const Question& question : questions) to.append(answers_, question.answer, question.answer_length);
    for (const auto& [name, file] : files_)
      if (const std::string complaint = file ? file->take_complaint() : std::string(); !complaint.empty())
        note(printable(complaint));
  }

 private:
  static std::string_view take_word(std::string_view& line, bool may_be_quoted) {
    const auto is_space = [](char one) { return one == ' ' || one == '\t' || one == '\r' || one == '\n'; };
    while (!line.empty() && is_space(line.front())) line.remove_prefix(1);
    size_t length = 0;
    if (may_be_quoted && !line.empty() && (line[0] == '"' || line[0] == '\'')) {
      const size_t end = line.find(line[0], 1);
      const std::string_view word = line.substr(1, end == std::string_view::npos ? end : end - 1);
      line.remove_prefix(end == std::string_view::npos ? line.size() : end + 1);
      return word;
    }
    while (length < line.size() && !is_space(line[length])) ++length;
    const std::string_view word = line.substr(0, length);
    line.remove_prefix(length);
    return word;
  }

  void answer_one(const Question& question) {
    if (question.kind == Question::Kind::Bad) {
      note(fmt::format("'{}': no address in this line; lines are ADDRESS with --obj FILE, else FILE ADDRESS",
                       printable(question.text)));
      return text_.unknown(question.file, question.text, "no address", answers_);
    }
    FileSymbols* file = this->file(question.file);
    if (!file) return text_.unknown(question.file, question.text, "the file cannot be read", answers_);
    const uint64_t address = question.address + adjust_;
    if (question.kind == Question::Kind::Code)
      return text_.code(file, question.file, address, question.address, answers_);
    if (question.kind == Question::Kind::Data)
      return text_.data(file, question.file, address, question.address, answers_);
    const auto symbols = file->symbols_named(question.text);
    if (symbols.empty()) return text_.unknown(question.file, question.text, {}, answers_);
    for (const auto& symbol : symbols) text_.code(file, question.file, symbol.address, symbol.address, answers_);
  }

  const SymbolizeOptions& options_;
  uint64_t adjust_;
  SymbolizeText text_;
  inspector::SymbolOptions where_;
  std::map<std::string, std::unique_ptr<FileSymbols>, std::less<>> files_;
  std::string last_name_ = "/";  // no file is called so
  FileSymbols* last_ = nullptr;
  std::string answers_;
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

// Input is answered when there is much of it, or no more of it yet: whoever asks line by line gets line by line.
int filter(const SymbolizeOptions& options, Answerer& answerer) {
  std::string input, output, all;
  std::vector<Question> questions;
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
    while (start < input.size()) {
      size_t end = input.find('\n', start);
      if (end == std::string::npos) {
        if (!ended) break;
        end = input.size();
      }
      questions.push_back(answerer.parse(std::string_view(input).substr(start, end - start)));
      start = end + 1;
    }
    answerer.answer(questions, output);
    questions.clear();
    input.erase(0, std::min(start, input.size()));
    if (options.json)
      all += output;
    else
      write_answers(options, output);
    output.clear();
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
  // Memory that one unit of debug information needed serves the next: it does not go back to the system in between.
  mallopt(M_TRIM_THRESHOLD, 512 << 20);
  mallopt(M_MMAP_THRESHOLD, 512 << 20);
  mallopt(M_TOP_PAD, 16 << 20);
  static Answerer* kept;  // the program ends with it: taking it apart first would cost a tenth of the time
  kept = new Answerer(options, *adjust);
  Answerer& answerer = *kept;
  if (!options.file.empty() && !answerer.file(options.file)) return kFailed;
  if (options.addresses.empty()) return filter(options, answerer);
  std::vector<Question> questions;
  for (const std::string& one : options.addresses) questions.push_back(answerer.parse(one));
  std::string output;
  answerer.answer(questions, output);
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
  verb->add_option("--adjust-vma", options->adjust, "Added to every address")->type_name("OFFSET");
  add_symbol_flags(verb, options->symbols);
  commands.on(verb, [options] {
    SymbolizeForm& form = options->form;
    form.style = options->json || options->style == "JSON" ? SymbolizeStyle::Json
                 : options->style == "GNU"                 ? SymbolizeStyle::Gnu
                                                           : SymbolizeStyle::Llvm;
    form.functions = options->functions == "none"    ? FunctionNameKind::None
                     : options->functions == "short" ? FunctionNameKind::Short
                                                     : FunctionNameKind::Linkage;
    form.paths = options->basenames ? PathKind::Name : options->relative ? PathKind::Relative : PathKind::Absolute;
    return symbolize(*options);
  });
}

const VerbRegistration symbolize_registration{85, add_symbolize};

}  // namespace
}  // namespace mortem::tools
