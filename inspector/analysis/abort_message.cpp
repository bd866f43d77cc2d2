#include "inspector/analysis/abort_message.h"

#include <algorithm>
#include <vector>

namespace mortem::inspector {
namespace {

template <typename T>
std::optional<T> load_from(const snapshot::CoreFile& core, uint64_t address) {
  T value;
  auto got = core.read_memory(address, {reinterpret_cast<uint8_t*>(&value), sizeof value});
  if (!got || *got != sizeof value) return std::nullopt;
  return value;
}

// glibc 2.12 and later, include/stdlib.h: struct abort_msg_s { unsigned int size; char msg[]; } *__abort_msg.
std::string message_at(const snapshot::CoreFile& core, uint64_t pointer) {
  constexpr uint32_t kLongest = 4096;
  const auto message = load_from<uint64_t>(core, pointer);
  if (!message || *message == 0) return {};
  const auto size = load_from<uint32_t>(core, *message);
  if (!size || *size == 0) return {};
  std::vector<uint8_t> bytes(std::min(*size, kLongest));
  bytes.resize(core.read_memory(*message + 4, bytes).value_or(0));
  std::string text(bytes.begin(), std::find(bytes.begin(), bytes.end(), 0));
  while (!text.empty() && text.back() == '\n') text.pop_back();
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

}  // namespace

std::string find_abort_message(const snapshot::CoreFile& core, Symbolizer& symbolizer) {
  for (const snapshot::CoreModule& module : core.modules()) {
    if (module.kind == format::ModuleKind::Vdso || module.kind == format::ModuleKind::Kernel) continue;
    const auto symbol = symbolizer.find_symbol(module, "__abort_msg");
    if (!symbol) continue;
    if (std::string text = message_at(core, *symbol); !text.empty()) return text;
  }
  return {};
}

}  // namespace mortem::inspector
