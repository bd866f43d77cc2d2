#include "inspector/values/value_search.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "inspector/symbols/demangle.h"
#include "inspector/symbols/symbol_table.h"
#include "inspector/values/evaluate.h"

namespace mortem::inspector {
namespace {

constexpr uint64_t kLargestTable = 64 << 10;  // bytes of a table of virtual functions that are looked at

struct VirtualTable {
  const CoreModule* module = nullptr;
  uint64_t table = 0, information = 0;  // at run time: _ZTV and _ZTI; information 0: the class has none
  uint64_t size = 0;
};

// From the symbol tables: debug information does not say where tables are.
std::vector<VirtualTable> find_tables(const Target& target, Symbolizer& symbolizer, const std::string& name) {
  std::vector<VirtualTable> found;
  for (const CoreModule& module : target.modules()) {
    const SymbolFiles& files = symbolizer.files(module);
    for (const auto& path : {files.executable, files.debug}) {
      const auto image = path.empty() ? Result<std::shared_ptr<const ElfImage>>(nullptr) : ElfImage::map_file(path);
      if (!image || !*image) continue;
      const SymbolTable symbols(*image);
      const size_t before = found.size();
      for (const Symbol* one : symbols.by_address())
        if (one->name.starts_with("_ZTV") && demangle(one->name) == "vtable for " + name) {
          const auto information = symbols.address_of("_ZTI" + std::string(one->name.substr(4)));
          found.push_back(
              {&module, one->address + module.load_bias, information ? *information + module.load_bias : 0, one->size});
        }
      if (found.size() > before) break;
    }
  }
  return found;
}

// The address that objects begin with: behind the offset to the top, which is 0 for the object itself, and the address
// of the type information. Before them may stand offsets of virtual bases.
std::optional<uint64_t> address_point(const VirtualTable& table, ValueReader& reader) {
  const uint64_t words = std::min(table.size, kLargestTable) / 8;
  const auto bytes = reader.read_memory(table.table, words * 8);
  if (!bytes) return table.table + 16;  // Linux leaves pages out that the file has
  const auto word = [&](uint64_t index) {
    uint64_t value = 0;
    std::memcpy(&value, bytes->data() + index * 8, sizeof(value));
    return value;
  };
  for (uint64_t index = 0; index + 1 < words; ++index)
    if (word(index) == 0 && word(index + 1) == table.information) return table.table + (index + 2) * 8;
  return std::nullopt;
}

Result<std::vector<ValueSearch>> by_virtual_table(const Target& target, Symbolizer& symbolizer, ProgramValues& program,
                                                  const std::string& text) {
  const Type* type = program.find_type(text, nullptr);
  const std::string& name = type && !type->name.empty() ? type->name : text;
  const auto tables = find_tables(target, symbolizer, name);
  if (tables.empty())
    return failure(ErrorKind::NotFound,
                   type
                       ? fmt::format("{}: objects of this type do not tell what they are (it is no C++ class with "
                                     "virtual functions whose table has a symbol); say which value a member has: "
                                     "'{}.MEMBER=EXPRESSION'",
                                     text, text)
                       : fmt::format("{}: no type of that name, and no class with a table of virtual functions", text));
  std::vector<ValueSearch> searches;
  for (const VirtualTable& one : tables) {
    const auto point = address_point(one, program.reader());
    if (!point) continue;
    ValueSearch& made = searches.emplace_back();
    made.search.pointers.first = made.search.pointers.last = *point;
    made.alignment = 8;
    made.type = type;
  }
  if (searches.empty())
    return failure(ErrorKind::NotFound, fmt::format("{}: its table of virtual functions is not as the ABI says", text));
  return searches;
}

// The bytes of `value` as one of `type`.
Result<std::vector<uint8_t>> bytes_as(const Type& type, const Value& value, ValueReader& reader,
                                      const std::string& text) {
  const Type& plain = type.stripped();
  std::vector<uint8_t> bytes(plain.size);
  const auto refuse = [&](std::string_view why) {
    return failure(ErrorKind::BadInput, fmt::format("{}: {}", text, why));
  };
  if (plain.kind == TypeKind::Float) {
    const bool is_float = value.type && value.type->stripped().kind == TypeKind::Float;
    const auto whole = is_float ? Found<uint64_t>(0) : reader.read_integer(value);
    const auto number = is_float
                            ? reader.read_float(value)
                            : Found<long double>(whole ? static_cast<long double>(static_cast<int64_t>(*whole)) : 0);
    if (!whole || !number) return refuse("the value is not known");
    if (plain.size == sizeof(float)) {
      const auto narrow = static_cast<float>(*number);
      std::memcpy(bytes.data(), &narrow, sizeof(narrow));
    } else if (plain.size == sizeof(double)) {
      const auto narrow = static_cast<double>(*number);
      std::memcpy(bytes.data(), &narrow, sizeof(narrow));
    } else {
      return refuse("only float and double are looked for");
    }
    return bytes;
  }
  if (!plain.is_integer() && !plain.is_pointer())
    return refuse(fmt::format("{} is no number, enumeration or pointer", type_text(&type)));
  const auto number = reader.read_integer(value);
  if (!number) return refuse("the value is not known");
  if (plain.size == 0 || plain.size > sizeof(uint64_t)) return refuse(fmt::format("{} is too large", type_text(&type)));
  // All that is cut off must be copies of the sign, or nothing.
  const unsigned kept = static_cast<unsigned>(plain.size) * 8;
  const auto rest = kept == 64 ? 0 : static_cast<int64_t>(*number) >> kept;
  const bool negative = kept < 64 && (*number >> (kept - 1) & 1) != 0;
  if (rest != 0 && !(rest == -1 && negative)) return refuse(fmt::format("does not fit into {}", type_text(&type)));
  std::memcpy(bytes.data(), &*number, plain.size);
  return bytes;
}

// Also as the source spells what debug information names otherwise (`short`), and pointers.
const Type* find_scalar(ProgramValues& program, const std::string& name) {
  if (const Type* type = program.find_type(name, nullptr)) return type;
  const auto zero = evaluate(program, nullptr, "(" + name + ")0");
  return zero ? zero->type : nullptr;
}

// No type: it is none of that name.
Value enumerator_of(const Type& type, std::string_view name) {
  const Type& plain = type.stripped();
  if (plain.kind != TypeKind::Enumeration) return {};
  if (const size_t scope = name.rfind("::"); scope != std::string_view::npos) name.remove_prefix(scope + 2);
  for (const Enumerator& one : plain.complete().enumerators) {
    if (one.name != name || plain.size == 0 || plain.size > sizeof(one.value)) continue;
    std::vector<uint8_t> bytes(plain.size);
    std::memcpy(bytes.data(), &one.value, bytes.size());
    return Value::of_bytes(&type, std::move(bytes));
  }
  return {};
}

Result<std::vector<ValueSearch>> by_value(ProgramValues& program, const std::string& left, const std::string& right) {
  ValueSearch made;
  const Type* searched = made.type = find_scalar(program, left);
  if (!searched) {
    // The shortest beginning that is a type; what follows is a member of it.
    size_t dot = left.find('.');
    while (dot != std::string::npos && !(made.type = program.find_type(left.substr(0, dot), nullptr)))
      dot = left.find('.', dot + 1);
    if (!made.type) return failure(ErrorKind::NotFound, fmt::format("{}: no type of that name", left));
    Value place = Value::in_memory(made.type, 0);
    for (size_t start = dot + 1; start <= left.size();) {
      const size_t end = std::min(left.find('.', start), left.size());
      auto member = program.reader().find_member(place, left.substr(start, end - start));
      if (!member || !member->address)
        return failure(ErrorKind::NotFound, fmt::format("{}: no member '{}' at a fixed place in {}", left,
                                                        left.substr(start, end - start), type_text(place.type)));
      place = *member;
      start = end + 1;
    }
    if (place.bit_size != 0) return failure(ErrorKind::Unsupported, fmt::format("{}: is a bit-field", left));
    searched = place.type;
    made.offset = *place.address;
  }
  Value value = enumerator_of(*searched, right);
  if (!value.type) value = TRY(evaluate(program, nullptr, right));
  made.search.pattern.bytes = TRY(bytes_as(*searched, value, program.reader(), right));
  made.search.pattern.any.assign(made.search.pattern.bytes.size(), false);
  // AMD64 psABI 3.1.2: scalars stand at multiples of their size.
  made.alignment = made.search.pattern.bytes.size();
  return std::vector<ValueSearch>{made};
}

// `struct point` is `point` in debug information.
std::string without_keyword(std::string_view text) {
  for (const std::string_view keyword : {"struct ", "class ", "union ", "enum "})
    if (text.starts_with(keyword)) text.remove_prefix(keyword.size());
  while (text.ends_with(' ')) text.remove_suffix(1);
  return std::string(text);
}

}  // namespace

Result<std::vector<ValueSearch>> find_value_searches(const Target& target, Symbolizer& symbolizer,
                                                     ProgramValues& program, const std::string& text) {
  const size_t equals = text.find('=');
  if (equals == std::string::npos) return by_virtual_table(target, symbolizer, program, without_keyword(text));
  return by_value(program, without_keyword(std::string_view(text).substr(0, equals)), text.substr(equals + 1));
}

}  // namespace mortem::inspector
