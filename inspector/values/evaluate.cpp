#include "inspector/values/evaluate.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "inspector/values/describe.h"
#include "inspector/values/dwarf_module.h"
#include "inspector/values/dynamic_class.h"
#include "inspector/values/expression_names.h"
#include "inspector/values/expression_tree.h"
#include "inspector/values/related_classes.h"
#include "inspector/values/value_arithmetic.h"

namespace mortem::inspector {
namespace {

using Node = ExpressionNode;

class Evaluator {
 public:
  Evaluator(ProgramValues& program, FrameValues* frame, const std::string& text)
      : program_(program), reader_(program.reader()), frame_(frame), names_(program, frame), text_(text) {}

  Result<Value> run() {
    const auto tree = TRY(parse_expression(text_, [this](const std::string& name) { return names_.is_type(name); }));
    return evaluate(*tree);
  }

 private:
  tl::unexpected<Error> error(const Node& node, const std::string& what) {
    return failure(ErrorKind::BadInput, fmt::format("{} {}", what, at_position(text_, node.position)));
  }
  tl::unexpected<Error> error(const Node& node, const Missing& missing) {
    return failure(missing.optimized_out ? ErrorKind::Unavailable : ErrorKind::NotFound,
                   fmt::format("{} {}", missing.why, at_position(text_, node.position)));
  }

  Result<Value> placed(const Node& node, Result<Value> value) {
    return value ? std::move(value) : error(node, value.error().message);
  }

  Result<const Type*> type_of(const Node& node) {
    const Type* type = nullptr;
    if (node.type != "void") {
      type = names_.find_type(node.type);
      if (!type) return error(node, fmt::format("there is no type {}", node.type));
    } else if (node.declarator.empty()) {
      return error(node, "void has no value");
    }
    for (size_t index = 0; index < node.declarator.size(); ++index) {
      const std::string& one = node.declarator[index];
      if (one == "&") {  // what is cast to a reference is seen as what that refers to
        if (index + 1 < node.declarator.size()) return error(node, "nothing is made of references");
        if (!type) return error(node, "void has no references");
      } else if (one == "*")
        type = program_.pointer_to(type);
      else
        type = program_.array_of(type, std::strtoull(one.c_str() + 1, nullptr, 10));
    }
    return type;
  }

  // References are what they refer to, everywhere but in their own description.
  Found<Value> without_reference(const Value& value) {
    if (!value.type || value.missing) return value;
    const TypeKind kind = value.type->stripped().kind;
    if (kind != TypeKind::Reference && kind != TypeKind::RvalueReference) return value;
    return reader_.dereference(value);
  }
  // Arrays become pointers to their first element, functions to themselves.
  Result<Value> decayed(const Node& node, const Value& value) {
    const auto plain = without_reference(value);
    if (!plain) return error(node, plain.error());
    if (!plain->type || plain->missing) return *plain;
    const Type& type = plain->type->stripped();
    if (type.kind == TypeKind::Array) {
      if (!plain->address) return error(node, "an array that is not in memory has no address");
      return arithmetic_.integer(program_.pointer_to(type.target()), *plain->address);
    }
    if (type.kind == TypeKind::Function && plain->address)
      return arithmetic_.integer(program_.pointer_to(plain->type), *plain->address);
    return *plain;
  }

