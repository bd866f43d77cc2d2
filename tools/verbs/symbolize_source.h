// Lines of the source around a place, for `mortem symbolize --print-source-context-lines`.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "inspector/symbols/path_rules.h"

namespace mortem::tools {

class SourceContext {
 public:
  // `count`: of lines; 0: none are wanted.
  SourceContext(int count, std::vector<std::pair<std::string, std::string>> substitutions)
      : count_(count), rules_(std::move(substitutions)) {}
  // `LINE  : TEXT` a line, ` >:` at `line` itself. Empty: the file is not here, or has no such lines. `embedded`: its
  // text in the debug information, which counts first.
  std::string around(const std::string& path, uint32_t line, std::optional<std::string_view> embedded);

 private:
  const std::string& file(const std::string& path);

  const int count_;
  const inspector::PathRules rules_;
  std::map<std::string, std::string> files_;
};

}  // namespace mortem::tools
