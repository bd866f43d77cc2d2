#include "tools/verbs/stack_facts.h"

#include <fmt/format.h>

#include <algorithm>

#include "inspector/analysis/stack_text.h"
#include "tools/output.h"

namespace mortem::tools {

using nlohmann::ordered_json;

ordered_json text_or_null(const std::string& text) {
  return text.empty() ? ordered_json(nullptr) : ordered_json(text);
}
ordered_json number_or_null(uint64_t number) {
  return number == 0 ? ordered_json(nullptr) : ordered_json(number);
}

namespace {

ordered_json frame_facts(const inspector::Frame& frame) {
  ordered_json facts;
  facts["pc"] = fmt::format("{:#x}", frame.pc);
  facts["function"] = text_or_null(frame.function);
  facts["file"] = text_or_null(frame.file);
  facts["line"] = number_or_null(frame.line);
  facts["column"] = number_or_null(frame.column);
  facts["inlined"] = frame.inlined;
  facts["signal_frame"] = frame.signal_frame;
  facts["module"] = text_or_null(frame.module);
  facts["module_offset"] = text_or_null(frame.module.empty() ? "" : fmt::format("{:#x}", frame.module_offset));
  facts["kernel"] = frame.kernel;
  facts["trust"] = inspector::trust_name(frame.trust);
  return facts;
}

}  // namespace

ordered_json stack_facts(const inspector::Stack& stack) {
  ordered_json facts;
  facts["id"] = stack.thread;
  facts["name"] = text_or_null(stack.thread_name);
  facts["crashed"] = stack.crashed;
  facts["frames"] = ordered_json::array();
  for (const inspector::Frame& frame : stack.frames) facts["frames"].push_back(frame_facts(frame));
  facts["end"] = stack.end;
  facts["recursions"] = ordered_json::array();
  for (const inspector::Recursion& one : stack.recursions)
    facts["recursions"].push_back({{"first", one.first}, {"period", one.period}, {"count", one.count}});
  return facts;
}

std::string printable_lines(const std::string& text) {
  std::string result;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    result += printable(text.substr(at, end - at)) + "\n";
    at = end + 1;
  }
  return result;
}

std::string painted_heading(const inspector::Stack& stack) {
  return painted(printable(inspector::stack_heading(stack)), stack.crashed ? Paint::Bad : Paint::Heading);
}

// Lines of frames are `#0   0x… in FUNCTION () at FILE:LINE`, or `from MODULE+0x…`.
std::string painted_stack(const std::string& stack_text) {
  std::string result;
  for (size_t at = 0; at < stack_text.size();) {
    const size_t end = std::min(stack_text.find('\n', at), stack_text.size());
    const std::string line = printable(stack_text.substr(at, end - at));
    at = end + 1;
    const size_t in = line.find(" in ");
    if (!line.starts_with('#') || in == std::string::npos) {
      result += painted(line, Paint::Faint) + "\n";
      continue;
    }
    const size_t function = in + 4, at_file = line.rfind(" at ");
    const size_t place = at_file != std::string::npos ? at_file : line.rfind(" from ");
    const size_t name_end = place == std::string::npos || place < function ? line.size() : place;
    result += painted(line.substr(0, function), Paint::Faint) +
              painted(line.substr(function, name_end - function), Paint::Function) +
              painted(line.substr(name_end), Paint::Place) + "\n";
  }
  return result;
}

}  // namespace mortem::tools
