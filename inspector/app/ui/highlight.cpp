#include "inspector/app/ui/highlight.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace mortem::inspector::app {
namespace {

constexpr std::string_view kWordsOfC[] = {
    "alignas", "alignof", "asm", "auto", "break", "case", "catch", "class", "co_await", "co_return", "co_yield", "concept",
    "const", "consteval", "constexpr", "constinit", "const_cast", "continue", "decltype", "default", "delete", "do",
    "dynamic_cast", "else", "enum", "explicit", "export", "extern", "false", "final", "for", "friend", "goto", "if", "inline",
    "mutable", "namespace", "new", "noexcept", "nullptr", "operator", "override", "private", "protected", "public",
    "register", "reinterpret_cast", "requires", "restrict", "return", "sizeof", "static", "static_assert", "static_cast",
    "struct", "switch", "template", "this", "thread_local", "throw", "true", "try", "typedef", "typeid", "typename", "union",
    "using", "virtual", "volatile", "while", "NULL"};
constexpr std::string_view kWordsOfRust[] = {
    "as", "async", "await", "break", "const", "continue", "crate", "dyn", "else", "enum", "extern", "false", "fn", "for",
    "if", "impl", "in", "let", "loop", "match", "mod", "move", "mut", "pub", "ref", "return", "self", "Self", "static",
    "struct", "super", "trait", "true", "type", "unsafe", "use", "where", "while"};
constexpr std::string_view kWordsOfGo[] = {
    "break", "case", "chan", "const", "continue", "default", "defer", "else", "fallthrough", "for", "func", "go", "goto",
    "if", "import", "interface", "map", "package", "range", "return", "select", "struct", "switch", "type", "var", "nil",
    "true", "false", "iota"};
constexpr std::string_view kTypes[] = {
    "bool", "char", "double", "float", "int", "long", "short", "signed", "unsigned", "void", "size_t", "ssize_t", "wchar_t",
    "i8", "i16", "i32", "i64", "i128", "isize", "u8", "u16", "u32", "u64", "u128", "usize", "f32", "f64", "str", "String",
    "Vec", "Option", "Result", "Box", "byte", "error", "int8", "int16", "int32", "int64", "rune", "string", "uint", "uint8",
    "uint16", "uint32", "uint64", "uintptr", "float32", "float64", "complex64", "complex128"};

template <size_t N>
bool is_one_of(const std::string_view (&words)[N], std::string_view word) {
  return std::find(std::begin(words), std::end(words), word) != std::end(words);
}

bool is_letter(char letter) { return std::isalnum(static_cast<unsigned char>(letter)) || letter == '_' || (letter & 0x80); }

class Highlighter {
 public:
  Highlighter(Language language, std::string_view line, OpenText& open) : language_(language), line_(line), open_(open) {}

  std::vector<Span> spans() {
    if (language_ == Language::Other) {
      add(line_.size(), Tint::Text);
      return std::move(spans_);
    }
    go_on_with_open_text();
    if (language_ == Language::C && at_ == 0) preprocessor();
    while (at_ < line_.size()) next();
    return std::move(spans_);
  }

 private:
  void add(size_t to, Tint tint, bool is_name = false) {
    if (to > at_) spans_.push_back({at_, to, tint, is_name});
    at_ = to;
  }
  bool begins(std::string_view text) const { return line_.substr(at_).starts_with(text); }

  void until(std::string_view end, Tint tint, OpenText kind) {
    const size_t found = line_.find(end, at_);
    if (found == std::string_view::npos) {
      open_ = kind;
      add(line_.size(), tint);
    } else {
      open_ = OpenText::None;
      add(found + end.size(), tint);
    }
  }

  void go_on_with_open_text() {
    if (open_ == OpenText::Comment) until("*/", Tint::Comment, OpenText::Comment);
    if (open_ == OpenText::RawString) until("`", Tint::String, OpenText::RawString);
  }

