#include "inspector/analysis/cxx_exception.h"

#include <fmt/format.h>
#include <llvm/Demangle/Demangle.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>
#include <set>
#include <vector>

#include "inspector/analysis/function_names.h"
#include "inspector/analysis/memory_values.h"
#include "inspector/analysis/noise.h"

namespace mortem::inspector {
namespace {

// __cxa_exception (Itanium C++ ABI: Exception Handling, 2.2.1) as both libsupc++ and libc++abi lay it out: the
// unwinder's header stands at its end, the thrown object behind that. Distances from the unwinder's header.
constexpr uint64_t kClassGnu = 0x474E5543432B2B00, kClassLlvm = 0x434C4E47432B2B00;  // "GNUCC++\0", "CLNGC++\0"
constexpr uint64_t kTypeBefore = 80, kNextBefore = 48, kHandlersBefore = 40, kObjectBehind = 32;
constexpr size_t kLongestTypeName = 2048, kLongestText = 1024, kMostBases = 16, kDeepest = 8;
constexpr uint64_t kMostStack = 64 << 10;

struct Candidate {
  uint64_t header = 0;  // of the unwinder
  uint64_t type = 0, object = 0, next = 0;
};

// The mangled name of a std::type_info; empty: it is none.
std::string mangled_name(const Target& target, uint64_t type_info) {
  const auto name = type_info != 0 && type_info % 8 == 0 ? load_value<uint64_t>(target, type_info + 8) : std::nullopt;
  auto text = name ? load_c_string(target, *name, kLongestTypeName) : std::nullopt;
  if (!text || text->empty()) return {};
  if (text->front() == '*') text->erase(0, 1);  // local to a file: compared by address (libsupc++)
  for (const unsigned char one : *text)
    if (std::isalnum(one) == 0 && one != '_' && one != '.') return {};
  return *text;
}

std::string demangled_type(const std::string& mangled) {
  constexpr std::string_view kPrefix = "typeinfo for ";
  const std::string text = llvm::demangle("_ZTI" + mangled);
  return text.starts_with(kPrefix) ? text.substr(kPrefix.size()) : "";
}

std::optional<Candidate> candidate_at(const Target& target, uint64_t header) {
  if (header % 16 != 0) return std::nullopt;
  const auto kind = load_value<uint64_t>(target, header);
  if (!kind || ((*kind & ~uint64_t{0xFF}) != kClassGnu && (*kind & ~uint64_t{0xFF}) != kClassLlvm)) return std::nullopt;
  Candidate one;
  one.header = header;
  const auto first = load_value<uint64_t>(target, header - kTypeBefore);
  const auto next = load_value<uint64_t>(target, header - kNextBefore);
  // std::terminate counts as a handler. One that was handled before and freed may still stand in memory.
  const auto handlers = load_value<int32_t>(target, header - kHandlersBefore);
  if (!first || !next || !handlers || *handlers == 0) return std::nullopt;
  one.next = *next;
  one.object = header + kObjectBehind;
  one.type = *first;
  if ((*kind & 0xFF) == 1) {  // thrown again by std::rethrow_exception: it names the first one's object
    one.object = *first;
    const auto type = load_value<uint64_t>(target, *first - kObjectBehind - kTypeBefore);
    if (!type) return std::nullopt;
    one.type = *type;
  }
  if (demangled_type(mangled_name(target, one.type)).empty()) return std::nullopt;
  return one;
}

struct Ended {
  bool terminated = false, left_noexcept = false;
  uint64_t until = 0;  // the stack of the functions that threw and terminated ends here
};

bool is_runtime(const Frame& frame, std::initializer_list<std::string_view> names) {
  const std::string file = std::filesystem::path(frame.module).filename().string();
  return std::any_of(names.begin(), names.end(), [&](std::string_view one) { return file.starts_with(one); });
}

// The frames of the C and C++ runtimes on top of the stack.
Ended how_it_ended(const Stack& stack) {
  Ended ended;
  for (const Frame& frame : stack.frames) {
    const std::string name = stable_function_name(frame.function);
    const bool cxx = is_runtime(frame, {"libstdc++.", "libc++"});
    if (!cxx && !is_runtime(frame, {"libc.so", "libc-2", "libgcc_s", "libunwind"}) && !is_noise_function(name)) break;
    ended.terminated |= cxx || name == "std::terminate" || name.starts_with("__cxxabiv1::");
    ended.left_noexcept |=
        name == "__cxa_call_terminate" || name == "__clang_call_terminate" || name == "__gxx_personality_v0";
    if (frame.cfa != 0) ended.until = frame.cfa;
  }
  return ended;
}

std::vector<Candidate> candidates_on_stack(const Target& target, uint64_t from, uint64_t until) {
  std::vector<Candidate> found;
  std::set<uint64_t> seen;
  if (until < from || until - from > kMostStack) return found;
  for (uint64_t at = from & ~uint64_t{7}; at < until; at += 8) {
    const auto word = load_value<uint64_t>(target, at);
    if (!word || *word < 0x10000) continue;
    for (const uint64_t header : {*word, *word - kObjectBehind, *word + kTypeBefore})
      if (seen.insert(header).second)
        if (auto one = candidate_at(target, header)) found.push_back(*one);
  }
  return found;
}

// The byte at which the base class of that mangled name starts in an object of the class.
std::optional<uint64_t> base_offset(const Target& target, uint64_t type_info, const std::string& wanted,
                                    unsigned depth) {
  const std::string name = mangled_name(target, type_info);
  if (name.empty() || depth > kDeepest) return std::nullopt;
  if (name == wanted) return 0;
  // __si_class_type_info: one base at the start. __vmi_class_type_info: flags, count, then (base, offset << 8 | flags).
  const auto word = load_value<uint64_t>(target, type_info + 16);
  if (!word) return std::nullopt;
  if (!demangled_type(mangled_name(target, *word)).empty()) return base_offset(target, *word, wanted, depth + 1);
  const uint64_t count = *word >> 32;
  if ((*word & 0xFFFFFFFF) > 3 || count == 0 || count > kMostBases) return std::nullopt;
  for (uint64_t index = 0; index < count; ++index) {
    const auto base = load_value<uint64_t>(target, type_info + 24 + 16 * index);
    const auto flags = load_value<uint64_t>(target, type_info + 32 + 16 * index);
    constexpr uint64_t kVirtual = 1;
    if (!base || !flags || (*flags & kVirtual) != 0) continue;
    if (const auto inside = base_offset(target, *base, wanted, depth + 1)) return (*flags >> 8) + *inside;
  }
  return std::nullopt;
}

template <typename T>
std::optional<std::string> number_text(const Target& target, uint64_t address) {
  const auto value = load_value<T>(target, address);
  return value ? std::optional(fmt::format("{}", *value)) : std::nullopt;
}

std::optional<std::string> text_at_pointer(const Target& target, uint64_t pointer) {
  const auto address = load_value<uint64_t>(target, pointer);
  return address ? load_c_string(target, *address, kLongestText) : std::nullopt;
}

std::optional<std::string> value_text(const Target& target, const Candidate& one, const std::string& mangled) {
  if (mangled == "i") return number_text<int32_t>(target, one.object);
  if (mangled == "j") return number_text<uint32_t>(target, one.object);
  if (mangled == "l" || mangled == "x") return number_text<int64_t>(target, one.object);
  if (mangled == "m" || mangled == "y") return number_text<uint64_t>(target, one.object);
  if (mangled == "PKc" || mangled == "Pc") return text_at_pointer(target, one.object);
  if (mangled == "NSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE") {
    const auto size = load_value<uint64_t>(target, one.object + 8), data = load_value<uint64_t>(target, one.object);
    if (!size || !data || *size > kLongestText) return std::nullopt;
    std::string text = load_bytes(target, *data, *size);
    return text.size() == *size ? std::optional(text) : std::nullopt;
  }
  // Both keep their text as a pointer behind the one to the virtual functions (libstdc++ and libc++ alike).
  for (const char* base : {"St13runtime_error", "St11logic_error"})
    if (const auto offset = base_offset(target, one.type, base, 0))
      return text_at_pointer(target, one.object + *offset + 8);
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 5> kFixed = {
      {{"St9bad_alloc", "std::bad_alloc"},
       {"St20bad_array_new_length", "std::bad_array_new_length"},
       {"St8bad_cast", "std::bad_cast"},
       {"St17bad_function_call", "bad_function_call"},
       {"St19bad_optional_access", "bad optional access"}}};
  for (const auto& [name, text] : kFixed)
    if (mangled == name) return std::string(text);
  return std::nullopt;
}

}  // namespace

std::optional<CxxException> find_uncaught_exception(const Target& target, const Stack& stack) {
  const Ended ended = how_it_ended(stack);
  const auto registers = target.registers(stack.thread);
  if (!ended.terminated || ended.until == 0 || !registers) return std::nullopt;
  auto found = candidates_on_stack(target, registers->rsp, ended.until);
  // One that was caught before, in whose handler this one was thrown, hangs behind it.
  std::set<uint64_t> behind;
  for (const Candidate& one : found) behind.insert(one.next);
  std::erase_if(found, [&](const Candidate& one) { return behind.contains(one.header - kTypeBefore); });
  if (found.size() != 1) return std::nullopt;
  const std::string mangled = mangled_name(target, found.front().type);
  return CxxException{demangled_type(mangled), value_text(target, found.front(), mangled), ended.left_noexcept};
}

}  // namespace mortem::inspector
