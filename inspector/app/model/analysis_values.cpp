// Variables, their parts, and expressions over them.
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>

#include "inspector/app/model/analysis.h"
#include "inspector/values/evaluate.h"

namespace mortem::inspector::app {
namespace {

constexpr size_t kMostValues = 1 << 20;  // that are kept for a question about their parts
constexpr size_t kPreview = 120;         // characters of what is inside

// Numbers of one session are not another's, nor those of an analysis before a crash.
std::atomic<ValueHandle> last_handle = 0;

DescribeOptions describe_options(uint64_t first, uint64_t count) {
  DescribeOptions options;
  options.offset = first;
  options.limit = count;
  options.depth = 3;
  options.inner_limit = 8;
  options.keep_values = true;
  return options;
}

// "{x = 1, y = {…}}", cut where it becomes long.
void add_preview(const ValueNode& node, std::string& text, size_t budget, int depth) {
  text += node.text;
  if (node.children.empty() && !node.elements) return;
  if (!node.text.empty()) text += ' ';
  text += '{';
  for (size_t index = 0; index < node.children.size(); ++index) {
    if (index > 0) text += ", ";
    if (text.size() > budget || depth > 2) {
      text += "…";
      break;
    }
    const ValueNode& child = node.children[index];
    if (!node.elements && !child.name.empty()) text += child.name + " = ";
    add_preview(child, text, budget, depth + 1);
  }
  if (node.elements && node.count && node.first + node.children.size() < *node.count && text.size() <= budget)
    text += fmt::format("{}… {} in all", node.children.empty() ? "" : ", ", *node.count);
  text += '}';
}

}  // namespace

ValueHandle Analysis::keep(const Value& value) {
  if (values_.size() > kMostValues) values_.clear();  // answers that nobody has on screen any more
  const ValueHandle handle = ++last_handle;
  values_.emplace(handle, value);
  return handle;
}

// A pointer to something that has a value of its own.
bool Analysis::leads_somewhere(const Value& value) {
  const Type* type = value.type ? &value.type->stripped() : nullptr;
  if (!type || type->kind != TypeKind::Pointer) return false;
  const Type* target = type->target();
  if (!target) return false;
  const Type& pointed = target->stripped();
  return pointed.kind != TypeKind::Void && pointed.kind != TypeKind::Function && pointed.has_size;
}

ValueFacts Analysis::facts_of(const ValueNode& node, const std::string& name) {
  ValueFacts facts;
  facts.name = name;
  facts.type = node.type;
  facts.known = node.known;
  facts.address = node.address;
  facts.note = node.note;
  facts.elements = node.elements;
  facts.count = node.count;
  add_preview(node, facts.text, kPreview, 0);
  facts.expandable = !node.children.empty() || (node.elements && node.count.value_or(0) > 0);
  if (!node.value) return facts;
  facts.handle = keep(*node.value);
  const Type* type = node.value->type ? &node.value->type->stripped() : nullptr;
  if (!node.known || !type || type->kind != TypeKind::Pointer) return facts;
  if (const auto address = program_.reader().read_integer(*node.value)) facts.pointer = *address;
  if (facts.pointer.value_or(0) != 0 && leads_somewhere(*node.value)) facts.expandable = true;
  return facts;
}

Result<std::vector<VariableFacts>> Analysis::variables(uint32_t thread, size_t frame) {
  auto values = TRY(program_.frame(thread, frame));
  std::vector<VariableFacts> all;
  for (const Variable& one : TRY(values.variables())) {
    VariableFacts facts;
    facts.value = facts_of(describe(program_, one.value, describe_options(0, 8)), one.name);
    facts.parameter = one.parameter;
    facts.shadowed = one.shadowed;
    facts.line = one.line;
    all.push_back(std::move(facts));
  }
  return all;
}

Result<std::vector<ValueFacts>> Analysis::children(ValueHandle handle, uint64_t first, uint64_t count) {
  const auto known = values_.find(handle);
  if (known == values_.end()) return failure(ErrorKind::NotFound, "this value is of a stop before; open it again");
  Value value = known->second;
  ValueNode node = describe(program_, value, describe_options(first, count));
  // What a pointer leads to: its parts at once, if it has some.
  if (node.children.empty() && leads_somewhere(value)) {
    const auto target = program_.reader().dereference(value);
    if (!target) return failure(ErrorKind::Unavailable, missing_text(target.error()));
    ValueNode pointed = describe(program_, *target, describe_options(first, count));
    if (pointed.children.empty()) return std::vector{facts_of(pointed, "*")};
    node = std::move(pointed);
  }
  std::vector<ValueFacts> parts;
  for (const ValueNode& child : node.children) parts.push_back(facts_of(child, child.name));
  return parts;
}

Result<ValueFacts> Analysis::watch(const std::string& expression, uint32_t thread, size_t frame) {
  auto values = program_.frame(thread, frame);
  const Value value = TRY(evaluate(program_, values ? &*values : nullptr, expression));
  return facts_of(describe(program_, value, describe_options(0, 8)), expression);
}

// In hexadecimal (0x…) or decimal digits, a symbol, or an expression: its value, or the place of what is no number.
Result<uint64_t> Analysis::address_of(const std::string& text, uint32_t thread, size_t frame) {
  if (!text.empty() && text[0] >= '0' && text[0] <= '9') {
    char* end = nullptr;
    errno = 0;
    const uint64_t value = std::strtoull(text.c_str(), &end, 0);
    if (*end == 0 && errno == 0) return value;
  }
  for (const CoreModule& module : state_->target->modules())
    if (const auto found = symbolizer_->find_symbol(module, text)) return *found;
  if (thread == 0 && !state_->threads.empty()) thread = state_->threads.front().thread.id;
  auto scope = program_.frame(thread, frame);
  const auto value = evaluate(program_, scope ? &*scope : nullptr, text);
  if (!value)
    return failure(ErrorKind::NotFound, fmt::format("{}: neither an address (0x…) nor a symbol nor an expression: {}",
                                                    text, value.error().message));
  const Type* type = value->type ? &value->type->stripped() : nullptr;
  if (type && (type->is_integer() || type->kind == TypeKind::Pointer))
    if (const auto number = program_.reader().read_integer(*value)) return *number;
  if (value->address) return *value->address;
  return failure(ErrorKind::Unavailable, fmt::format("{}: its value is no address", text));
}

Result<TypeFacts> Analysis::type(const std::string& name) {
  const Type* found = program_.find_type(name, nullptr);
  if (!found) return failure(ErrorKind::NotFound, fmt::format("{}: no type of that name has a definition", name));
  const Type& type = found->stripped();
  TypeFacts facts;
  facts.name = type_text(found);
  const char* kind = "type";
  if (type.kind == TypeKind::Struct) kind = "struct";
  if (type.kind == TypeKind::Class) kind = "class";
  if (type.kind == TypeKind::Union) kind = "union";
  if (type.kind == TypeKind::Enumeration) kind = "enum";
  facts.kind = kind;
  if (type.has_size) facts.size = type.size;
  const bool is_union = type.kind == TypeKind::Union;
  for (const Member& member : type.members()) {
    TypeFacts::MemberLine line;
    line.offset = member.bit_offset / 8;
    line.name = member.base ? fmt::format("<{}>", member.name) : member.name;
    line.type = type_text(member.type);
    if (member.bit_size > 0) line.bit_offset = member.bit_offset % 8, line.bit_size = member.bit_size;
    if (member.type && member.type->stripped().has_size) line.size = member.type->stripped().size;
    facts.members.push_back(std::move(line));
  }
  for (size_t index = 0; !is_union && index < facts.members.size(); ++index) {
    auto& one = facts.members[index];
    const auto next = index + 1 < facts.members.size() ? std::optional(facts.members[index + 1].offset) : facts.size;
    if (one.size && !one.bit_size && next && *next > one.offset + *one.size)
      one.hole_after = *next - one.offset - *one.size;
  }
  for (const Enumerator& one : type.complete().enumerators) facts.enumerators.emplace_back(one.name, one.value);
  return facts;
}

}  // namespace mortem::inspector::app
