#include "inspector/analysis/signature.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <string_view>

#include "inspector/analysis/function_names.h"
#include "inspector/analysis/noise.h"

namespace mortem::inspector {
namespace {

constexpr size_t kFrames = 5;

// How threads and programs start: below these stands nothing that tells.
bool is_start(std::string_view name) {
  static constexpr std::string_view kStarts[] = {"_start",
                                                 "_start_c",
                                                 "start_thread",
                                                 "start",
                                                 "clone",
                                                 "clone3",
                                                 "__clone",
                                                 "__clone3",
                                                 "__clone_internal",
                                                 "execute_native_thread_routine",
                                                 "runtime.main",
                                                 "runtime.goexit",
                                                 "runtime.rt0_go",
                                                 "pthread_tramp"};
  static constexpr std::string_view kPrefixes[] = {"__libc_start_",
                                                   "std::rt::lang_start",
                                                   "std::thread::_Invoker",
                                                   "std::thread::_State_impl",
                                                   "libc_start_main",
                                                   "std::__invoke",
                                                   "core::ops::function::FnOnce::call_once"};
  return std::find(std::begin(kStarts), std::end(kStarts), name) != std::end(kStarts) ||
         std::any_of(std::begin(kPrefixes), std::end(kPrefixes), [&](auto one) { return name.starts_with(one); });
}

std::string frame_name(const Frame& frame) {
  if (!frame.function.empty()) return stable_function_name(frame.function);
  if (frame.module.empty()) return {};
  return fmt::format("{}+{:#x}", std::filesystem::path(frame.module).filename().string(), frame.module_offset);
}

// From the first frame that tells on, without noise, each run of a recursion once.
std::vector<std::string> telling_names(const Stack& stack, bool unnamed_too) {
  std::vector<std::string> names;
  auto recursion = stack.recursions.begin();
  // Without any named function all frames count.
  size_t first = first_telling_frame(stack);
  if (first == stack.frames.size()) first = 0;
  for (size_t index = first; index < stack.frames.size() && names.size() < kFrames; ++index) {
    while (recursion != stack.recursions.end() && recursion->first + recursion->period * recursion->count <= index)
      ++recursion;
    // Of a recursion its first round.
    if (recursion != stack.recursions.end() && index >= recursion->first + recursion->period) {
      index = recursion->first + recursion->period * recursion->count - 1;
      continue;
    }
    const Frame& frame = stack.frames[index];
    if (frame.function.empty() && !unnamed_too) continue;
    std::string name = frame_name(frame);
    if (name.empty() || frame.signal_frame || is_start(name) || is_noise_function(name)) continue;
    if (!names.empty() && names.back() == name) continue;  // recursion of one or two rounds
    names.push_back(std::move(name));
  }
  return names;
}

// A frame without a name is known by module and offset, which another build does not have: only where no name is known.
std::vector<std::string> telling_names(const Stack& stack) {
  auto names = telling_names(stack, false);
  return names.empty() ? telling_names(stack, true) : names;
}

// The functions of the longest recursion, in an order that does not depend on which of them found the stack full.
std::vector<std::string> cycle_names(const Stack& stack) {
  const auto longest =
      std::max_element(stack.recursions.begin(), stack.recursions.end(),
                       [](const Recursion& a, const Recursion& b) { return a.period * a.count < b.period * b.count; });
  if (longest == stack.recursions.end()) return telling_names(stack);
  std::vector<std::string> names;
  for (size_t index = 0; index < longest->period; ++index) {
    std::string name = frame_name(stack.frames[longest->first + index]);
    if (!name.empty() && !is_noise_function(name)) names.push_back(std::move(name));
  }
  auto best = names;
  for (size_t turn = 0; turn < names.size(); ++turn) {
    std::rotate(names.begin(), names.begin() + 1, names.end());
    best = std::min(best, names);
  }
  if (best.size() > kFrames) best.resize(kFrames);
  return best;
}

// glibc: "program: file.c:42: function: Assertion `x > 0' failed." -> "Assertion `x > 0' failed."
std::string assertion_text(const std::string& message) {
  const size_t at = message.find("Assertion `");
  return at == std::string::npos ? std::string() : message.substr(at);
}

// "connection" of "struct connection": C++ names it without the word.
std::string type_word(const std::string& type) {
  std::string name = stable_type_name(type);
  for (const std::string_view word : {"struct ", "union "})
    if (name.starts_with(word)) name.erase(0, word.size());
  return name;
}

std::string kind_text(const CrashReason& reason) {
  if (reason.stack_overflow) return "stack overflow";
  if (!reason.exception_type.empty()) return "uncaught " + stable_type_name(reason.exception_type);
  if (!reason.abort_message.empty()) {
    const std::string assertion = assertion_text(reason.abort_message);
    return reason.signal_name + " " + (assertion.empty() ? stable_message(reason.abort_message) : assertion);
  }
  if (!reason.panic.empty()) return stable_message(reason.panic);
  if (reason.exit_status) return fmt::format("exit {} {}", *reason.exit_status, stable_message(reason.last_words));
  std::string text = reason.signal_name.empty() ? "kernel" : reason.signal_name;
  if (reason.access && !reason.access->member.empty())
    text += " " + type_word(reason.access->type) + "." + stable_message(reason.access->member);
  return text;
}

// FNV-1a, 64 bits.
uint64_t hash(const CrashSignature& signature) {
  uint64_t value = 0xCBF29CE484222325;
  auto add = [&](const std::string& text) {
    for (const char one : text + '\n') value = (value ^ static_cast<unsigned char>(one)) * 0x100000001B3;
  };
  add(signature.kind);
  for (const std::string& one : signature.frames) add(one);
  return value;
}

}  // namespace

std::string stable_message(const std::string& message) {
  std::string result;
  auto is_word = [](char one) { return std::isalnum(static_cast<unsigned char>(one)) != 0 || one == '_'; };
  for (size_t at = 0; at < message.size();) {
    const bool starts_word = at == 0 || !is_word(message[at - 1]);
    if (!starts_word || std::isdigit(static_cast<unsigned char>(message[at])) == 0) {
      result += message[at++];
      continue;
    }
    while (at < message.size() && is_word(message[at])) ++at;  // 42, 0x7fff…, 80ms
    result += '#';
  }
  return result;
}

CrashSignature crash_signature(const CrashReason& reason, const Stack* stack) {
  CrashSignature signature;
  if (!reason.crashed) return signature;
  signature.kind = kind_text(reason);
  if (stack) signature.frames = reason.stack_overflow ? cycle_names(*stack) : telling_names(*stack);
  signature.id = fmt::format("{:016x}", hash(signature));
  return signature;
}

}  // namespace mortem::inspector