  Result<Value> evaluate(const Node& node) {
    switch (node.kind) {
      case Node::Kind::Name:
        return name(node);
      case Node::Kind::Integer:
        return integer(node);
      case Node::Kind::Float:
        return arithmetic_.real(names_.find_base(node.text == "f"   ? "float"
                                                 : node.text == "l" ? "long double"
                                                                    : "double"),
                                node.real);
      case Node::Kind::Character:
        return arithmetic_.integer(names_.find_base("char"), node.number);
      case Node::Kind::String: {
        std::vector<uint8_t> bytes(node.text.begin(), node.text.end());
        bytes.push_back(0);
        const Type* type = program_.array_of(names_.find_base("char"), bytes.size());
        return Value::of_bytes(type, std::move(bytes));
      }
      case Node::Kind::Register:
        return named_register(node);
      case Node::Kind::Member:
      case Node::Kind::Arrow:
        return member(node);
      case Node::Kind::Index:
        return index(node);
      case Node::Kind::Repeat:
        return repeat(node);
      case Node::Kind::Unary:
        return unary(node);
      case Node::Kind::Binary:
        return binary(node);
      case Node::Kind::Conditional: {
        const bool yes = TRY(truth(*node.parts[0]));
        return evaluate(*node.parts[yes ? 1 : 2]);
      }
      case Node::Kind::Cast:
        return cast(node);
      case Node::Kind::SizeOfType: {
        const Type* type = TRY(type_of(node));
        if (!type->stripped().has_size) return error(node, "the type's size is not known");
        return arithmetic_.integer(names_.find_base("unsigned long"), type->stripped().size);
      }
      case Node::Kind::SizeOf: {
        const Value value = TRY(evaluate(*node.parts[0]));
        const auto plain = without_reference(value);
        const Type* type = plain ? plain->type : value.type;
        if (!type || !type->stripped().has_size) return error(node, "the size is not known");
        return arithmetic_.integer(names_.find_base("unsigned long"), type->stripped().size);
      }
    }
    return error(node, "this cannot be evaluated");
  }

  Result<Value> integer(const Node& node) {
    const bool is_unsigned = node.text.find('u') != std::string::npos,
               is_long = node.text.find('l') != std::string::npos;
    const char* name = is_unsigned ? (is_long || node.number > UINT32_MAX ? "unsigned long" : "unsigned int")
                       : node.number > INT64_MAX            ? "unsigned long"
                       : is_long || node.number > INT32_MAX ? "long"
                                                            : "int";
    return arithmetic_.integer(names_.find_base(name), node.number);
  }

  Result<Value> name(const Node& node) {
    if (auto found = names_.find(node.text)) return *found;
    if (node.text == "true" || node.text == "false")
      return arithmetic_.integer(names_.find_base("bool"), node.text == "true");
    if (node.text == "nullptr" || node.text == "NULL" || node.text == "nil")
      return arithmetic_.integer(program_.pointer_to(nullptr), 0);
    if (auto enumerator = names_.find_enumerator(node.text)) return *enumerator;
    if (const auto address = program_.find_symbol(node.text))
      return error(node, fmt::format("{} is at {:#x}, and nothing tells its type: cast it, as in *(int *){:#x};",
                                     node.text, *address, *address));
    return error(node, fmt::format("there is no {} {}", node.text,
                                   frame_ ? "in this frame and no global one of that name" : "outside of functions"));
  }

  Result<Value> named_register(const Node& node) {
    auto value = names_.find_register(node.text);
    return value ? value : error(node, value.error().message);
  }

  // Go's packages and such: `main.counter` is one name.
  std::optional<Value> dotted(const Node& node) {
    if (node.kind != Node::Kind::Member || node.parts[0]->kind != Node::Kind::Name) return std::nullopt;
    if (frame_ && frame_->find(node.parts[0]->text)) return std::nullopt;
    return names_.find(node.parts[0]->text + "." + node.text);
  }

  Result<Value> member(const Node& node) {
    if (auto whole = dotted(node)) return *whole;
    const Value left = TRY(evaluate(*node.parts[0]));
    auto object = without_reference(left);
    if (!object) return error(node, object.error());
    if (object->missing) return *object;
    if (!object->type) return error(node, "void has no members");
    const Type* type = &object->type->stripped();
    if (type->is_pointer()) {  // -> and, as gdb allows, . too
      object = reader_.dereference(*object);
      if (!object) return error(node, object.error());
    } else if (node.kind == Node::Kind::Arrow) {
      if (auto pointed = smart_pointer(*object))
        object = *pointed;
      else
        return error(node, fmt::format("{} is no pointer: -> does not apply", type_text(object->type)));
    }
    if (object->missing) return *object;
    if (!object->type || !object->type->stripped().is_struct())
      return error(node, fmt::format("{} has no members", type_text(object->type)));
    const Type& whole = object->type->stripped();
    if (whole.declaration)
      return error(node, fmt::format("{} is only declared: its members are not known", type_text(&whole)));
    if (!reader_.has_member(whole, node.text)) {
      if (auto shared = static_member(whole, node.text, 0)) return *shared;
      return error(node, fmt::format("{} has no member {}", type_text(&whole), node.text));
    }
    auto part = reader_.find_member(*object, node.text);
    if (!part) return Value::unknown(nullptr, part.error());
    return *part;
  }

