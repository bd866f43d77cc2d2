#include "tools/replay/places.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "tools/files.h"
#include "tools/output.h"

namespace mortem::tools {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

namespace {

constexpr const char *kBegin = "begin", *kCrash = "crash", *kEnd = "end";
constexpr const char *kMarksFile = "marks.json", *kMarksSchema = "mortem.marks/1";
constexpr size_t kLongestName = 64;

bool is_count(const std::string& place) {
  return !place.empty() && place.size() < 19 && place.find_first_not_of("0123456789") == std::string::npos;
}

bool is_fixed(const std::string& place) {
  return place == kBegin || place == kCrash || place == kEnd;
}

bool is_name(const std::string& place) {
  return !place.empty() && place.size() <= kLongestName && !is_fixed(place) &&
         place.find_first_not_of("0123456789") != std::string::npos &&
         place.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") ==
             std::string::npos;
}

}  // namespace

Result<Marks> read_marks(const fs::path& folder) {
  const fs::path path = folder / kMarksFile;
  std::error_code error;
  if (!fs::exists(path, error)) return Marks();
  try {
    const ordered_json document = ordered_json::parse(TRY(read_text_file(path)));
    if (document.at("schema") != kMarksSchema)
      return failure(ErrorKind::Unsupported, path.string() + ": not marks that this mortem knows");
    return document.at("marks").get<Marks>();
  } catch (const ordered_json::exception& problem) {
    return failure(ErrorKind::BadInput, fmt::format("{}: {}", path.string(), problem.what()));
  }
}

Result<void> set_mark(const fs::path& folder, const std::string& name, uint64_t instructions) {
  if (!is_name(name))
    return failure(ErrorKind::BadInput,
                   fmt::format("{}: a mark's name has letters, digits, - _ . and is not begin, crash, end or a number",
                               printable(name)));
  Marks marks = TRY(read_marks(folder));
  marks[name] = instructions;
  const ordered_json document = {{"schema", kMarksSchema}, {"marks", marks}};
  return write_file_atomically(folder / kMarksFile, document.dump(2) + "\n");
}

Result<void> check_place(const Recording& recording, const std::string& place) {
  if (place == kCrash && !recording.end.starts_with("crash"))
    return failure(ErrorKind::BadInput,
                   fmt::format("{}: {} ended otherwise: {}", place, recording.folder().string(), recording.end));
  if (is_fixed(place) || is_count(place)) return {};
  const Marks marks = TRY(read_marks(recording.folder()));
  if (marks.contains(place)) return {};
  std::string known;
  for (const auto& [name, at] : marks) known += fmt::format(", {}", name);
  return failure(ErrorKind::BadInput,
                 fmt::format("{}: begin, crash, end, a count of instructions, or a mark{}", printable(place),
                             known.empty() ? " (there are none)" : ":" + known.substr(1)));
}

Result<HistoryEvent> go_to_place(History& history, const std::string& place) {
  if (place == kBegin) return history.go_to(history.first());
  if (place == kEnd) return history.go_to(history.last());
  if (place == kCrash) return history.go_to_crash();
  if (is_count(place)) return history.go_to(std::stoull(place));
  const Marks marks = TRY(read_marks(history.recording().folder()));
  const auto mark = marks.find(place);
  if (mark == marks.end()) return failure(ErrorKind::NotFound, fmt::format("{}: no such mark", printable(place)));
  return history.go_to(mark->second);
}

}  // namespace mortem::tools
