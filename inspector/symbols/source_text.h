// The text of source files: from this machine, from a checkout of the program's repository, from debuginfod servers.
#pragma once

#include <iosfwd>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "inspector/symbols/debuginfod.h"
#include "inspector/symbols/path_rules.h"
#include "inspector/symbols/symbolizer.h"

namespace mortem::inspector {

struct SourceLines {
  std::filesystem::path from;
  uint32_t first = 0;  // number of the first line
  std::vector<std::string> lines;
  bool newer = false;  // changed here after the program was built, as far as the files' times tell
};

class SourceText {
 public:
  // `checkouts`: folders in which the end of a path is looked for, the longest first (--source-dir).
  SourceText(const SymbolOptions& options, std::vector<std::filesystem::path> checkouts)
      : rules_(options.substitutions), checkouts_(std::move(checkouts)) {}

  // Lines `line` - `around` to `line` + `around` of a file that a SourceLocation names; `module`: null: none.
  // Its text in the debug information counts first: that is what the program was made of. Nothing: the source is
  // nowhere, is no text, or has no such line.
  std::optional<SourceLines> lines(Symbolizer& symbolizer, const snapshot::CoreModule* module, const std::string& file,
                                   uint32_t line, uint32_t around);

 private:
  struct Text {
    std::filesystem::path from;
    std::vector<std::string> lines;
  };
  static void read(std::istream& stream, Text& to);
  const Text& text_of(std::span<const uint8_t> build_id, const std::string& file);
  std::filesystem::path find(std::span<const uint8_t> build_id, const std::string& file);

  PathRules rules_;
  std::vector<std::filesystem::path> checkouts_;
  Debuginfod debuginfod_;
  std::map<std::string, Text> texts_;
  std::map<const char*, Text> embedded_;  // by where the debug information holds them
};

}  // namespace mortem::inspector