  // Of the class or of one that it is derived from.
  std::optional<Value> static_member(const Type& type, const std::string& name, int depth) {
    const auto& own = type.complete().static_members;
    if (std::find(own.begin(), own.end(), name) != own.end())
      return names_.find(name_in_source(type.name + "::" + name));
    for (const Member& one : type.members())
      if (depth < kMostBases && one.base && one.type)
        if (auto found = static_member(one.type->stripped(), name, depth + 1)) return found;
    return std::nullopt;
  }

  // std::unique_ptr and std::shared_ptr, as their operator* does it.
  std::optional<Value> smart_pointer(const Value& value) {
    if (!value.type) return std::nullopt;
    const std::string& name = value.type->stripped().name;
    if (!name.starts_with("std::")) return std::nullopt;
    const ValueNode node = describe(program_, value, {});
    for (const ValueNode& child : node.children)
      if (child.name == "*" && child.address)
        if (const auto& arguments = value.type->stripped().complete().template_types;
            !arguments.empty() && arguments[0].second)
          return Value::in_memory(arguments[0].second, *child.address);
    return std::nullopt;
  }

  Result<uint64_t> number(const Node& node) {
    const Value value = TRY(decayed(node, TRY(evaluate(node))));
    if (value.missing) return error(node, *value.missing);
    if (!value.type) return error(node, "void is no number");
    if (value.type->stripped().kind == TypeKind::Float) return error(node, "an integer is wanted here");
    const auto bits = reader_.read_integer(value);
    if (!bits) return error(node, bits.error());
    return *bits;
  }

  Result<Value> index(const Node& node) {
    const Value left = TRY(evaluate(*node.parts[0]));
    const auto object = without_reference(left);
    if (!object) return error(node, object.error());
    if (object->missing) return *object;
    const Type* type = object->type ? &object->type->stripped() : nullptr;
    if (type && (type->is_struct() || is_go_map(object->type))) return container_element(node, *object);
    const auto which = static_cast<int64_t>(TRY(number(*node.parts[1])));
    if (type && type->kind == TypeKind::Array) {
      if (!object->address && (which < 0 || !type->count || static_cast<uint64_t>(which) >= *type->count))
        return error(node, fmt::format("the index {} is outside of {}", which, type_text(object->type)));
      if (object->address) return at_offset(node, type->target(), *object->address, which);
      const auto element = reader_.element(*object, static_cast<uint64_t>(which));
      if (!element) return error(node, element.error());
      return *element;
    }
    if (type && type->kind == TypeKind::Pointer) {
      const auto address = reader_.read_integer(*object);
      if (!address) return error(node, address.error());
      return at_offset(node, type->target(), *address, which);
    }
    return error(node, fmt::format("{} has no elements", type_text(object->type)));
  }

  // A pointer to its header, behind a name.
  static bool is_go_map(const Type* type) {
    for (; type && (type->kind == TypeKind::Typedef || type->kind == TypeKind::Qualified); type = type->target())
      if (type->name.starts_with("map[")) return true;
    return type && type->language == Language::Go && type->name.starts_with("map[");
  }

  // The element of a container, found as its description finds it: by its number, or by its key.
  Result<Value> container_element(const Node& node, const Value& object) {
    DescribeOptions options;
    options.limit = 1;
    options.keep_values = true;
    ValueNode shown = describe(program_, object, options);
    if (!shown.elements || !shown.count) return error(node, fmt::format("{} has no elements", type_text(object.type)));
    if (shown.keyed) return element_with_key(node, object);
    const auto which = static_cast<int64_t>(TRY(number(*node.parts[1])));
    if (which < 0) return error(node, "an index below 0");
    options.offset = static_cast<uint64_t>(which);
    shown = describe(program_, object, options);
    if (shown.children.size() != 1 || shown.first != static_cast<uint64_t>(which))
      return error(node, fmt::format("the index {} is outside: there are {} elements", which, *shown.count));
    if (!shown.children[0].value) return error(node, "the element has no value of its own");
    return *shown.children[0].value;
  }

