#include "pattern_matches.h"

#include <regex.h>

#include <stdexcept>

namespace mortem::test {

std::vector<std::vector<std::string>> matches_of(const char* pattern, const std::string& text) {
  regex_t compiled;
  if (regcomp(&compiled, pattern, REG_EXTENDED | REG_NEWLINE) != 0) throw std::invalid_argument(pattern);
  std::vector<std::vector<std::string>> found;
  std::vector<regmatch_t> groups(compiled.re_nsub + 1);
  for (size_t from = 0; from <= text.size();) {
    const int flags = from == 0 || text[from - 1] == '\n' ? 0 : REG_NOTBOL;
    if (regexec(&compiled, text.c_str() + from, groups.size(), groups.data(), flags) != 0) break;
    auto& match = found.emplace_back();
    for (const regmatch_t& group : groups)
      match.push_back(group.rm_so < 0 ? "" : text.substr(from + group.rm_so, group.rm_eo - group.rm_so));
    from += groups[0].rm_eo > groups[0].rm_so ? groups[0].rm_eo : groups[0].rm_eo + 1;
  }
  regfree(&compiled);
  return found;
}

}  // namespace mortem::test
