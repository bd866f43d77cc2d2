#include "inspector/values/describe.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "inspector/values/describer.h"

namespace mortem::inspector {
namespace {

constexpr int kMaximumValueDepth = 20;   // of values in values
constexpr size_t kMaximumNodes = 20000;  // of one answer
constexpr int kMaximumFollowed = 1;      // smart pointers are followed this far: what they point to may lead back

std::string hexadecimal_bytes(const std::vector<uint8_t>& bytes) {
  std::string text = "0x";
  for (auto one = bytes.rbegin(); one != bytes.rend(); ++one) text += fmt::format("{:02x}", *one);
  return text;
}

// 16 bytes, as a number.
std::string wide_integer_text(const std::vector<uint8_t>& bytes, bool is_signed) {
  unsigned __int128 bits = 0;
  std::memcpy(&bits, bytes.data(), sizeof(bits));
  const bool negative = is_signed && static_cast<__int128>(bits) < 0;
  if (negative) bits = 0 - bits;
  return fmt::format("{}{}", negative ? "-" : "", bits);
}

// The fewest digits that read back as the same number.
std::string extended_text(long double value) {
  std::string text;
  for (int digits = 1; digits <= std::numeric_limits<long double>::max_digits10; ++digits) {
    text = fmt::format("{:.{}Lg}", value, digits);
    if (std::strtold(text.c_str(), nullptr) == value) break;
  }
  return text;
}

void set_missing(ValueNode& to, const Missing& missing) {
  to.known = false;
  to.text = missing_text(missing);
}

std::string enumeration_text(const Type& type, uint64_t bits) {
  const auto value = static_cast<int64_t>(bits);
  const auto& all = type.complete().enumerators;
  for (const Enumerator& one : all)
    if (one.value == value) return one.name;
  // Flags: single bits put together.
  std::string text;
  uint64_t rest = bits;
  bool are_flags = !all.empty() && bits != 0;
  for (const Enumerator& one : all) {
    const auto flag = static_cast<uint64_t>(one.value);
    if ((flag & (flag - 1)) != 0) are_flags = false;
    if (flag == 0 || (rest & flag) != flag) continue;
    text += (text.empty() ? "" : " | ") + one.name;
    rest &= ~flag;
  }
  if (!are_flags || text.empty()) return type.is_signed() ? std::to_string(value) : std::to_string(bits);
  return rest == 0 ? text : text + fmt::format(" | unknown: {:#x}", rest);
}

// Bytes up to the first character that is 0; all, if none is.
size_t length_of_text(std::span<const uint8_t> bytes, size_t size) {
  for (size_t at = 0; at + size <= bytes.size(); at += size)
    if (std::all_of(bytes.begin() + static_cast<ptrdiff_t>(at), bytes.begin() + static_cast<ptrdiff_t>(at + size),
                    [](uint8_t one) { return one == 0; }))
      return at;
  return bytes.size();
}

// The data member that a pointer to members leads to, as C++ writes it.
std::string member_at(const Type& owner, uint64_t offset, int depth) {
  for (const Member& one : owner.members()) {
    if (!one.base && one.bit_size == 0 && one.bit_offset == offset * 8 && !one.name.empty() && !one.artificial)
      return "&" + owner.name + "::" + one.name;
    if (!one.base || !one.type || !one.offset_expression.empty() || depth > kMaximumValueDepth) continue;
    const Type& base = one.type->stripped();
    const uint64_t start = one.bit_offset / 8;
    if (base.is_struct() && offset >= start && offset - start < base.size)
      if (const std::string inner = member_at(base, offset - start, depth + 1); !inner.empty()) return inner;
  }
  return "";
}

}  // namespace

std::string missing_text(const Missing& missing) {
  return missing.optimized_out ? "<optimized out>" : fmt::format("<unavailable: {}>", missing.why);
}

std::string float_text(long double value, uint64_t size) {
  if (std::isnan(value)) return std::signbit(value) ? "-nan" : "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  if (size == 4) return fmt::format("{}", static_cast<float>(value));
  return size == 8 ? fmt::format("{}", static_cast<double>(value)) : extended_text(value);
}

std::optional<Value> Describer::get(const Value& value, std::initializer_list<const char*> path) {
  Value at = value;
  for (const char* name : path) {
    auto next = reader_.find_member(at, name);
    if (!next) return std::nullopt;
    at = std::move(*next);
  }
  return at;
}

std::optional<uint64_t> Describer::number(const Value& value, std::initializer_list<const char*> path) {
  const auto place = get(value, path);
  if (!place) return std::nullopt;
  const auto bits = reader_.read_integer(*place);
  return bits ? std::optional(*bits) : std::nullopt;
}

Describer::Window Describer::window(uint64_t count, int depth) const {
  if (depth > 0) return {0, std::min(count, options_.inner_limit)};
  const uint64_t first = std::min(options_.offset, count);
  return {first, std::min(count - first, options_.limit) + first};
}

bool Describer::add_element(ValueNode& to, uint64_t index, const Value& value, int depth) {
  if (nodes_ >= kMaximumNodes) return false;
  to.children.push_back(node(value, fmt::format("[{}]", index), depth + 1));
  return true;
}

std::string Describer::memory_string(uint64_t address, uint64_t length, const CharacterKind& kind) {
  const uint64_t shown = std::min<uint64_t>(length, options_.string_limit);
  const auto bytes = reader_.read_memory(address, shown * kind.size);
  if (!bytes) return missing_text(bytes.error());
  std::string quoted = quoted_text(*bytes, kind);
  if (shown < length) quoted += fmt::format("… ({} in all)", length);
  return quoted;
}

void Describer::follow(ValueNode& to, const Value& pointer, int depth) {
  if (followed_ >= kMaximumFollowed) return;
  const Type* target = pointer.type ? pointer.type->stripped().target() : nullptr;
  if (!target || target->stripped().kind == TypeKind::Function || target->stripped().kind == TypeKind::Void) return;
  const auto address = reader_.read_integer(pointer);
  if (!address || *address == 0) return;
  ++followed_;
  to.children.push_back(node(Value::in_memory(target, *address), "*", depth + 1));
  --followed_;
}

void Describer::pointer(const Value& value, const Type& type, ValueNode& to) {
  if (const std::string synthetic = reader_.synthetic_at(value); !synthetic.empty()) {
    to.text = synthetic;
    return;
  }
  const auto address = reader_.read_integer(value);
  if (!address) return set_missing(to, address.error());
  to.text = fmt::format("{:#x}", *address);
  const Type* target = type.target();
  if (!target || *address == 0) return;
  const Type& pointed = target->stripped();
  if (pointed.kind == TypeKind::Function) {
    const std::string name = program_.symbol_at(*address);
    if (!name.empty()) to.text += fmt::format(" <{}>", name);
    return;
  }
  // C's and C++'s strings; elsewhere a pointer to a character says nothing of an end.
  const auto kind = character_kind(target);
  if (!kind || type.language == Language::Rust || type.language == Language::Go) return;
  std::vector<uint8_t> bytes((options_.string_limit + 1) * kind->size);
  bytes.resize(reader_.memory().read(*address, bytes) / kind->size * kind->size);
  const auto text = std::span<const uint8_t>(bytes).first(length_of_text(bytes, kind->size));
  if (text.size() < bytes.size())
    to.text += " " + quoted_text(text, *kind);
  else if (text.size() > options_.string_limit * kind->size)
    to.text += " " + quoted_text(text.first(options_.string_limit * kind->size), *kind) + "…";
  else if (bytes.empty())
    to.text += " <unavailable: not in the dump>";
  else
    to.text += " " + quoted_text(text, *kind) + "… <the rest is not in the dump>";
}

void Describer::scalar(const Value& value, const Type& type, ValueNode& to) {
  if (type.language == Language::Rust && type.has_size && type.size == 0) {
    to.text = "()";
    return;
  }
  if (type.kind == TypeKind::Float) {
    const auto number = reader_.read_float(value);
    if (number) {
      to.text = float_text(*number, type.size);
      return;
    }
    const auto bytes = reader_.read(value, 0, type.size);
    if (!bytes) return set_missing(to, bytes.error());
    to.text = hexadecimal_bytes(*bytes);
    return;
  }
  if (type.has_size && type.size > 8 && value.bit_size == 0) {
    const auto bytes = reader_.read(value, 0, type.size);
    if (!bytes) return set_missing(to, bytes.error());
    to.text =
        type.size == 16 && type.is_integer() ? wide_integer_text(*bytes, type.is_signed()) : hexadecimal_bytes(*bytes);
    return;
  }
  const auto bits = reader_.read_integer(value);
  if (!bits) return set_missing(to, bits.error());
  if (const auto kind = value.bit_size == 0 ? character_kind(value.type) : std::nullopt) {
    to.text = character_text(*bits, type.is_signed(), *kind);
    return;
  }
  switch (type.kind) {
    case TypeKind::Boolean:
      to.text = *bits == 0 ? "false" : *bits == 1 ? "true" : std::to_string(*bits);
      return;
    case TypeKind::SignedCharacter:
    case TypeKind::UnsignedCharacter:  // of an odd size, or some of its bits
      to.text = type.is_signed() ? std::to_string(static_cast<int64_t>(*bits)) : std::to_string(*bits);
      return;
    case TypeKind::Enumeration:
      to.text = enumeration_text(type, *bits);
      return;
    case TypeKind::Signed:
      to.text = std::to_string(static_cast<int64_t>(*bits));
      return;
    default:
      to.text = std::to_string(*bits);
  }
}

// A pointer to a closure, which begins with its code's address; nil: none.
void Describer::go_function(const Value& value, ValueNode& to) {
  const auto bytes = reader_.read(value, 0, 8);
  if (!bytes) return set_missing(to, bytes.error());
  uint64_t closure = 0;
  std::memcpy(&closure, bytes->data(), bytes->size());
  if (closure == 0) {
    to.text = "nil";
    return;
  }
  const auto code = reader_.memory().read_word(closure);
  const std::string symbol = code ? program_.symbol_at(*code) : "";
  to.text = fmt::format("{:#x}{}", closure, symbol.empty() ? "" : fmt::format(" <{}>", symbol));
}

bool Describer::character_array(const Value& value, const Type& type, ValueNode& to) {
  const auto kind = character_kind(type.target());
  const bool is_text = kind && (kind->size == 1 || *kind->prefix != '\0');  // not Rust's [char; n]
  if (!is_text || !type.count) return false;
  const uint64_t shown = std::min<uint64_t>(*type.count, std::max<size_t>(options_.string_limit, 1) * 4);
  const auto bytes = reader_.read(value, 0, shown * kind->size);
  if (!bytes) return false;
  size_t length = bytes->size();
  while (length > 0 && (*bytes)[length - 1] == 0) --length;
  length = (length + kind->size - 1) / kind->size;
  const bool cut = length > options_.string_limit || (shown < *type.count && length == shown);
  length = std::min(length, options_.string_limit);
  to.text = quoted_text(std::span(*bytes).first(length * kind->size), *kind);
  if (cut) to.text += fmt::format("… ({} in all)", *type.count);
  return true;
}

void Describer::array(const Value& value, const Type& type, ValueNode& to, int depth) {
  if (!type.count) {
    to.known = false;
    to.text = "<unavailable: its length is not known>";
    return;
  }
  to.count = *type.count;
  if (character_array(value, type, to)) return;
  to.elements = true;
  const auto [first, end] = window(*type.count, depth);
  to.first = first;
  for (uint64_t index = first; index < end; ++index) {
    const auto one = reader_.element(value, index);
    if (!one) return set_missing(to, one.error());
    if (!add_element(to, index, *one, depth)) break;
  }
}

void Describer::structure(const Value& value, const Type& type, ValueNode& to, int depth) {
  if (type.declaration) {
    to.known = false;
    to.text = "<unavailable: the type is only declared>";
    return;
  }
  if (!options_.raw) {
    const auto describe_container = type.language == Language::Rust ? describe_rust
                                    : type.language == Language::Go ? describe_go
                                                                    : describe_libstdcxx;
    ValueNode container = to;
    if (describe_container(*this, value, type, container, depth) ||
        (type.language == Language::Cpp && describe_libcxx(*this, value, type, container = to, depth))) {
      to = std::move(container);
      return;
    }
  }
  const TypeDetails& details = type.complete();
  auto add = [&](const Member& member) {
    if (nodes_ >= kMaximumNodes) return;
    const auto part = reader_.member(value, member);
    std::string name = member.base ? fmt::format("<{}>", member.name) : member.name;
    if (part) {
      to.children.push_back(node(*part, std::move(name), depth + 1));
    } else {
      ValueNode unknown;
      unknown.name = std::move(name);
      unknown.type = type_text(member.type);
      set_missing(unknown, part.error());
      to.children.push_back(std::move(unknown));
    }
  };
  for (const Member& member : details.members) add(member);
  if (!details.variants.empty()) {
    const auto active = reader_.active_variant(value);
    if (!active)
      set_missing(to, active.error());
    else if (*active)
      for (const Member& member : (*active)->members) add(member);
  }
}

ValueNode Describer::node(const Value& value, std::string name, int depth) {
  ++nodes_;
  ValueNode to;
  to.name = std::move(name);
  to.type = type_text(value.type);
  to.address = value.address;
  if (options_.keep_values) to.value = std::make_shared<const Value>(value);
  if (value.missing) {
    set_missing(to, *value.missing);
    return to;
  }
  if (!value.type) {
    to.text = "void";
    return to;
  }
  const Type& type = value.type->stripped();
  if (depth > options_.depth || nodes_ > kMaximumNodes) {
    to.note = "more is not shown";
    to.text = "…";
    return to;
  }
  switch (type.kind) {
    case TypeKind::Void:
      to.text = "void";
      break;
    case TypeKind::Pointer:
      if (!options_.raw && type.language == Language::Go && describe_go(*this, value, type, to, depth)) break;
      pointer(value, type, to);
      break;
    case TypeKind::Reference:
    case TypeKind::RvalueReference: {
      const auto target = reader_.dereference(value);
      if (!target) {
        set_missing(to, target.error());
        break;
      }
      ValueNode inner = node(*target, to.name, depth + 1);
      inner.type = to.type;
      if (target->address)
        inner.text = fmt::format("@{:#x}{}{}", *target->address, inner.text.empty() ? "" : ": ", inner.text);
      return inner;
    }
    case TypeKind::Array:
      array(value, type, to, depth);
      break;
    case TypeKind::Struct:
    case TypeKind::Class:
    case TypeKind::Union:
      structure(value, type, to, depth);
      break;
    case TypeKind::Function:
      if (type.language == Language::Go && type.has_size) {  // a variable
        go_function(value, to);
      } else if (value.address) {
        const std::string symbol = program_.symbol_at(*value.address);
        to.text =
            fmt::format("{{{}}} {:#x}{}", to.type, *value.address, symbol.empty() ? "" : fmt::format(" <{}>", symbol));
      }
      break;
    case TypeKind::MemberPointer: {
      const auto bytes = reader_.read(value, 0, type.size);
      if (!bytes) {
        set_missing(to, bytes.error());
        break;
      }
      uint64_t first = 0;
      std::memcpy(&first, bytes->data(), std::min<size_t>(bytes->size(), 8));
      const bool function = type.size == 16;
      if (function && first != 0 && (first & 1) == 0) {
        const std::string symbol = program_.symbol_at(first);
        to.text = fmt::format("{:#x}{}", first, symbol.empty() ? "" : fmt::format(" <{}>", symbol));
      } else if (function) {
        to.text = first == 0 ? "null" : fmt::format("&virtual table offset {}", first - 1);
      } else {
        const Type* owner = type.complete().owner;
        to.text = first == ~uint64_t{0} ? "null" : owner ? member_at(owner->stripped(), first, 0) : "";
        if (to.text.empty()) to.text = fmt::format("offset {}", first);
      }
      break;
    }
    case TypeKind::Complex: {
      const auto bytes = reader_.read(value, 0, type.size);
      if (!bytes) {
        set_missing(to, bytes.error());
        break;
      }
      const Type* part = program_.base(type.size == 8    ? "float"
                                       : type.size == 16 ? "double"
                                                         : "long double",
                                       TypeKind::Float, type.size / 2);
      const auto real = reader_.read_float(reader_.as(value, part)),
                 imaginary = reader_.read_float(reader_.as(value, part, type.size / 2));
      to.text = real && imaginary
                    ? fmt::format("{} + {}i", float_text(*real, type.size / 2), float_text(*imaginary, type.size / 2))
                    : hexadecimal_bytes(*bytes);
      break;
    }
    case TypeKind::Unknown: {
      if (type.name == "decltype(nullptr)") {
        to.text = "nullptr";
        break;
      }
      const auto bytes = type.has_size ? reader_.read(value, 0, std::min<uint64_t>(type.size, 64))
                                       : Found<std::vector<uint8_t>>(not_known("its type is not known"));
      bytes ? (void)(to.text = hexadecimal_bytes(*bytes)) : set_missing(to, bytes.error());
      break;
    }
    default:
      scalar(value, type, to);
  }
  return to;
}

ValueNode describe(ProgramValues& program, const Value& value, const DescribeOptions& options) {
  return Describer(program, options).node(value, "", 0);
}

}  // namespace mortem::inspector