  // Keys are compared as they are shown: numbers and texts, in full.
  Result<Value> element_with_key(const Node& node, const Value& object) {
    constexpr uint64_t kAtOnce = 1000, kLongestText = 64 << 10;
    DescribeOptions options;
    options.limit = kAtOnce;
    options.keep_values = true;
    options.string_limit = kLongestText;
    const Value key = TRY(evaluate(*node.parts[1]));
    const ValueNode wanted = describe(program_, key, options);
    if (!wanted.known) return error(node, "the key is not known: " + wanted.text);
    if (!wanted.children.empty() || wanted.text.size() > kLongestText)
      return error(node, "a key is a number or a text here");
    const std::string name = "[" + value_text(wanted) + "]", bare = name.substr(1);
    const auto is_wanted = [&](const std::string& one) {  // L"key", too
      return one == name || (bare[0] == '"' && one.size() == name.size() + 1 && one.ends_with(bare));
    };
    while (true) {
      const ValueNode shown = describe(program_, object, options);
      for (const ValueNode& child : shown.children)
        if (is_wanted(child.name) && child.value) return *child.value;
      options.offset += kAtOnce;
      if (!shown.count || options.offset >= *shown.count || shown.children.empty())
        return error(node, fmt::format("{} has no element {}", type_text(object.type), name));
    }
  }

  Result<Value> at_offset(const Node& node, const Type* type, uint64_t address, int64_t index) {
    const Type* whole = type ? &type->stripped() : nullptr;
    uint64_t size = whole && whole->has_size ? whole->size : 0;
    if (!whole || whole->kind == TypeKind::Void) return error(node, "void has no size: cast the pointer");
    if (size == 0 && index != 0) return error(node, fmt::format("the size of {} is not known", type_text(type)));
    return Value::in_memory(type, address + static_cast<uint64_t>(index) * size);
  }

  Result<Value> repeat(const Node& node) {
    const Value first = TRY(evaluate(*node.parts[0]));
    const auto object = without_reference(first);
    if (!object) return error(node, object.error());
    if (object->missing) return *object;
    const auto count = static_cast<int64_t>(TRY(number(*node.parts[1])));
    if (count <= 0 || count > (1 << 26)) return error(node, fmt::format("{} is no number of elements", count));
    if (!object->address || object->bit_size != 0) return error(node, "only what is in memory can be repeated with @");
    return Value::in_memory(program_.array_of(object->type, static_cast<uint64_t>(count)), *object->address);
  }

  Result<Value> unary(const Node& node) {
    const std::string& what = node.text;
    Value operand = TRY(evaluate(*node.parts[0]));
    if (what == "&") {
      const auto object = without_reference(operand);
      if (!object) return error(node, object.error());
      if (object->missing) return *object;
      if (object->bit_size != 0) return error(node, "a bit-field has no address");
      if (!object->address) return error(node, "it is not in memory: it has no address");
      return arithmetic_.integer(program_.pointer_to(object->type), *object->address);
    }
    if (what == "*") {
      if (auto plain = without_reference(operand); plain && !plain->missing)
        if (auto pointed = smart_pointer(*plain)) return *pointed;
      const Type* declared = operand.type ? &operand.type->stripped() : nullptr;
      if (!(declared && declared->kind == TypeKind::Pointer)) operand = TRY(decayed(node, operand));
      if (operand.missing) return operand;
      if (!operand.type || !operand.type->stripped().is_pointer())
        return error(node, fmt::format("{} is no pointer", type_text(operand.type)));
      const Type* target = operand.type->stripped().target();
      if (!target || target->stripped().kind == TypeKind::Void)
        return error(node, "a pointer to void: cast it to what it points to");
      const auto object = reader_.dereference(operand);
      if (!object) return Value::unknown(target, object.error());
      return *object;
    }
    operand = TRY(decayed(node, operand));
    if (operand.missing) return operand;
    if (what == "!") return arithmetic_.of_int(!TRY(truth_of(node, operand)));
    if (operand.type && operand.type->stripped().kind == TypeKind::Float && what != "~") {
      const auto value = reader_.read_float(operand);
      if (!value) return Value::unknown(operand.type, value.error());
      return arithmetic_.real(operand.type, what == "-" ? -*value : *value);
    }
    const auto bits = reader_.read_integer(operand);
    if (!bits) return error(node, bits.error());
    if (operand.type->stripped().is_pointer()) return error(node, fmt::format("{} does not apply to a pointer", what));
    const Type* type = arithmetic_.promoted(operand.type->stripped());
    return arithmetic_.integer(type, what == "-" ? 0 - *bits : what == "~" ? ~*bits : *bits);
  }

