// The lines of a source file around one, where the file is on this machine.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace mortem::inspector {

struct SourceText {
  uint32_t first = 0;  // number of the first line
  std::vector<std::string> lines;
  bool newer = false;  // the file was changed after the program was built, as far as their times tell
};

// `around` lines before and behind. Empty: the file is not here, has no such line, or is no text. `program`: the file
// that was built of it; empty: unknown.
SourceText source_text(const std::string& file, uint32_t line, uint32_t around, const std::string& program);

}  // namespace mortem::inspector
