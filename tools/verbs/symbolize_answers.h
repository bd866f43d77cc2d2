// The questions of `mortem symbolize` and their answers: written to answer half a million a second, so without JSON and
// options, and compiled for speed.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tools/verbs/symbolize_text.h"

namespace mortem::tools {

struct SymbolizeQuestion {
  enum class Kind : uint8_t { Code, Data, Name, Bad } kind = Kind::Bad;
  std::string_view file, text;
  uint64_t address = 0, locality = 0;
  size_t answer = 0, answer_length = 0;  // in the text of all answers
};

// As llvm::StringRef::getAsInteger of radix 0: 0x, 0b, 0o and a leading 0 are understood.
std::optional<uint64_t> parse_address(std::string_view text);

class Answerer {
 public:
  using Complain = void (*)(std::string_view);  // for what is worth a line to the user
  // `file`: the one that all addresses are in; empty: each line names its own.
  Answerer(std::string file, const SymbolizeForm& form, uint64_t adjust, inspector::SymbolOptions where,
           Complain complain)
      : file_(std::move(file)), adjust_(adjust), text_(form), where_(std::move(where)), complain_(complain) {}

  // Null: the file cannot be read, and it was said.
  inspector::index::FileSymbols* file(std::string_view name);
  SymbolizeQuestion parse(std::string_view line) const;
  // The answers in the order of the questions, some whole ones at a time.
  void answer(std::vector<SymbolizeQuestion>& questions, const std::function<void(std::string_view)>& to);

 private:
  std::vector<uint32_t> best_order(const std::vector<SymbolizeQuestion>& questions) const;
  void answer_one(const SymbolizeQuestion& question);

  const std::string file_;
  const uint64_t adjust_;
  SymbolizeText text_;
  const inspector::SymbolOptions where_;
  const Complain complain_;
  std::map<std::string, std::unique_ptr<inspector::index::FileSymbols>, std::less<>> files_;
  std::string last_name_ = "/";  // no file is called so
  inspector::index::FileSymbols* last_ = nullptr;
  std::string answers_, part_;
};

}  // namespace mortem::tools
