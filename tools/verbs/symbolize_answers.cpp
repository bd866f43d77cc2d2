#include "tools/verbs/symbolize_answers.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>

namespace mortem::tools {

using inspector::index::FileSymbols;

// As llvm::StringRef::getAsInteger of radix 0: 0x, 0b, 0o and a leading 0 are understood.
std::optional<uint64_t> parse_address(std::string_view text) {
  int base = 10;
  auto takes = [&](std::string_view prefix) {
    if (text.size() <= prefix.size() || text[0] != '0' || (text[1] != prefix[1] && text[1] != prefix[1] - 0x20))
      return false;
    text.remove_prefix(2);
    return true;
  };
  if (takes("0x"))
    base = 16;
  else if (takes("0b"))
    base = 2;
  else if (!text.starts_with("0O") && takes("0o"))
    base = 8;
  else if (text.size() > 1 && text[0] == '0' && text[1] >= '0' && text[1] <= '9')
    base = 8;
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

namespace {

constexpr size_t kPart = 256 << 10;  // bytes of answers that are given on together: they fit into a processor's cache

constexpr std::string_view kBuildId = "BUILDID:";

// As isspace() in the C locale.
void trim_front(std::string_view& line) {
  size_t start = 0;
  while (start < line.size() && (line[start] == ' ' || (line[start] >= '\t' && line[start] <= '\r'))) ++start;
  line.remove_prefix(start);
}

// Bytes before the first blank that ends a word.
size_t word_length(std::string_view line) {
  size_t length = 0;
  while (length < line.size() && line[length] != ' ' && line[length] != '\n' && line[length] != '\r') ++length;
  return length;
}

bool take_front(std::string_view& line, std::string_view word) {
  if (!line.starts_with(word)) return false;
  line.remove_prefix(word.size());
  return true;
}

// Up to a blank, or in quotes. data() is null: nothing ends the quotes.
std::string_view take_word(std::string_view& line) {
  size_t skipped = 0, length = 0;
  if (!line.empty() && (line[0] == '"' || line[0] == '\'')) {
    length = line.substr(1).find(line[0]);
    if (length == std::string_view::npos) return {};
    skipped = 1;
  } else {
    length = word_length(line);
  }
  const std::string_view word = line.substr(skipped, length);
  line.remove_prefix(length + 2 * skipped);
  return word;
}

// Of an odd number of digits the first is a byte of its own.
std::vector<uint8_t> bytes_of_id(std::string_view digits) {
  std::vector<uint8_t> bytes;
  const std::string hexadecimal = (digits.size() % 2 == 0 ? "" : "0") + std::string(digits);
  for (size_t at = 0; at < hexadecimal.size(); at += 2) {
    uint8_t byte = 0;
    const char* const end = hexadecimal.data() + at + 2;
    const auto [stop, error] = std::from_chars(hexadecimal.data() + at, end, byte, 16);
    if (error != std::errc() || stop != end) return {};
    bytes.push_back(byte);
  }
  return bytes;
}

std::string_view shown_name(std::string_view file) {
  return file.starts_with(kBuildId) ? file.substr(kBuildId.size()) : file;
}

// In the words of the system, and of LLVM for what it finds in a file.
std::string why_unreadable(std::string_view name) {
  if (name.starts_with(kBuildId)) return "could not find build ID";
  const int file = open(std::string(name).c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return std::strerror(errno);
  struct stat facts {};
  const bool is_folder = fstat(file, &facts) == 0 && S_ISDIR(facts.st_mode);
  close(file);
  return is_folder ? std::strerror(EISDIR) : "The file was not recognized as a valid object file";
}

}  // namespace

std::optional<std::string> build_id_file(std::string_view hexadecimal) {
  const auto bytes = bytes_of_id(hexadecimal);
  if (bytes.empty()) return std::nullopt;
  std::string name(kBuildId);
  for (const uint8_t byte : bytes) name += fmt::format("{:02X}", byte);
  return name;
}

FileSymbols* Answerer::file(std::string_view name) {
  opened_ = false;
  if (name == last_name_) return last_;
  last_name_ = name;
  if (const auto known = files_.find(name); known != files_.end()) return last_ = known->second.get();
  opened_ = true;
  auto opened = name.starts_with(kBuildId) ? FileSymbols::open_build_id(bytes_of_id(shown_name(name)), where_)
                                           : FileSymbols::open(std::filesystem::path(name), where_);
  if (!opened) complain_(opened.error().message);
  auto& place = files_[std::string(name)];
  if (opened) place = std::move(*opened);
  return last_ = place.get();
}

std::string Answerer::missing_file() {
  std::string text;
  if (text_.is_json()) text_.error({shown_name(file_), 0}, why_unreadable(file_), text);
  return text;
}

SymbolizeQuestion Answerer::parse(std::string_view line) {
  while (line.ends_with('\r')) line.remove_suffix(1);
  SymbolizeQuestion question;
  question.file = file_;
  if (line.empty()) {  // asks whether anybody listens
    question.file = {};
    return question;
  }
  if (const char* const problem = parse_place(line, question)) {
    question.kind = SymbolizeQuestion::Kind::Bad;
    complain_(
        fmt::format("'{}': {}; lines are [CODE|DATA|FRAME] {}ADDRESS", line, problem, file_.empty() ? "FILE " : ""));
  }
  return question;
}

// What is wrong with the line; null: nothing.
const char* Answerer::parse_place(std::string_view line, SymbolizeQuestion& question) {
  question.kind = SymbolizeQuestion::Kind::Code;
  const auto may_be_keyword = [&] { return !line.empty() && line[0] >= 'A' && line[0] <= 'F'; };  // mostly it is none
  if (may_be_keyword() && !take_front(line, "CODE ")) {
    if (take_front(line, "DATA "))
      question.kind = SymbolizeQuestion::Kind::Data;
    else if (take_front(line, "FRAME "))
      question.kind = SymbolizeQuestion::Kind::Frame;
  }

  bool names_file = false, names_build_id = false;
  trim_front(line);
  while (may_be_keyword()) {
    bool& named = line.starts_with(kBuildId) ? names_build_id : names_file;
    if (!take_front(line, kBuildId) && !take_front(line, "FILE:")) break;
    if (names_file || names_build_id) return "it names two files";
    named = true;
    trim_front(line);
  }
  if (names_file || names_build_id) {
    if (line.empty()) return names_file ? "no file follows FILE:" : "no build id follows BUILDID:";
    if (!file_.empty()) return "it names a file, and there is one for all lines";
    const std::string_view name = take_word(line);
    if (name.empty()) return "its quotes have no end, or nothing is in them";
    if (names_file) {
      question.file = name;
    } else {
      const auto build_id = build_id_file(name);
      if (!build_id) return "its build id is not hexadecimal";
      question.file = *build_ids_.insert(*build_id).first;
    }
  } else if (file_.empty()) {
    question.file = take_word(line);
    if (question.file.empty()) return "no file in it";
  }

  trim_front(line);
  if (line.empty()) return "no address in it";
  const std::string_view word = line.substr(0, word_length(line));
  if (const auto address = parse_address(word)) {
    question.address = *address;
    return nullptr;
  }
  if (word.empty() || (word[0] >= '0' && word[0] <= '9')) return "its address is no number";
  question.symbol = word;
  const size_t plus = word.rfind('+');
  if (plus == std::string_view::npos || plus == 0) return nullptr;
  if (const auto offset = parse_address(word.substr(plus + 1))) {
    question.symbol = word.substr(0, plus);
    question.address = *offset;
  }
  return nullptr;
}

void Answerer::answer(std::vector<SymbolizeQuestion>& questions, const std::function<void(std::string_view)>& to) {
  for (SymbolizeQuestion& question : questions) {
    if (question.kind == SymbolizeQuestion::Kind::Bad) continue;
    FileSymbols* const file = this->file(question.file);
    question.finds_missing = !file && (opened_ || question.file.starts_with(kBuildId));
    if (file && question.kind == SymbolizeQuestion::Kind::Code && question.symbol.empty())
      question.locality = file->locality(question.address - adjust_);
  }
  answers_.clear();
  for (const uint32_t index : best_order(questions)) {
    SymbolizeQuestion& question = questions[index];
    question.answer = answers_.size();
    answer_one(question);
    question.answer_length = answers_.size() - question.answer;
  }
  part_.clear();
  for (const SymbolizeQuestion& question : questions) {
    part_.append(answers_, question.answer, question.answer_length);
    if (part_.size() < kPart) continue;
    to(part_);
    part_.clear();
  }
  if (!part_.empty()) to(part_);
  for (const auto& [name, file] : files_)
    if (const std::string complaint = file ? file->take_complaint() : std::string(); !complaint.empty())
      complain_(complaint);
}

// By file, then by what is near in it.
std::vector<uint32_t> Answerer::best_order(const std::vector<SymbolizeQuestion>& questions) const {
  struct Key {
    uint64_t locality = 0, address = 0;
    uint32_t file = 0, index = 0;
  };
  std::vector<Key> keys;
  keys.reserve(questions.size());
  std::map<std::string_view, uint32_t> files;
  for (const SymbolizeQuestion& one : questions) {
    const bool same = !keys.empty() && one.file == questions[keys.back().index].file;
    const uint32_t file =
        same ? keys.back().file : files.try_emplace(one.file, static_cast<uint32_t>(files.size())).first->second;
    keys.push_back({one.locality, one.address, file, static_cast<uint32_t>(keys.size())});
  }
  std::sort(keys.begin(), keys.end(), [](const Key& a, const Key& b) {
    if (a.file != b.file) return a.file < b.file;
    if (a.locality != b.locality) return a.locality < b.locality;
    return a.address != b.address ? a.address < b.address : a.index < b.index;
  });
  std::vector<uint32_t> order;
  order.reserve(keys.size());
  for (const Key& one : keys) order.push_back(one.index);
  return order;
}

void Answerer::answer_one(const SymbolizeQuestion& question) {
  using Kind = SymbolizeQuestion::Kind;
  const std::string_view module = shown_name(question.file);
  if (question.kind == Kind::Bad) return text_.invalid(module, answers_);
  FileSymbols* file = this->file(question.file);
  SymbolizeRequest request{module, std::nullopt, question.symbol};
  if (question.symbol.empty()) request.address = question.address;
  if (question.finds_missing && text_.is_json()) return text_.error(request, why_unreadable(question.file), answers_);
  const uint64_t address = question.address - adjust_;
  if (question.kind == Kind::Code) {
    if (question.symbol.empty()) return text_.code(file, request, address, answers_);
    return text_.named(file, request, question.address, answers_);
  }
  // llvm-symbolizer knows no variables and frames by name: it answers as if nothing were there.
  if (!question.symbol.empty()) file = nullptr;
  if (question.kind == Kind::Data) return text_.data(file, request, address, answers_);
  text_.frame(file, request, address, answers_);
}

}  // namespace mortem::tools
