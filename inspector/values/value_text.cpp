// A described value as text, in the way that C is written.
#include <fmt/format.h>

#include "inspector/values/describe.h"

namespace mortem::inspector {
namespace {

constexpr size_t kLineLength = 110;
constexpr int kMaximumTextDepth = 64;

std::string hidden_text(const ValueNode& node) {
  if (!node.elements || !node.count) return "";
  const uint64_t end = node.first + node.children.size();
  return end < *node.count ? fmt::format("… {} more", *node.count - end) : "";
}

std::string part_text(const ValueNode& parent, const ValueNode& child, const std::string& text) {
  // Elements stand in their order: their numbers say nothing new.
  if (parent.elements && !parent.keyed && child.name.starts_with("[") && parent.first == 0 && child.name.size() > 1 &&
      child.name.find_first_not_of("0123456789]", 1) == std::string::npos)
    return text;
  return child.name.empty() ? text : child.name + " = " + text;
}

std::string one_line(const ValueNode& node, size_t budget, int depth) {
  std::string text = node.text;
  const std::string hidden = hidden_text(node);
  if (!node.children.empty() || node.elements || (text.empty() && node.known)) {
    if (!text.empty()) text += " ";
    text += "{";
    for (size_t index = 0; index < node.children.size(); ++index) {
      if (text.size() > budget || depth > kMaximumTextDepth) return text + "…";  // too long anyway
      text += (index > 0 ? ", " : "") +
              part_text(node, node.children[index], one_line(node.children[index], budget, depth + 1));
    }
    if (!hidden.empty()) text += (node.children.empty() ? "" : ", ") + hidden;
    text += "}";
  }
  if (!node.note.empty()) text += " (" + node.note + ")";
  return text;
}

void write(const ValueNode& node, size_t indent, std::string& to, int depth) {
  const std::string line = one_line(node, kLineLength, 0);
  if (node.children.empty() || depth > kMaximumTextDepth || line.size() + indent <= kLineLength) {
    to += line;
    return;
  }
  if (!node.text.empty()) to += node.text + " ";
  to += "{\n";
  const std::string space(indent + 2, ' ');
  for (const ValueNode& child : node.children) {
    std::string text;
    write(child, indent + 2, text, depth + 1);
    to += space + part_text(node, child, text) + ",\n";
  }
  if (const std::string hidden = hidden_text(node); !hidden.empty()) to += space + hidden + "\n";
  to += std::string(indent, ' ') + "}";
  if (!node.note.empty()) to += " (" + node.note + ")";
}

}  // namespace

std::string value_text(const ValueNode& node) {
  std::string text;
  write(node, 0, text, 0);
  return text;
}

}  // namespace mortem::inspector
