#include "inspector/analysis/go_panic.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "inspector/analysis/memory_values.h"
#include "inspector/symbols/go_release.h"

namespace mortem::inspector {
namespace {

constexpr uint64_t kLongestPanic = 4096;
constexpr int kMostNested = 4;  // errors in errors

// reflect.Kind; the bits above are flags.
constexpr uint64_t kKindMask = 31, kBool = 1, kInt = 2, kInt64 = 6, kUint = 7, kUintptr = 12, kFloat32 = 13,
                   kFloat64 = 14, kComplex64 = 15, kComplex128 = 16, kString = 24;
// The interface's second word is the value itself: of the kind, from Go 1.26 of tflag.
constexpr uint64_t kDirectInterface = 1 << 5;
constexpr uint64_t kExtraStar = 1 << 1;  // of tflag: the name stands with a * before it

// The shortest text that reads as the same number, as strconv formats it with 'g' and precision -1.
template <class Float>
std::string shortest_text(Float value) {
  constexpr int kLeast = -4, kMost = 6;  // exponents that are written out (strconv's %g)
  std::array<char, 512> text{};
  auto end = std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::scientific).ptr;
  const std::string_view scientific(text.data(), static_cast<size_t>(end - text.data()));
  int exponent = 0;
  const char* digits = scientific.data() + scientific.find('e') + 1;
  std::from_chars(digits + (*digits == '+' ? 1 : 0), scientific.data() + scientific.size(), exponent);
  if (exponent < kLeast || exponent >= kMost) return std::string(scientific);
  end = std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed).ptr;
  return {text.data(), end};
}

// As runtime.printfloat64 and printfloat32: up to Go 1.25 +1.500000e+000, from 1.26 1.5.
template <class Float>
std::string float_text(Float value, bool is_shortest) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  if (is_shortest) return shortest_text(value);
  std::string text = fmt::format("{:+.6e}", static_cast<double>(value));
  const size_t exponent = text.find('e') + 2;
  return text.insert(exponent, 3 - std::min<size_t>(3, text.size() - exponent), '0');
}

template <class Float>
std::string float_text_of(std::string_view bytes, bool is_shortest) {
  Float value{};
  if (bytes.size() < sizeof value) return {};
  std::copy_n(bytes.begin(), sizeof value, reinterpret_cast<char*>(&value));
  return float_text(value, is_shortest);
}

template <class Float>
std::string complex_text_of(std::string_view bytes, bool is_shortest) {
  if (bytes.size() < 2 * sizeof(Float)) return {};
  std::string imaginary = float_text_of<Float>(bytes.substr(sizeof(Float)), is_shortest);
  if (imaginary.front() != '+' && imaginary.front() != '-') imaginary.insert(0, "+");
  return fmt::format("({}{}i)", float_text_of<Float>(bytes, is_shortest), imaginary);
}

class PanicText {
 public:
  PanicText(const GoRuntime& runtime, const Target& target) : runtime_(runtime), target_(target) {}

  std::string of(uint64_t goroutine) const {
    const auto panic = runtime_.field(target_, goroutine, "g._panic");
    const auto argument = runtime_.offset("_panic.arg");
    if (!panic || *panic == 0 || !argument) return {};
    return interface_text(*panic + *argument, 0);
  }

 private:
  std::optional<uint64_t> word(uint64_t address) const { return load_value<uint64_t>(target_, address); }

  // An interface without methods: type and data. Of one with methods the first word leads to the type (runtime.itab).
  std::string interface_text(uint64_t address, int depth) const {
    const auto type = word(address), data = word(address + 8);
    return type && *type != 0 && data ? value_text(*type, *data, depth) : std::string();
  }
  std::string error_text(uint64_t address, int depth) const {
    const auto table = word(address), data = word(address + 8);
    const auto type = table && *table != 0 ? word(*table + 8) : std::nullopt;
    return type && data ? value_text(*type, *data, depth) : std::string();
  }

  std::string value_text(uint64_t type, uint64_t data, int depth) const {
    const auto kind = runtime_.field(target_, type, "_type.kind");
    if (!kind || depth > kMostNested) return {};
    const std::string name = type_name(type);
    if (const std::string text = known_error(name, data, depth); !text.empty()) return text;
    const bool is_direct = ((*kind | runtime_.field(target_, type, "_type.tflag").value_or(0)) & kDirectInterface) != 0;
    const std::string plain = is_direct ? std::string() : plain_text(type, *kind & kKindMask, data, name);
    if (!plain.empty()) return plain;
    if (name.empty() || (*kind & kKindMask) <= kComplex128 || (*kind & kKindMask) == kString) return {};
    return fmt::format("({}) {:#x}", name, data);
  }

  // A basic type; one of the program's own with its name around: main.Code(17).
  std::string plain_text(uint64_t type, uint64_t kind, uint64_t address, const std::string& name) const {
    const bool is_named = name.find('.') != std::string::npos;
    if (kind == kString) {
      const std::string text = string_at(address);
      return is_named ? fmt::format("{}(\"{}\")", name, text) : text;
    }
    const auto size = runtime_.field(target_, type, "_type.size");
    if (!size || *size == 0 || *size > 16) return {};
    const std::string bytes = load_bytes(target_, address, *size);
    if (bytes.size() != *size) return {};
    if (kind == kComplex64 || kind == kComplex128) {
      const std::string text = kind == kComplex64 ? complex_text_of<float>(bytes, is_shortest())
                                                  : complex_text_of<double>(bytes, is_shortest());
      return is_named && !text.empty() ? name + text : text;
    }
    const std::string text = real_text(kind, bytes);
    if (text.empty()) return {};
    return is_named ? fmt::format("{}({})", name, text) : text;
  }