  Result<bool> truth(const Node& node) { return truth_of(node, TRY(decayed(node, TRY(evaluate(node))))); }
  Result<bool> truth_of(const Node& node, const Value& value) {
    if (value.missing) return error(node, *value.missing);
    if (value.type && value.type->stripped().kind == TypeKind::Float) {
      const auto number = reader_.read_float(value);
      if (!number) return error(node, number.error());
      return *number != 0;
    }
    const auto bits = reader_.read_integer(value);
    if (!bits) return error(node, bits.error());
    return *bits != 0;
  }

  Result<Value> binary(const Node& node) {
    const std::string& what = node.text;
    if (what == "&&" || what == "||") {
      const bool left = TRY(truth(*node.parts[0]));
      if (left == (what == "||")) return arithmetic_.of_int(left);
      return arithmetic_.of_int(TRY(truth(*node.parts[1])));
    }
    const Value left = TRY(decayed(*node.parts[0], TRY(evaluate(*node.parts[0]))));
    const Value right = TRY(decayed(*node.parts[1], TRY(evaluate(*node.parts[1]))));
    if (left.missing) return left;
    if (right.missing) return right;
    if (!left.type || !right.type) return error(node, "void is no number");
    const Type &left_type = left.type->stripped(), &right_type = right.type->stripped();
    if (left_type.kind == TypeKind::Float || right_type.kind == TypeKind::Float) return binary_float(node, left, right);
    const auto left_bits = reader_.read_integer(left), right_bits = reader_.read_integer(right);
    if (!left_bits) return error(*node.parts[0], left_bits.error());
    if (!right_bits) return error(*node.parts[1], right_bits.error());
    if (left_type.is_pointer() || right_type.is_pointer())
      return placed(node, arithmetic_.pointers(what, left.type, right.type, *left_bits, *right_bits));
    return placed(node, arithmetic_.integers(what, left_type, right_type, *left_bits, *right_bits));
  }

  static long double of_integer(const Value& value, uint64_t bits) {
    return value.type->stripped().is_signed() ? static_cast<long double>(static_cast<int64_t>(bits))
                                              : static_cast<long double>(bits);
  }

  Result<Value> binary_float(const Node& node, const Value& left, const Value& right) {
    auto as_number = [&](const Value& value) -> Found<long double> {
      if (value.type->stripped().kind == TypeKind::Float) return reader_.read_float(value);
      const auto bits = reader_.read_integer(value);
      if (!bits) return tl::unexpected(bits.error());
      return of_integer(value, *bits);
    };
    const auto a = as_number(left), b = as_number(right);
    if (!a) return error(*node.parts[0], a.error());
    if (!b) return error(*node.parts[1], b.error());
    return placed(node, arithmetic_.floats(node.text, left.type->stripped(), right.type->stripped(), *a, *b));
  }

