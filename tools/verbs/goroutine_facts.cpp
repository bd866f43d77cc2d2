#include "tools/verbs/goroutine_facts.h"

#include <fmt/format.h>

#include "inspector/analysis/stack_text.h"
#include "tools/output.h"
#include "tools/verbs/stack_facts.h"

namespace mortem::tools {

nlohmann::ordered_json goroutine_facts(const inspector::Goroutine& goroutine) {
  nlohmann::ordered_json facts;
  facts["id"] = goroutine.id;
  facts["state"] = goroutine.state;
  facts["wait_reason"] = text_or_null(goroutine.wait_reason);
  facts["system"] = goroutine.system;
  facts["thread"] = goroutine.thread ? nlohmann::ordered_json(*goroutine.thread) : nlohmann::ordered_json(nullptr);
  facts["panic"] = text_or_null(goroutine.panic);
  facts["created_by"] = nullptr;
  if (!goroutine.created_by.function.empty())
    facts["created_by"] = {{"function", goroutine.created_by.function},
                           {"file", text_or_null(goroutine.created_by.file)},
                           {"line", number_or_null(goroutine.created_by.line)}};
  facts["creator"] = goroutine.creator ? nlohmann::ordered_json(*goroutine.creator) : nlohmann::ordered_json(nullptr);
  const auto stack = stack_facts(goroutine.stack);
  for (const char* key : {"frames", "end", "recursions"}) facts[key] = stack[key];
  return facts;
}

std::string goroutine_text(const inspector::Goroutine& goroutine, size_t limit) {
  std::string text = fmt::format("Goroutine {} [{}]", goroutine.id,
                                 goroutine.wait_reason.empty() ? goroutine.state : goroutine.wait_reason);
  if (goroutine.thread) text += fmt::format(" on thread {}", *goroutine.thread);
  if (goroutine.system) text += " (the runtime's own)";
  if (!goroutine.panic.empty()) text += " panics: " + goroutine.panic;
  text = painted(printable(text) + ":", goroutine.panic.empty() ? Paint::Heading : Paint::Bad) + "\n" +
         painted_stack(inspector::stack_text(goroutine.stack, inspector::Folding::Fold, limit));
  if (!goroutine.created_by.function.empty()) {
    text += "created by " + painted(printable(goroutine.created_by.function), Paint::Function) +
            painted(printable(fmt::format(" at {}:{}", goroutine.created_by.file, goroutine.created_by.line)),
                    Paint::Place);
    text += goroutine.creator ? fmt::format(" in goroutine {}\n", *goroutine.creator) : "\n";
  }
  return text;
}

}  // namespace mortem::tools
