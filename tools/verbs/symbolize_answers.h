// The questions of `mortem symbolize` and their answers: written to answer half a million a second, so without JSON and
// options, and compiled for speed.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "tools/verbs/symbolize_text.h"

namespace mortem::tools {

struct SymbolizeQuestion {
  enum class Kind : uint8_t { Code, Data, Frame, Bad } kind = Kind::Bad;
  bool finds_missing = false;     // it says that the file cannot be read: the first one, all for build ids
  std::string_view file, symbol;  // symbol: asked for by name, and `address` is the distance from it
  uint64_t address = 0, locality = 0;
  size_t answer = 0, answer_length = 0;  // in the text of all answers
};

// As llvm::StringRef::getAsInteger of radix 0: 0x, 0b, 0o and a leading 0 are understood.
std::optional<uint64_t> parse_address(std::string_view text);

// What stands for the file of a build id; nothing: that is none.
std::optional<std::string> build_id_file(std::string_view hexadecimal);

class Answerer {
 public:
  using Complain = void (*)(std::string_view);  // for what is worth a line to the user
  // `file`: the one that all addresses are in, a path or `BUILDID:` and an id in hexadecimal; empty: each line names
  // its own.
  Answerer(std::string file, const SymbolizeForm& form, uint64_t adjust, inspector::SymbolOptions where,
           Complain complain)
      : file_(std::move(file)),
        adjust_(adjust),
        text_(form, where.substitutions),
        where_(std::move(where)),
        complain_(complain) {}

  // Null: the file cannot be read, and it was said.
  inspector::index::FileSymbols* file(std::string_view name);
  // `CODE`, `DATA` or `FRAME` or neither, the file where there is none for all, an address or a name. The views of a
  // question are of the line, or live as long as this.
  SymbolizeQuestion parse(std::string_view line);
  // The answers in the order of the questions, some whole ones at a time.
  void answer(std::vector<SymbolizeQuestion>& questions, const std::function<void(std::string_view)>& to);
  // The answer of llvm-symbolizer where the file of all addresses cannot be read: in JSON only.
  std::string missing_file();

 private:
  const char* parse_place(std::string_view line, SymbolizeQuestion& question);
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
  std::set<std::string, std::less<>> build_ids_;  // of lines, with `BUILDID:`
  bool opened_ = false;                           // the last call of file() looked for one for the first time
  std::string answers_, part_;
};

}  // namespace mortem::tools
