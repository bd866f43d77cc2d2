#include "tools/verbs/value_facts.h"

#include <fmt/format.h>

#include "tools/output.h"
#include "tools/verbs/stack_facts.h"

namespace mortem::tools {

nlohmann::ordered_json value_facts(const inspector::ValueNode& node) {
  nlohmann::ordered_json facts;
  facts["name"] = text_or_null(printable(node.name));
  facts["type"] = printable(node.type);
  facts["value"] = text_or_null(printable(node.text));
  facts["known"] = node.known;
  facts["address"] = text_or_null(node.address ? fmt::format("{:#x}", *node.address) : "");
  facts["elements"] = node.elements;
  facts["count"] = node.count ? nlohmann::ordered_json(*node.count) : nlohmann::ordered_json(nullptr);
  facts["first"] = node.first;
  facts["note"] = text_or_null(printable(node.note));
  facts["children"] = nlohmann::ordered_json::array();
  for (const inspector::ValueNode& child : node.children) facts["children"].push_back(value_facts(child));
  return facts;
}

}  // namespace mortem::tools
