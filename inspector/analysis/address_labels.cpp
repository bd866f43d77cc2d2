#include "inspector/analysis/address_labels.h"

#include <fmt/format.h>

#include <algorithm>

namespace mortem::inspector {

AddressLabels::AddressLabels(const Target& target) : target_(target) {
  for (const auto& thread : target.threads())
    if (const auto registers = target.registers(thread.id)) stacks_.push_back({registers->rsp, &thread});
  std::sort(stacks_.begin(), stacks_.end(),
            [](const StackPointer& a, const StackPointer& b) { return a.pointer < b.pointer; });
}

const TargetRegion* AddressLabels::region(uint64_t address) const {
  const auto& regions = target_.regions();
  const auto after = std::upper_bound(regions.begin(), regions.end(), address,
                                      [](uint64_t value, const auto& one) { return value < one.start; });
  if (after == regions.begin() || address >= std::prev(after)->end) return nullptr;
  return &*std::prev(after);
}

const CoreModule* AddressLabels::module(uint64_t address) const {
  for (const auto& module : target_.modules())
    if (address >= module.start && address < module.end) return &module;
  return nullptr;
}

const TargetThread* AddressLabels::thread(uint64_t address) const {
  constexpr uint64_t kRedZone = 128;  // a leaf function may use this much below its stack pointer (AMD64 psABI 3.2.2)
  const auto* here = region(address);
  if (!here) return nullptr;
  const TargetThread* found = nullptr;
  for (const StackPointer& stack : stacks_)
    if (stack.pointer >= here->start && stack.pointer < here->end && stack.pointer <= address + kRedZone)
      found = stack.thread;
  return found;
}

std::string AddressLabels::text(uint64_t address) const {
  if (const auto* one = module(address)) return fmt::format("{}+{:#x}", one->path, address - one->load_bias);
  if (const auto* one = thread(address))
    return fmt::format("stack of thread {}{}", one->id, one->name.empty() ? "" : fmt::format(" \"{}\"", one->name));
  const auto* here = region(address);
  if (here && !here->path.empty()) return here->path;
  return here && here->start >= uint64_t{1} << 63 ? "the kernel's memory" : "memory of its own";
}

}  // namespace mortem::inspector
