#include "tools/verbs/symbolize_options.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>

namespace mortem::tools {
namespace {

// Take their value as the next argument, too.
constexpr std::array kWithValue = {"--adjust-vma",
                                   "--build-id",
                                   "--cache-size",
                                   "--debug-file-directory",
                                   "--default-arch",
                                   "--dsym-hint",
                                   "--dwp",
                                   "--exe",
                                   "--obj",
                                   "--symbols",
                                   "--debug-dir",
                                   "--fallback-debug-path",
                                   "--output-style",
                                   "--substitute",
                                   "--print-source-context-lines"};

constexpr const char* kFunctions = "--functions";  // in full, where no value follows

// Of each the last one counts.
const std::vector<std::vector<std::string>> kOneOf = {{"--basenames", "--relativenames"},
                                                      {"--inlines", "--no-inlines"},
                                                      {"--demangle", "--no-demangle"},
                                                      {"--debuginfod", "--no-debuginfod"}};

std::string other_spelling(const std::string& option) {
  if (option == "--inlining" || option == "--inlining=true") return "--inlines";
  if (option == "--inlining=false") return "--no-inlines";
  if (option == "-demangle=true" || option == "--demangle=true") return "--demangle";
  if (option == "-demangle=false" || option == "--demangle=false") return "--no-demangle";
  if (option == "--print-address") return "--addresses";
  if (option == "--color") return "--color=always";
  return option;
}

std::string long_form(char letter) {
  switch (letter) {
    case 'a':
      return "--addresses";
    case 'C':
      return "--demangle";
    case 'f':
      return kFunctions;
    case 'h':
      return "--help";
    case 'i':
      return "--inlines";
    case 'p':
      return "--pretty-print";
    case 's':
      return "--basenames";
    case 'v':
      return "--version";
    default:
      return std::string("-") + letter;  // nobody knows it, and that is said
  }
}

// `-Cfie FILE`, `-f=none`, `-eFILE`. Only -e and -f have values, and end the word.
void add_short_options(std::string_view letters, std::vector<std::string>& to) {
  for (size_t at = 0; at < letters.size(); ++at) {
    const std::string_view value = letters.substr(at + 1);
    if (letters[at] == 'e') {
      to.push_back("--obj");
      if (!value.empty()) to.back().append("=").append(value.starts_with('=') ? value.substr(1) : value);
      return;
    }
    if (letters[at] == 'f' && value.starts_with('=')) {
      to.push_back("--functions" + std::string(value));
      return;
    }
    to.push_back(long_form(letters[at]));
  }
}

// As a shell splits words: blanks, quotes, backslashes.
std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  bool is_open = false;
  char quote = 0;
  for (size_t at = 0; at < text.size(); ++at) {
    char one = text[at];
    const bool is_blank = one == ' ' || one == '\t' || one == '\n' || one == '\r';
    if (is_blank && quote == 0) {
      is_open = false;
      continue;
    }
    if (!is_open) words.emplace_back();
    is_open = true;
    if (quote != 0 && one == quote) {
      quote = 0;
      continue;
    }
    if (quote == 0 && (one == '"' || one == '\'')) {
      quote = one;
      continue;
    }
    if (one == '\\' && quote != '\'' && at + 1 < text.size()) one = text[++at];
    words.back() += one;
  }
  return words;
}

std::vector<std::string> with_files_of_options(const std::vector<std::string>& arguments) {
  std::vector<std::string> all;
  for (const std::string& one : arguments) {
    std::ifstream file(one.starts_with('@') ? one.substr(1) : std::string());
    if (!file) {
      all.push_back(one);
      continue;
    }
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    const auto words = words_of(text);
    all.insert(all.end(), words.begin(), words.end());
  }
  return all;
}

void keep_last(const std::vector<std::string>& group, std::vector<std::string>& options) {
  const auto is_one = [&](const std::string& option) { return std::ranges::find(group, option) != group.end(); };
  const auto last = std::find_if(options.rbegin(), options.rend(), is_one);
  if (last == options.rend()) return;
  const std::string kept = *last;
  std::erase_if(options, is_one);
  options.push_back(kept);
}

}  // namespace