  std::string real_text(uint64_t kind, std::string_view bytes) const {
    if (kind == kFloat64) return float_text_of<double>(bytes, is_shortest());
    if (kind == kFloat32) return float_text_of<float>(bytes, is_shortest());
    if (bytes.size() > 8) return {};
    uint64_t value = 0;
    std::copy(bytes.begin(), bytes.end(), reinterpret_cast<char*>(&value));
    if (kind == kBool) return value != 0 ? "true" : "false";
    const unsigned unused = 64 - 8 * static_cast<unsigned>(bytes.size());
    if (kind >= kInt && kind <= kInt64) return fmt::format("{}", static_cast<int64_t>(value << unused) >> unused);
    return kind >= kUint && kind <= kUintptr ? fmt::format("{}", value) : std::string();
  }

  // How numbers with a point are printed.
  bool is_shortest() const {
    constexpr int kFirst = 26;
    const auto version = runtime_.variable("buildVersion");
    return version && go_release(string_at(*version)).value_or(kFirst) >= kFirst;
  }

  // Errors of Go's own packages, as their Error() makes them. Those of the program only its code knows.
  std::string known_error(const std::string& name, uint64_t data, int depth) const {
    if (name == "runtime.plainError" || name == "runtime.errorString" || name == "runtime.errorAddressString") {
      const std::string text = string_at(data);
      return name == "runtime.plainError" || text.empty() ? text : "runtime error: " + text;
    }
    if (name == "runtime.boundsError") return bounds_text(data);
    if (name == "*errors.errorString" || name == "*fmt.wrapError" || name == "*fmt.wrapErrors") return string_at(data);
    if (name == "*fs.PathError") {
      const std::string cause = error_text(data + 32, depth + 1);
      return cause.empty() ? cause : fmt::format("{} {}: {}", string_at(data), string_at(data + 16), cause);
    }
    return name == "*runtime.TypeAssertionError" ? assertion_text(data) : std::string();
  }

  // runtime.boundsError: x int64, y int, signed bool, code uint8. The runtime has the texts by code, others for an x
  // below 0, in which y does not stand.
  std::string bounds_text(uint64_t address) const {
    constexpr uint8_t kMostCodes = 32;
    const auto x = load_value<int64_t>(target_, address), y = load_value<int64_t>(target_, address + 8);
    const auto is_signed = load_value<uint8_t>(target_, address + 16),
               code = load_value<uint8_t>(target_, address + 17);
    if (!x || !y || !is_signed || !code || *code >= kMostCodes) return {};
    const auto texts = runtime_.variable(*is_signed != 0 && *x < 0 ? "boundsNegErrorFmts" : "boundsErrorFmts");
    std::string text = texts ? string_at(*texts + 16 * *code) : std::string();
    if (text.empty()) return {};
    text.insert(0, "runtime error: ");
    const std::string first = *is_signed != 0 ? fmt::format("{}", *x) : fmt::format("{}", static_cast<uint64_t>(*x));
    for (const auto& [mark, value] : {std::pair("%x", first), {"%y", fmt::format("{}", *y)}})
      if (const size_t at = text.find(mark); at != std::string::npos) text.replace(at, 2, value);
    return text;
  }

  // runtime.TypeAssertionError: the interface's type, the value's, the wanted one's, and the name of a method.
  std::string assertion_text(uint64_t address) const {
    const auto of_interface = word(address), concrete = word(address + 8), asserted = word(address + 16);
    if (!of_interface || !concrete || !asserted) return {};
    const std::string wanted = type_name(*asserted), found = *concrete != 0 ? type_name(*concrete) : "";
    if (wanted.empty() || (*concrete != 0 && found.empty())) return {};
    const std::string of = *of_interface != 0 ? type_name(*of_interface) : "interface";
    const std::string method = string_at(address + 24);
    if (*concrete == 0) return fmt::format("interface conversion: {} is nil, not {}", of, wanted);
    if (method.empty()) return fmt::format("interface conversion: {} is {}, not {}", of, found, wanted);
    return fmt::format("interface conversion: {} is not {}: missing method {}", found, wanted, method);
  }

  // From the start of the module's types: flags, the length as a varint (Go 1.17 and newer), the text.
  std::string type_name(uint64_t type) const {
    const auto module = runtime_.variable("firstmoduledata");
    const auto types = module ? runtime_.field(target_, *module, "moduledata.types") : std::nullopt;
    const auto offset = runtime_.field(target_, type, "_type.str"),
               flags = runtime_.field(target_, type, "_type.tflag");
    if (!types || !offset || !flags || *offset == 0) return {};
    const uint64_t start = *types + *offset + 1;
    uint64_t length = 0, at = 0;
    for (; at < 3; ++at) {
      const auto byte = load_value<uint8_t>(target_, start + at);
      if (!byte) return {};
      length |= uint64_t{*byte & 0x7Fu} << (7 * at);
      if ((*byte & 0x80) == 0) break;
    }
    if (length == 0 || length > kLongestPanic) return {};
    std::string name = load_bytes(target_, start + at + 1, length);
    if (name.size() != length) return {};
    if ((*flags & kExtraStar) != 0) name.erase(0, 1);
    return name;
  }

  std::string string_at(uint64_t address) const {
    const auto data = word(address), size = word(address + 8);
    if (!data || !size || *size > kLongestPanic) return {};
    std::string text = load_bytes(target_, *data, *size);
    return text.size() == *size ? text : std::string();
  }

  const GoRuntime& runtime_;
  const Target& target_;
};

}  // namespace

std::string go_panic_text(const GoRuntime& runtime, const Target& target, uint64_t goroutine) {
  return PanicText(runtime, target).of(goroutine);
}

}  // namespace mortem::inspector