  Result<Value> cast(const Node& node) {
    if (node.text == "dynamic_cast") return dynamic_cast_to(node);
    const Type* type = TRY(type_of(node));
    const Type& to = type->stripped();
    const Value operand = TRY(evaluate(*node.parts[0]));
    const bool may_move = node.text != "reinterpret_cast";
    // A structure is seen as another one where it stands, or as its base.
    const bool is_reference = !node.declarator.empty() && node.declarator.back() == "&";
    if (to.is_struct() || to.kind == TypeKind::Array || is_reference) {
      const auto object = without_reference(operand);
      if (!object) return error(node, object.error());
      if (object->missing) return *object;
      if (auto related = may_move && object->type ? as_related_class(reader_, *object, type) : std::nullopt)
        return *related ? **related : Value::unknown(type, related->error());
      if (!object->address) return error(node, "only what is in memory can be seen as another type");
      if (object->bit_size != 0) return error(node, "a bit-field cannot be seen as another type");
      return reader_.as(*object, type);
    }
    const Value value = TRY(decayed(node, operand));
    if (value.missing) return Value::unknown(type, *value.missing);
    if (!value.type) return error(node, "void has no value");
    if (!to.has_size || to.size == 0 || (to.size > 8 && to.kind != TypeKind::Float))
      return error(node, fmt::format("nothing can be cast to {}", type_text(type)));
    if (value.type->stripped().kind == TypeKind::Float) {
      const auto number = reader_.read_float(value);
      if (!number) return Value::unknown(type, number.error());
      if (to.kind == TypeKind::Float) return arithmetic_.real(type, *number);
      if (!to.is_integer()) return error(node, fmt::format("a number with a fraction is no {}", type_text(type)));
      if (to.kind == TypeKind::Boolean) return arithmetic_.integer(type, *number != 0);
      if (!(std::fabs(*number) < 9.2e18)) return error(node, "the number is too large");
      return arithmetic_.integer(type, static_cast<uint64_t>(static_cast<int64_t>(*number)));
    }
    const auto bits = reader_.read_integer(value);
    if (!bits) return Value::unknown(type, bits.error());
    if (to.kind == TypeKind::Float) return arithmetic_.real(type, of_integer(value, *bits));
    if (to.kind == TypeKind::Boolean) return arithmetic_.integer(type, *bits != 0);
    const Type* target = to.kind == TypeKind::Pointer ? to.target() : nullptr;
    const Type* pointed = value.type->stripped().kind == TypeKind::Pointer ? value.type->stripped().target() : nullptr;
    if (may_move && target && pointed && *bits != 0)
      if (auto related = as_related_class(reader_, Value::in_memory(pointed, *bits), target))
        return *related ? arithmetic_.integer(type, (*related)->address.value_or(0))
                        : Value::unknown(type, related->error());
    return arithmetic_.integer(type, *bits);
  }

  // gdb's and C++'s: a base needs no look at the object, what is derived is found by its type_info.
  Result<Value> dynamic_cast_to(const Node& node) {
    const bool is_reference = !node.declarator.empty() && node.declarator.back() == "&";
    const bool is_pointer = node.declarator == std::vector<std::string>{"*"};
    const bool to_whole = is_pointer && node.type == "void";
    const Type* type = TRY(type_of(node));
    const Type* target = is_pointer ? type->stripped().target() : type;
    if ((!is_reference && !is_pointer) || (!to_whole && !target->stripped().is_struct()))
      return error(node, "dynamic_cast leads to a pointer or a reference to a class");
    const Value operand = TRY(evaluate(*node.parts[0]));
    auto object = without_reference(operand);
    if (!object) return error(node, object.error());
    if (object->missing) return Value::unknown(type, *object->missing);
    if (is_pointer) {
      if (!object->type || object->type->stripped().kind != TypeKind::Pointer)
        return error(node, "dynamic_cast to a pointer wants a pointer to a class");
      const auto bits = reader_.read_integer(*object);
      if (!bits) return Value::unknown(type, bits.error());
      if (*bits == 0) return arithmetic_.integer(type, 0);
      object = Value::in_memory(object->type->stripped().target(), *bits);
    }
    if (!object->type || !object->type->stripped().is_struct())
      return error(node, "dynamic_cast wants a pointer or a reference to a class");
    if (!object->address) return error(node, "an object that is not in memory has no dynamic type");
    const auto cast = as_dynamic_class(reader_, names_, *object, to_whole ? nullptr : target);
    if (!cast) return error(node, cast.error());
    const std::optional<Value>& found = *cast;
    if (!found && is_reference) return error(node, "dynamic_cast fails");
    if (is_reference) return *found;
    return arithmetic_.integer(type, found ? *found->address : 0);
  }

  ProgramValues& program_;
  ValueReader& reader_;
  FrameValues* frame_;
  ExpressionNames names_;
  ValueArithmetic arithmetic_{names_};
  const std::string& text_;
};

}  // namespace

Result<Value> evaluate(ProgramValues& program, FrameValues* frame, const std::string& expression) {
  return Evaluator(program, frame, expression).run();
}

}  // namespace mortem::inspector