std::vector<std::string> as_we_write_them(const std::vector<std::string>& arguments) {
  const std::vector<std::string> given = with_files_of_options(arguments);
  std::vector<std::string> options;
  for (const std::string& one : given) {
    const bool is_value = !options.empty() && std::ranges::find(kWithValue, options.back()) != kWithValue.end();
    const std::string option = other_spelling(one);
    if (is_value)
      options.back() += "=" + one;
    else if (option.starts_with("--") || !option.starts_with('-') || option.size() == 1)
      options.push_back(option);
    else
      add_short_options(std::string_view(option).substr(1), options);
  }
  std::erase(options, "");
  for (const auto& group : kOneOf) keep_last(group, options);
  // Without a value it wins over all that have one.
  if (const auto bare = std::ranges::find(options, kFunctions); bare != options.end()) {
    std::erase_if(options, [](const std::string& one) { return one.starts_with(kFunctions); });
    options.emplace_back("--functions=linkage");
  }
  return options;
}

void add_symbolize_options(CLI::App* verb, SymbolizeOptions& options) {
  SymbolizeForm& form = options.form;
  verb->add_option("address", options.addresses,
                   "Addresses in the file, or names of functions; 'DATA ADDRESS' and 'FRAME ADDRESS' in one word")
      ->type_name("ADDRESS");
  verb->add_option("-e,--obj,--exe", options.file, "The ELF file that the addresses are in")
      ->type_name("FILE")
      ->take_last();
  verb->add_option("--build-id", options.build_id, "The file by its build id, from --debug-dir and debuginfod")
      ->type_name("ID")
      ->take_last();
  verb->add_option("--output-style", options.style, "LLVM, GNU or JSON")
      ->type_name("STYLE")
      ->take_last()
      ->check(CLI::IsMember({"LLVM", "GNU", "JSON"}));
  verb->add_flag("--json", options.json, "Print the facts as JSON (mortem.symbolize/1)");
  verb->add_option("-f,--functions", options.functions, "Names of functions: -f=none, -f=short, or in full (default)")
      ->type_name("KIND")
      ->take_last()
      ->check(CLI::IsMember({"none", "short", "linkage"}));
  verb->add_flag("-i,--inlines,--inlining,!--no-inlines", form.inlines,
                 "Functions that are inlined at an address, too (default)");
  verb->add_flag("-C,--demangle,!--no-demangle", form.demangle, "C++, Rust and D names undone (default)");
  verb->add_flag("-a,--addresses,--print-address", form.addresses, "The address before its answer");
  verb->add_flag("-p,--pretty-print", form.pretty, "One line a function; JSON indented");
  verb->add_flag("-s,--basenames", options.basenames, "File names without folders");
  verb->add_flag("--relativenames", options.relative, "File names without the folder of the compilation");
  verb->add_option("--print-source-context-lines", options.source_lines, "Lines of the source around each place")
      ->type_name("COUNT")
      ->take_last();
  verb->add_flag("--verbose", form.verbose, "Where functions start, too");
  verb->add_option("--adjust-vma", options.adjust, "By how much the addresses lie above those of the file")
      ->type_name("OFFSET")
      ->take_last();
  verb->add_option("--dwp", options.package, "The package of split DWARF")
      ->type_name("FILE")
      ->take_last()
      ->check(CLI::ExistingFile);
  verb->add_option("--debug-file-directory", options.more_folders, "As --debug-dir")
      ->type_name("DIR")
      ->allow_extra_args(false);
  verb->add_option("--fallback-debug-path", options.fallback_folder, "As --debug-dir")->type_name("DIR")->take_last();
  verb->add_flag("--debuginfod,!--no-debuginfod", options.debuginfod, "Ask the servers in $DEBUGINFOD_URLS (default)");
  add_symbol_flags(verb, options.symbols);
  verb->set_version_flag("-v,--version", "mortem " MORTEM_VERSION);

  // What says nothing about ELF files of x86-64, and what is not done here.
  verb->add_option("--default-arch", options.ignored_text, "")->take_last()->group("");
  verb->add_option("--dsym-hint", options.ignored_text, "")->take_last()->group("");
  verb->add_option("--cache-size", options.ignored_number, "")->take_last()->group("");
  verb->add_option("--color", options.ignored_color, "")
      ->take_last()
      ->check(CLI::IsMember({"always", "auto", "never"}))
      ->group("");
  verb->add_flag("--relative-address", options.ignored, "")->group("");
  verb->add_flag("--untag-addresses,--no-untag-addresses", options.ignored, "")->group("");
  verb->add_flag("--dia", options.windows_library, "")->group("");
  verb->add_flag("--filter-markup", options.markup, "")->group("");
}

}  // namespace mortem::tools
