#include "inspector/values/dwarf_module.h"

#include <llvm/DebugInfo/DWARF/DWARFCompileUnit.h>

#include <algorithm>

namespace mortem::inspector {

using llvm::DWARFDie;
namespace dwarf = llvm::dwarf;

namespace {

constexpr int kMaximumNesting = 32;  // namespaces and classes in one another; chains of references

bool opens_scope(dwarf::Tag tag) {
  return tag == dwarf::DW_TAG_namespace || tag == dwarf::DW_TAG_structure_type || tag == dwarf::DW_TAG_class_type ||
         tag == dwarf::DW_TAG_union_type || tag == dwarf::DW_TAG_module;
}

bool is_type_tag(dwarf::Tag tag) {
  switch (tag) {
    case dwarf::DW_TAG_structure_type:
    case dwarf::DW_TAG_class_type:
    case dwarf::DW_TAG_union_type:
    case dwarf::DW_TAG_enumeration_type:
    case dwarf::DW_TAG_typedef:
    case dwarf::DW_TAG_base_type:
    case dwarf::DW_TAG_pointer_type:  // Go names its pointer types
      return true;
    default:
      return false;
  }
}

DWARFDie origin_of(const DWARFDie& die) {
  for (const auto attribute : {dwarf::DW_AT_specification, dwarf::DW_AT_abstract_origin})
    if (DWARFDie origin = die.getAttributeValueAsReferencedDie(attribute)) return origin;
  return {};
}

}  // namespace

std::optional<llvm::DWARFFormValue> find_attribute(const DWARFDie& start, dwarf::Attribute attribute) {
  DWARFDie die = start;
  for (int depth = 0; die && depth < kMaximumNesting; ++depth) {
    if (auto value = die.find(attribute)) return value;
    die = origin_of(die);
  }
  return std::nullopt;
}

bool has_flag(const DWARFDie& die, dwarf::Attribute attribute) {
  return dwarf::toUnsigned(die.find(attribute), 0) != 0;
}

std::string name_in_source(std::string name) {
  constexpr std::string_view kAnonymous = "(anonymous namespace)::";
  for (size_t at; (at = name.find(kAnonymous)) != std::string::npos;) name.erase(at, kAnonymous.size());
  return name;
}

std::string entry_name(const DWARFDie& die) {
  if (const auto name = find_attribute(die, dwarf::DW_AT_name)) return dwarf::toString(*name, "");
  // clang leaves the name of a type to its type unit.
  const DWARFDie whole = die.find(dwarf::DW_AT_signature) ? die.resolveTypeUnitReference() : die;
  return whole == die ? "" : dwarf::toString(whole.find(dwarf::DW_AT_name), "");
}

std::string linkage_name(const DWARFDie& die) {
  auto value = find_attribute(die, dwarf::DW_AT_linkage_name);
  if (!value) value = find_attribute(die, dwarf::DW_AT_MIPS_linkage_name);
  return dwarf::toString(value, "");
}

bool is_inside_function(const DWARFDie& start) {
  DWARFDie die = start.getParent();
  for (int depth = 0; die && depth < kMaximumNesting; ++depth, die = die.getParent())
    if (die.getTag() == dwarf::DW_TAG_subprogram || die.getTag() == dwarf::DW_TAG_inlined_subroutine) return true;
  return false;
}

std::string qualified_name(const DWARFDie& start) {
  std::string name = entry_name(start);
  if (name.empty()) return name;
  DWARFDie die = start;
  for (int depth = 0; depth < kMaximumNesting; ++depth) {
    // A definition outside of its class stands in the class's scope.
    DWARFDie origin = origin_of(die);
    for (int step = 0; origin && step < kMaximumNesting; ++step) {
      die = origin;
      origin = origin_of(die);
    }
    die = die.getParent();
    if (!die || !opens_scope(die.getTag())) break;
    const std::string scope = entry_name(die);
    name = (scope.empty() ? "(anonymous namespace)" : scope) + "::" + name;
  }
  return name;
}

Language language_of(llvm::DWARFUnit& unit) {
  switch (dwarf::toUnsigned(unit.getUnitDIE().find(dwarf::DW_AT_language), 0)) {
    case dwarf::DW_LANG_C:
    case dwarf::DW_LANG_C89:
    case dwarf::DW_LANG_C99:
    case dwarf::DW_LANG_C11:
    case dwarf::DW_LANG_C17:
      return Language::C;
    case dwarf::DW_LANG_C_plus_plus:
    case dwarf::DW_LANG_C_plus_plus_03:
    case dwarf::DW_LANG_C_plus_plus_11:
    case dwarf::DW_LANG_C_plus_plus_14:
    case dwarf::DW_LANG_C_plus_plus_17:
    case dwarf::DW_LANG_C_plus_plus_20:
      return Language::Cpp;
    case dwarf::DW_LANG_Rust:
      return Language::Rust;
    case dwarf::DW_LANG_Go:
      return Language::Go;
    default:
      return Language::Other;
  }
}

std::unique_ptr<DwarfModule> DwarfModule::open(const snapshot::CoreModule& module, Symbolizer& symbolizer) {
  DebugFile* file = symbolizer.debug_file(module);
  if (!file) return nullptr;
  std::unique_ptr<DwarfModule> result(new DwarfModule(module, *file, symbolizer));
  const SymbolFiles& files = symbolizer.files(module);
  if (!files.executable.empty())
    if (auto executable = ElfImage::map_file(files.executable)) result->executable_ = *executable;
  return result;
}

std::vector<DWARFDie> DwarfModule::functions_at(uint64_t address) {
  auto [place, is_new] = functions_.try_emplace(address);
  if (is_new) {
    llvm::SmallVector<DWARFDie, 8> chain;
    if (llvm::DWARFUnit* unit = file_.context().getCompileUnitForCodeAddress(address)) {
      if (DWARFDie whole = unit->getNonSkeletonUnitDIE(false)) unit = whole.getDwarfUnit();  // split DWARF
      unit->getInlinedChainForAddress(address, chain);
    }
    for (const DWARFDie& die : chain) place->second.push_back(reference_to(die));
  }
  std::vector<DWARFDie> result;
  for (const EntryReference& one : place->second) result.push_back(one.get());
  return result;
}

void DwarfModule::add_name(const DWARFDie& die, const std::string& scope, NameKind kind) {
  const std::string last = entry_name(die);
  if (last.empty()) return;
  const bool elsewhere = static_cast<bool>(die.find(dwarf::DW_AT_specification));
  const NamedEntry entry{reference_to(die), kind};
  names_[name_in_source(elsewhere ? qualified_name(die) : scope + last)].push_back(entry);
}

void DwarfModule::read_names_below(const DWARFDie& parent, const std::string& scope, int depth) {
  if (depth > kMaximumNesting) return;
  for (const DWARFDie& die : parent.children()) {
    const dwarf::Tag tag = die.getTag();
    const bool declaration = has_flag(die, dwarf::DW_AT_declaration);
    // A static member's value in its class: a declaration, of a member before DWARF 5.
    const bool constant = declaration && die.find(dwarf::DW_AT_const_value);
    if ((tag == dwarf::DW_TAG_variable && !declaration) ||
        (constant && (tag == dwarf::DW_TAG_variable || tag == dwarf::DW_TAG_member)))
      add_name(die, scope, NameKind::Variable);
    else if (tag == dwarf::DW_TAG_variable && die.find(dwarf::DW_AT_external))
      add_name(die, scope, NameKind::Declaration);
    else if (tag == dwarf::DW_TAG_subprogram && !declaration &&
             (die.find(dwarf::DW_AT_low_pc) || die.find(dwarf::DW_AT_ranges)))
      add_name(die, scope, NameKind::Function);
    else if (is_type_tag(tag) && !declaration)
      add_name(die, scope, NameKind::Type);
    // Those of an `enum class` are found by its name.
    if (tag == dwarf::DW_TAG_enumeration_type && !declaration && !has_flag(die, dwarf::DW_AT_enum_class))
      for (const DWARFDie& one : die.children())
        if (one.getTag() == dwarf::DW_TAG_enumerator) add_name(one, scope, NameKind::Enumerator);
    // DW_AT_go_runtime_type (cmd/internal/dwarf of Go's sources).
    if (is_type_tag(tag))
      if (const auto descriptor = die.find(static_cast<dwarf::Attribute>(0x2904)))
        if (const auto offset = dwarf::toAddress(descriptor)) go_types_.try_emplace(*offset, reference_to(die));
    if (!opens_scope(tag)) continue;
    const std::string name = entry_name(die);
    const bool is_namespace = tag == dwarf::DW_TAG_namespace;
    if (name.empty() && !is_namespace) continue;
    // An anonymous or inline namespace adds nothing to how its contents are named in the source.
    const bool transparent = is_namespace && (name.empty() || has_flag(die, dwarf::DW_AT_export_symbols));
    read_names_below(die, transparent ? scope : scope + name + "::", depth + 1);
    if (transparent && !name.empty()) read_names_below(die, scope + name + "::", depth + 1);
  }
}

void DwarfModule::read_names() {
  if (names_are_read_) return;
  names_are_read_ = true;
  for (const auto& unit : file_.context().info_section_units()) read_names_of(*unit);
  for (const auto& unit : file_.context().types_section_units()) read_names_of(*unit);
}

void DwarfModule::read_names_of(llvm::DWARFUnit& skeleton) {
  if (!units_read_.insert(&skeleton).second) return;
  llvm::DWARFUnit* unit = &skeleton;
  if (DWARFDie whole = unit->getNonSkeletonUnitDIE(false)) unit = whole.getDwarfUnit();
  if (DWARFDie root = unit->getUnitDIE(false)) read_names_below(root, "", 0);
}

bool DwarfModule::read_units_with(const std::string& name) {
  const auto last = index::last_part_of_name(name);
  if (!last) return false;
  if (!unit_names_) unit_names_ = symbolizer_.unit_names(module_);
  if (!unit_names_) return false;
  const auto offsets = unit_names_->units_with(*last);
  for (const auto& unit : file_.context().info_section_units())
    if (std::binary_search(offsets.begin(), offsets.end(), unit->getOffset())) read_names_of(*unit);
  // DWARF 4 keeps type units in a section of their own, which few programs have.
  for (const auto& unit : file_.context().types_section_units()) read_names_of(*unit);
  return true;
}

const std::vector<NamedEntry>& DwarfModule::named(const std::string& name) {
  if (!names_are_read_ && !read_units_with(name)) read_names();
  static const std::vector<NamedEntry> none;
  const auto found = names_.find(name);
  return found == names_.end() ? none : found->second;
}

DWARFDie DwarfModule::go_type(uint64_t offset) {
  read_names();
  const auto found = go_types_.find(offset);
  return found == go_types_.end() ? DWARFDie() : found->second.get();
}

}  // namespace mortem::inspector
