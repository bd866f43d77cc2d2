#include "inspector/analysis/rust_panic.h"

#include <llvm/Support/ConvertUTF.h>

#include <algorithm>
#include <array>
#include <map>
#include <vector>

#include "inspector/analysis/memory_values.h"

namespace mortem::inspector {
namespace {

constexpr uint64_t kMostStack = 256 << 10;  // of the panic's own frames
constexpr uint64_t kLongestMessage = 64 << 10;

// library/std/src/panicking.rs: begin_panic_handler makes an object of one of these types on its stack and hands it on
// as `&mut dyn PanicPayload` (BoxMeUp before 1.79): the address of the object, then that of the type's vtable.
enum class Payload {
  None,
  Text,       // StaticStrPayload (StrPanicPayload), begin_panic's Payload<&str>: a &'static str
  Formatted,  // FormatStringPayload (PanicPayload): the arguments, and the text made of them when it is first asked for
  Any,        // PanicPayload<A>, as the names of Rust's old mangling have it: a &'static str, or something else
};

Payload payload_of(std::string_view method) {
  const bool is_method = method.find("PanicPayload>::") != method.npos || method.find("BoxMeUp>::") != method.npos;
  if (!method.starts_with('<') || !is_method) return Payload::None;
  const std::string_view type = method.substr(1, method.find(" as ") - 1);
  // begin_panic_handler until Rust 1.90.
  if (type.starts_with("std::panicking::begin_panic_handler::") ||
      type.starts_with("std::panicking::panic_handler::")) {
    if (type.ends_with("::StaticStrPayload") || type.ends_with("::StrPanicPayload")) return Payload::Text;
    if (type.ends_with("::FormatStringPayload") || type.ends_with("::PanicPayload")) return Payload::Formatted;
  }
  if (!type.starts_with("std::panicking::begin_panic::")) return Payload::None;
  return type.ends_with("<&str>") ? Payload::Text : type.ends_with("<A>") ? Payload::Any : Payload::None;
}

class RustPanic {
 public:
  RustPanic(const Target& target, Symbolizer& symbolizer, const StackReader& reader, const Stack& stack)
      : target_(target), symbolizer_(symbolizer), reader_(reader), stack_(stack) {}

  std::optional<std::string> find() {
    const auto [low, high] = payload_frame();
    if (high == 0) return std::nullopt;
    const uint64_t start = stack_.frames.front().cfa & ~uint64_t{7};
    if (start == 0 || start >= high || high - start > kMostStack) return std::nullopt;
    std::optional<std::string> found;
    for (uint64_t at = start; at + 8 < high; at += 8) {
      const auto object = load_value<uint64_t>(target_, at), table = load_value<uint64_t>(target_, at + 8);
      // Only an object in the frame that makes it is surely there still: other words may be what is left of old calls.
      if (!object || !table || *object < low || *object >= high) continue;
      auto text = text_of(*object, *table);
      if (!text) continue;
      if (found && *found != *text) return std::nullopt;
      found = std::move(text);
    }
    return found;
  }

 private:
  // The stack of the function that made the payload, with what is inlined into it.
  std::pair<uint64_t, uint64_t> payload_frame() const {
    uint64_t below = 0;
    for (const Frame& frame : stack_.frames) {
      const auto has = [&](const char* text) { return frame.function.find(text) != std::string::npos; };
      const bool is_it = has("panicking::begin_panic_handler") || has("panicking::panic_handler") ||
                         has("panicking::begin_panic::") || has("panicking::begin_panic<");
      if (is_it && !frame.inlined) return frame.trust == Trust::Cfi ? std::pair(below, frame.cfa) : std::pair(0ul, 0ul);
      if (!frame.inlined) below = frame.cfa;
    }
    return {0, 0};
  }

  // The word at `table` and the following: drop function, size, alignment, methods.
  Payload payload_at(uint64_t table) {
    auto [place, is_new] = tables_.try_emplace(table, Payload::None);
    if (!is_new) return place->second;
    const CoreModule* module = reader_.module_at(table);
    const auto size = load_value<uint64_t>(target_, table + 8), alignment = load_value<uint64_t>(target_, table + 16);
    if (!module || table % 8 != 0 || !size || !alignment || *alignment != 8) return Payload::None;
    for (uint64_t method = 3; method < 6; ++method) {
      const Payload one = payload_of(function_at(load_value<uint64_t>(target_, table + 8 * method)));
      if (one != Payload::None && *size == (one == Payload::Formatted ? 32 : 16)) return place->second = one;
    }
    return Payload::None;
  }

  std::string function_at(std::optional<uint64_t> address) {
    const CoreModule* code = address ? reader_.module_at(*address) : nullptr;
    return code ? symbolizer_.locate(*code, *address - code->load_bias).back().function : std::string();
  }

  std::optional<std::string> text_of(uint64_t object, uint64_t table) {
    switch (payload_at(table)) {
      case Payload::None:
        return std::nullopt;
      case Payload::Text:
        return slice(load_value<uint64_t>(target_, object), load_value<uint64_t>(target_, object + 8));
      case Payload::Any: {  // a text of the program's own constants, with its length beside it, is nothing else
        const auto pointer = load_value<uint64_t>(target_, object);
        return pointer && reader_.module_at(*pointer) ? slice(pointer, load_value<uint64_t>(target_, object + 8))
                                                      : std::nullopt;
      }
      case Payload::Formatted:
        return formatted(object);
    }
    return std::nullopt;
  }

  // A pointer to the arguments and an Option<String>, in an order that the compiler chooses, as it does within String
  // (pointer, capacity, length): one reading alone must make sense.
  std::optional<std::string> formatted(uint64_t object) const {
    std::array<uint64_t, 4> words{};
    for (size_t index = 0; index < words.size(); ++index) {
      const auto word = load_value<uint64_t>(target_, object + 8 * index);
      if (!word) return std::nullopt;
      words[index] = *word;
    }
    std::optional<std::string> found;
    for (const size_t first : {size_t{0}, size_t{1}})
      for (const auto& [pointer, capacity] : {std::pair(first, first + 1), {first + 1, first}}) {
        const uint64_t length = words[first + 2];
        if (words[capacity] < length || words[capacity] > kLongestMessage * 16) continue;
        const auto text = slice(words[pointer], length);
        if (!text) continue;
        if (found && *found != *text) return std::nullopt;
        found = text;
      }
    return found;
  }

  std::optional<std::string> slice(std::optional<uint64_t> pointer, std::optional<uint64_t> length) const {
    if (!pointer || !length || *length == 0 || *length > kLongestMessage) return std::nullopt;
    std::string text = load_bytes(target_, *pointer, *length);
    const auto* bytes = reinterpret_cast<const llvm::UTF8*>(text.data());
    if (text.size() != *length || !llvm::isLegalUTF8String(&bytes, bytes + text.size())) return std::nullopt;
    return text;
  }

  const Target& target_;
  Symbolizer& symbolizer_;
  const StackReader& reader_;
  const Stack& stack_;
  std::map<uint64_t, Payload> tables_;
};

}  // namespace

std::optional<std::string> find_rust_panic(const Target& target, Symbolizer& symbolizer, const StackReader& reader,
                                           const Stack& stack) {
  return stack.frames.empty() ? std::nullopt : RustPanic(target, symbolizer, reader, stack).find();
}

}  // namespace mortem::inspector
