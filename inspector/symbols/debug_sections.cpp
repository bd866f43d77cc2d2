#include "inspector/symbols/debug_sections.h"

namespace mortem::inspector {
namespace {

llvm::StringRef text_of(std::span<const uint8_t> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

const llvm::DWARFSection& DebugSections::load(std::string_view name) const {
  auto [place, is_new] = loaded_.try_emplace(name);
  if (!is_new) return place->second;
  if (const auto* merged = merged_ ? merged_->find(name) : nullptr) {
    place->second.Data = text_of(*merged);
    return place->second;
  }
  if (const ElfSection* section = image_.debug_section(name)) {
    place->second.Address = section->address;
    if (const auto bytes = image_.content(*section)) place->second.Data = text_of(*bytes);
  }
  return place->second;
}

void DebugSections::visit_all(std::string_view name, Visit visit) const {
  if (merged_ && merged_->find(name)) return visit(load(name));
  for (const ElfSection& one : image_.sections()) {
    if (!is_debug_section(one, name)) continue;
    const auto bytes = image_.content(one);
    if (!bytes) continue;
    visited_.push_back(std::make_unique<SectionWithoutRelocations>());
    visited_.back()->Data = text_of(*bytes);
    visit(*visited_.back());
  }
}

}  // namespace mortem::inspector
