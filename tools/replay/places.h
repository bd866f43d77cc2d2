// Places in a recording by name: begin, crash, end, counts of instructions, and marks, which are kept in its folder.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "snapshot/result.h"
#include "tools/replay/history.h"

namespace mortem::tools {

using Marks = std::map<std::string, uint64_t>;  // instructions since the beginning

// No marks: there is no such file.
Result<Marks> read_marks(const std::filesystem::path& folder);
// Again under the same name: it is moved.
Result<void> set_mark(const std::filesystem::path& folder, const std::string& name, uint64_t instructions);

// An error names the place and what there is.
Result<void> check_place(const Recording& recording, const std::string& place);
// Without regard to points that are set.
Result<HistoryEvent> go_to_place(History& history, const std::string& place);

}  // namespace mortem::tools
