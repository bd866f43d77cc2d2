#include "tools/verbs/symbolize_answers.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace mortem::tools {

using inspector::index::FileSymbols;

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

namespace {

constexpr size_t kPart = 256 << 10;  // bytes of answers that are given on together: they fit into a processor's cache

std::string_view take_word(std::string_view& line, bool may_be_quoted) {
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

}  // namespace

FileSymbols* Answerer::file(std::string_view name) {
  if (name == last_name_) return last_;
  last_name_ = name;
  if (const auto known = files_.find(name); known != files_.end()) return last_ = known->second.get();
  auto opened = FileSymbols::open(std::filesystem::path(name), where_);
  if (!opened) complain_(opened.error().message);
  auto& place = files_[std::string(name)];
  if (opened) place = std::move(*opened);
  return last_ = place.get();
}

SymbolizeQuestion Answerer::parse(std::string_view line) const {
  SymbolizeQuestion question;
  question.text = line;
  auto take_front = [&](std::string_view word) {
    if (!line.starts_with(word)) return false;
    line.remove_prefix(word.size());
    return true;
  };
  question.kind = take_front("DATA ") ? SymbolizeQuestion::Kind::Data : SymbolizeQuestion::Kind::Code;
  if (question.kind == SymbolizeQuestion::Kind::Code) take_front("CODE ");
  question.file = file_;
  if (file_.empty()) question.file = take_word(line, true);
  const std::string_view word = take_word(line, false);
  const auto address = parse_address(word);
  question.text = word;
  if (address) {
    question.address = *address;
  } else if (word.empty()) {
    question.kind = SymbolizeQuestion::Kind::Bad;
  } else {
    question.kind = SymbolizeQuestion::Kind::Name;
  }
  return question;
}

void Answerer::answer(std::vector<SymbolizeQuestion>& questions, const std::function<void(std::string_view)>& to) {
  for (SymbolizeQuestion& question : questions)
    if (FileSymbols* file = question.kind == SymbolizeQuestion::Kind::Code ? this->file(question.file) : nullptr)
      question.locality = file->locality(question.address - adjust_);
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
  if (question.kind == SymbolizeQuestion::Kind::Bad) {
    complain_(fmt::format("'{}': no address in this line; lines are ADDRESS with --obj FILE, else FILE ADDRESS",
                          question.text));
    return text_.unknown(question.file, question.text, "no address", answers_);
  }
  FileSymbols* file = this->file(question.file);
  if (!file) return text_.unknown(question.file, question.text, "the file cannot be read", answers_);
  const uint64_t address = question.address - adjust_;
  if (question.kind == SymbolizeQuestion::Kind::Code)
    return text_.code(file, question.file, address, question.address, answers_);
  if (question.kind == SymbolizeQuestion::Kind::Data)
    return text_.data(file, question.file, address, question.address, answers_);
  const auto symbols = file->symbols_named(question.text);
  if (symbols.empty()) return text_.unknown(question.file, question.text, {}, answers_);
  for (const auto& symbol : symbols) text_.code(file, question.file, symbol.address, symbol.address, answers_);
}

}  // namespace mortem::tools