  void preprocessor() {
    const size_t first = line_.find_first_not_of(" \t");
    if (first == std::string_view::npos || line_[first] != '#') return;
    size_t end = line_.find_first_not_of(" \t", first + 1);
    while (end < line_.size() && is_letter(line_[end])) ++end;
    add(std::min(end, line_.size()), Tint::Preprocessor);
  }

  void quoted(char quote) {
    size_t end = at_ + 1;
    while (end < line_.size() && line_[end] != quote) end += line_[end] == '\\' ? 2 : 1;
    add(std::min(end + 1, line_.size()), Tint::String);
  }

  void word() {
    size_t end = at_;
    while (end < line_.size() && is_letter(line_[end])) ++end;
    const std::string_view word = line_.substr(at_, end - at_);
    const bool keyword = language_ == Language::C      ? is_one_of(kWordsOfC, word)
                         : language_ == Language::Rust ? is_one_of(kWordsOfRust, word)
                                                       : is_one_of(kWordsOfGo, word);
    const size_t behind = line_.find_first_not_of(" \t", end);
    const bool macro = language_ == Language::Rust && end < line_.size() && line_[end] == '!';
    if (keyword)
      add(end, Tint::Keyword);
    else if (is_one_of(kTypes, word) || word.ends_with("_t"))
      add(end, Tint::Type);
    else if (macro || (behind != std::string_view::npos && line_[behind] == '('))
      add(end, Tint::Function);
    else
      add(end, Tint::Text, true);
  }

  void number() {
    size_t end = at_;
    while (end < line_.size() && (is_letter(line_[end]) || line_[end] == '.' || line_[end] == '\'')) ++end;
    add(end, Tint::Number);
  }

  void next() {
    const char letter = line_[at_];
    if (begins("//")) {
      add(line_.size(), Tint::Comment);
    } else if (begins("/*")) {
      const size_t from = at_;
      const size_t found = line_.find("*/", from + 2);
      if (found == std::string_view::npos) open_ = OpenText::Comment;
      add(found == std::string_view::npos ? line_.size() : found + 2, Tint::Comment);
    } else if (letter == '"') {
      quoted('"');
    } else if (letter == '`' && language_ == Language::Go) {
      const size_t found = line_.find('`', at_ + 1);
      if (found == std::string_view::npos) open_ = OpenText::RawString;
      add(found == std::string_view::npos ? line_.size() : found + 1, Tint::String);
    } else if (letter == '\'') {
      // A lifetime of Rust has no second quote.
      const bool lifetime = language_ == Language::Rust && at_ + 2 < line_.size() && line_[at_ + 2] != '\'' && line_[at_ + 1] != '\\';
      if (lifetime)
        add(at_ + 1, Tint::Type);
      else
        quoted('\'');
    } else if (std::isdigit(static_cast<unsigned char>(letter))) {
      number();
    } else if (is_letter(letter)) {
      word();
    } else {
      size_t end = at_ + 1;
      while (end < line_.size() && !is_letter(line_[end]) && line_[end] != '"' && line_[end] != '\'' && line_[end] != '/' &&
             line_[end] != '`')
        ++end;
      add(end, Tint::Text);
    }
  }

  Language language_;
  std::string_view line_;
  OpenText& open_;
  size_t at_ = 0;
  std::vector<Span> spans_;
};

}  // namespace

Language language_of(std::string_view file) {
  const auto ends = [file](std::initializer_list<std::string_view> endings) {
    return std::any_of(endings.begin(), endings.end(), [file](std::string_view one) { return file.ends_with(one); });
  };
  if (ends({".c", ".h", ".cc", ".cpp", ".cxx", ".hpp", ".hh", ".hxx", ".inl", ".ipp", ".tcc", ".S"})) return Language::C;
  if (ends({".rs"})) return Language::Rust;
  if (ends({".go"})) return Language::Go;
  // Headers of C++'s library have no ending.
  return file.find("/include/") != std::string_view::npos ? Language::C : Language::Other;
}

std::vector<Span> highlight(Language language, std::string_view line, OpenText& open) {
  return Highlighter(language, line, open).spans();
}

}  // namespace mortem::inspector::app
