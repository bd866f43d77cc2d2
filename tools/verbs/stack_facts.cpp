#include "tools/verbs/stack_facts.h"

#include <fmt/format.h>

#include <algorithm>

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

}  // namespace mortem::tools
