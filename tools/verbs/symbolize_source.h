// Lines of the source around a place, for `mortem symbolize --print-source-context-lines`.
#pragma once

#include <map>
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
  // `LINE  : TEXT` a line, ` >:` at `line` itself. Empty: the file is not here, or has no such lines.
  std::string around(const std::string& path, uint32_t line);

 private:
  const int count_;
  const inspector::PathRules rules_;
  std::map<std::string, std::string> files_;
};

}  // namespace mortem::tools
