#include "inspector/analysis/debug_names.h"

#include <llvm/BinaryFormat/Dwarf.h>
#include <llvm/DebugInfo/DWARF/DWARFContext.h>
#include <llvm/DebugInfo/DWARF/DWARFDie.h>
#include <llvm/DebugInfo/DWARF/DWARFExpression.h>
#include <llvm/DebugInfo/DWARF/DWARFUnit.h>
#include <llvm/Support/raw_ostream.h>

#include <algorithm>

#include "inspector/symbols/debug_file.h"
#include "inspector/symbols/type_reference.h"

namespace mortem::inspector {
namespace {

using llvm::DWARFDie;
namespace dwarf = llvm::dwarf;

constexpr unsigned kDeepestType = 64;  // typedefs of typedefs, structures in structures: broken files go round

// A location of one operation: register, register plus offset, frame base plus offset, address.
struct SimpleLocation {
  enum class Kind { None, Register, RegisterValue, FrameBase, Based, Address, Zero } kind = Kind::None;
  int number = -1;     // register
  uint64_t value = 0;  // offset or address
};

// Reads expressions of one operation, and `breg, stack_value`; anything else is no simple location.
SimpleLocation simple_location(const llvm::DWARFUnit& unit, llvm::ArrayRef<uint8_t> bytes) {
  const llvm::DataExtractor data(bytes, true, unit.getAddressByteSize());
  const llvm::DWARFExpression expression(data, unit.getAddressByteSize(), unit.getFormParams().Format);
  SimpleLocation result;
  unsigned count = 0;
  for (const auto& operation : expression) {
    if (operation.isError() || ++count > 2) return {};
    const uint8_t code = operation.getCode();
    if (count == 2) {
      if (code == dwarf::DW_OP_stack_value && result.kind == SimpleLocation::Kind::Zero) continue;
      if (code != dwarf::DW_OP_stack_value || result.kind != SimpleLocation::Kind::Based) return {};
      result.kind = SimpleLocation::Kind::RegisterValue;
    } else if (code == dwarf::DW_OP_lit0) {
      result.kind = SimpleLocation::Kind::Zero;
    } else if (code >= dwarf::DW_OP_reg0 && code <= dwarf::DW_OP_reg31) {
      result = {SimpleLocation::Kind::Register, code - dwarf::DW_OP_reg0, 0};
    } else if (code >= dwarf::DW_OP_breg0 && code <= dwarf::DW_OP_breg31) {
      result = {SimpleLocation::Kind::Based, code - dwarf::DW_OP_breg0, operation.getRawOperand(0)};
    } else if (code == dwarf::DW_OP_fbreg) {
      result = {SimpleLocation::Kind::FrameBase, -1, operation.getRawOperand(0)};
    } else if (code == dwarf::DW_OP_call_frame_cfa) {
      result = {SimpleLocation::Kind::FrameBase, -1, 0};
    } else if (code == dwarf::DW_OP_addr) {
      result = {SimpleLocation::Kind::Address, -1, operation.getRawOperand(0)};
    } else if (code == dwarf::DW_OP_addrx) {
      const auto address = const_cast<llvm::DWARFUnit&>(unit).getAddrOffsetSectionItem(
          static_cast<uint32_t>(operation.getRawOperand(0)));
      if (!address) return {};
      result = {SimpleLocation::Kind::Address, -1, address->Address};
    } else {
      return {};
    }
  }
  return result;
}

bool holds(const DWARFDie& die, uint64_t address) {
  auto ranges = die.getAddressRanges();
  if (!ranges) {
    llvm::consumeError(ranges.takeError());
    return false;
  }
  return std::any_of(ranges->begin(), ranges->end(), [&](const llvm::DWARFAddressRange& range) {
    return address >= range.LowPC && address < range.HighPC;
  });
}

std::string name_of(const DWARFDie& die) {
  const char* name = die.getName(llvm::DINameKind::ShortName);
  return name ? name : "";
}

DWARFDie type_of(const DWARFDie& die) {
  if (const auto value = die.findRecursively({dwarf::DW_AT_type})) return referenced_entry(die, *value);
  return {};
}

// Without typedefs and qualifiers.
DWARFDie stripped(DWARFDie type) {
  for (unsigned depth = 0; type && depth < kDeepestType; ++depth) {
    switch (type.getTag()) {
      case dwarf::DW_TAG_typedef:
      case dwarf::DW_TAG_const_type:
      case dwarf::DW_TAG_volatile_type:
      case dwarf::DW_TAG_restrict_type:
      case dwarf::DW_TAG_atomic_type:
        type = type_of(type);
        break;
      default:
        return type;
    }
  }
  return {};
}

bool is_struct(const DWARFDie& type) {
  return type.getTag() == dwarf::DW_TAG_structure_type || type.getTag() == dwarf::DW_TAG_class_type ||
         type.getTag() == dwarf::DW_TAG_union_type;
}

// A declaration's definition, where it stands in the same unit.
DWARFDie definition_of(const DWARFDie& type) {
  if (!is_struct(type) || !type.find(dwarf::DW_AT_declaration)) return type;
  const std::string name = name_of(type);
  for (const DWARFDie& other : type.getDwarfUnit()->getUnitDIE(false).children())
    if (other.getTag() == type.getTag() && !other.find(dwarf::DW_AT_declaration) && name_of(other) == name)
      return other;
  return type;
}

class DwarfNames final : public DebugNames {
 public:
  DwarfNames(Symbolizer& symbolizer, const std::vector<snapshot::CoreModule>& modules)
      : symbolizer_(symbolizer), modules_(modules) {}

  std::optional<FunctionCode> function_at(uint64_t pc) override {
    const Place place = find(pc);
    if (!place.function) return std::nullopt;
    auto ranges = place.function.getAddressRanges();
    if (!ranges) {
      llvm::consumeError(ranges.takeError());
      return std::nullopt;
    }
    for (const llvm::DWARFAddressRange& range : *ranges)
      if (place.address >= range.LowPC && place.address < range.HighPC)
        return FunctionCode{range.LowPC + place.bias, range.HighPC + place.bias};
    return std::nullopt;
  }

  std::optional<NamedVariable> in_register(uint64_t pc, int number) override {
    const Place place = find(pc);
    for (const DWARFDie& variable : variables(place)) {
      const SimpleLocation where = location(variable, place.address);
      const bool whole = where.kind == SimpleLocation::Kind::Register;
      if ((!whole && where.kind != SimpleLocation::Kind::RegisterValue) || where.number != number) continue;
      return NamedVariable{name_of(variable), handle(type_of(variable)),
                           whole ? 0 : -static_cast<int64_t>(where.value)};
    }
    return std::nullopt;
  }

  std::optional<NamedVariable> in_memory(uint64_t pc, uint64_t cfa, const FrameRegisters& registers, uint64_t address,
                                         uint64_t size) override {
    const Place place = find(pc);
    if (!place.function) return std::nullopt;
    const auto base = frame_base(place, cfa, registers);
    for (const DWARFDie& variable : variables(place)) {
      const SimpleLocation where = location(variable, place.address);
      std::optional<uint64_t> at;
      if (where.kind == SimpleLocation::Kind::FrameBase && base) at = *base + where.value;
      if (where.kind == SimpleLocation::Kind::Based)
        if (const auto value = registers.get(static_cast<unsigned>(where.number))) at = *value + where.value;
      if (where.kind == SimpleLocation::Kind::Address) at = where.value + place.bias;
      if (auto found = at ? part_of(variable, *at, address, size) : std::nullopt) return found;
    }
    for (const DWARFDie& variable : place.function.getDwarfUnit()->getUnitDIE(false).children()) {
      if (variable.getTag() != dwarf::DW_TAG_variable) continue;
      const SimpleLocation where = location(variable, place.address);
      if (where.kind != SimpleLocation::Kind::Address) continue;
      if (auto found = part_of(variable, where.value + place.bias, address, size)) return found;
    }
    return std::nullopt;
  }

  std::vector<NamedVariable> null_pointers(uint64_t pc) override {
    std::vector<NamedVariable> found;
    const Place place = find(pc);
    for (const DWARFDie& variable : variables(place)) {
      const SimpleLocation where = location(variable, place.address);
      const auto value = dwarf::toUnsigned(variable.find(dwarf::DW_AT_const_value));
      if ((where.kind != SimpleLocation::Kind::Zero && value != 0) || name_of(variable).empty()) continue;
      const TypeHandle type = handle(type_of(variable));
      if (pointee(type) != kNoType) found.push_back({name_of(variable), type, 0});
    }
    return found;
  }

  TypeHandle result_type(uint64_t address) override {
    const Place place = find(address);
    return place.function ? handle(type_of(place.function)) : kNoType;
  }

  TypeHandle pointee(TypeHandle pointer) override {
    const DWARFDie type = stripped(die(pointer));
    if (!type) return kNoType;
    switch (type.getTag()) {
      case dwarf::DW_TAG_pointer_type:
      case dwarf::DW_TAG_reference_type:
      case dwarf::DW_TAG_rvalue_reference_type:
        return handle(type_of(type));
      default:
        return kNoType;
    }
  }

  std::optional<MemberAt> member_at(TypeHandle type, uint64_t offset, uint64_t size) override {
    const DWARFDie start = stripped(die(type));
    if (!start) return std::nullopt;
    MemberAt result;
    if (!is_struct(start) && start.getTag() != dwarf::DW_TAG_array_type) {
      const auto whole = size_of(start);
      if (!whole || *whole == 0 || offset % *whole != 0 || (size != 0 && size != *whole)) return std::nullopt;
      result.type = type;
      if (offset != 0) result.path = "[" + std::to_string(static_cast<int64_t>(offset) / int64_t(*whole)) + "]";
      return result;
    }
    return descend(die(type), offset, size, result, 0) ? std::optional(result) : std::nullopt;
  }

  std::string type_name(TypeHandle type) override {
    const DWARFDie found = die(type);
    if (!found) return "void";
    std::string name;
    llvm::raw_string_ostream stream(name);
    llvm::dumpTypeQualifiedName(found, stream);
    stream.flush();
    const DWARFDie plain = stripped(found);
    // In C a structure's name is no type's without the word.
    if (plain == found && is_struct(found) && is_c(*found.getDwarfUnit()))
      name = (found.getTag() == dwarf::DW_TAG_union_type ? "union " : "struct ") + name;
    return name;
  }

  uint64_t type_size(TypeHandle type) override { return size_of(die(type)).value_or(0); }

  bool is_aggregate(TypeHandle type) override {
    const DWARFDie found = stripped(die(type));
    return found && is_struct(found);
  }

 private:
  // The variable, or what of it is at `address`.
  std::optional<NamedVariable> part_of(const DWARFDie& variable, uint64_t start, uint64_t address, uint64_t size) {
    const DWARFDie type = type_of(variable);
    const auto whole = size_of(type);
    if (address < start || (address != start && (!whole || address - start >= *whole))) return std::nullopt;
    NamedVariable found{name_of(variable), handle(type), 0};
    if (found.name.empty()) return std::nullopt;
    const DWARFDie plain = stripped(type);
    if (address == start && (size == 0 || !whole || size == *whole || !plain || !is_struct(plain))) {
      if (size != 0 && whole && size != *whole) return std::nullopt;
      return found;
    }
    if (size == 0 || !plain || (!is_struct(plain) && plain.getTag() != dwarf::DW_TAG_array_type)) return std::nullopt;
    const auto member = member_at(found.type, address - start, size);
    if (!member) return std::nullopt;
    found.name += (member->path.starts_with('[') ? "" : ".") + member->path;
    found.type = member->type;
    return found;
  }

  struct Place {
    DWARFDie function;
    uint64_t address = 0, bias = 0;
  };

  static bool is_c(llvm::DWARFUnit& unit) {
    switch (dwarf::toUnsigned(unit.getUnitDIE().find(dwarf::DW_AT_language), 0)) {
      case dwarf::DW_LANG_C:
      case dwarf::DW_LANG_C89:
      case dwarf::DW_LANG_C99:
      case dwarf::DW_LANG_C11:
      case dwarf::DW_LANG_C17:
        return true;
      default:
        return false;
    }
  }

  static std::optional<uint64_t> size_of(const DWARFDie& type) {
    return type ? const_cast<DWARFDie&>(type).getTypeSize(8) : std::nullopt;
  }

  Place find(uint64_t pc) {
    for (const snapshot::CoreModule& module : modules_) {
      if (pc < module.start || pc >= module.end) continue;
      DebugFile* file = symbolizer_.debug_file(module);
      if (!file) return {};
      const uint64_t address = pc - module.load_bias;
      const auto dies = file->context().getDIEsForAddress(address, true);
      return {dies.FunctionDIE, address, module.load_bias};
    }
    return {};
  }

  // Variables and parameters whose scopes hold the address, the innermost scope's first.
  static std::vector<DWARFDie> variables(const Place& place) {
    std::vector<DWARFDie> found;
    DWARFDie scope = place.function;
    for (unsigned depth = 0; scope && depth < kDeepestType; ++depth) {
      std::vector<DWARFDie> here;
      DWARFDie next;
      for (const DWARFDie& child : scope.children()) {
        switch (child.getTag()) {
          case dwarf::DW_TAG_variable:
          case dwarf::DW_TAG_formal_parameter:
            here.push_back(child);
            break;
          case dwarf::DW_TAG_lexical_block:
          case dwarf::DW_TAG_inlined_subroutine:
            if (!next && holds(child, place.address)) next = child;
            break;
          default:
            break;
        }
      }
      found.insert(found.begin(), here.begin(), here.end());
      scope = next;
    }
    return found;
  }

  static SimpleLocation location(const DWARFDie& variable, uint64_t address) {
    auto all = variable.getLocations(dwarf::DW_AT_location);
    if (!all) {
      llvm::consumeError(all.takeError());
      return {};
    }
    for (const llvm::DWARFLocationExpression& one : *all)
      if (!one.Range || (address >= one.Range->LowPC && address < one.Range->HighPC))
        return simple_location(*variable.getDwarfUnit(), one.Expr);
    return {};
  }

  static std::optional<uint64_t> frame_base(const Place& place, uint64_t cfa, const FrameRegisters& registers) {
    auto all = place.function.getLocations(dwarf::DW_AT_frame_base);
    if (!all) {
      llvm::consumeError(all.takeError());
      return std::nullopt;
    }
    for (const llvm::DWARFLocationExpression& one : *all) {
      if (one.Range && (place.address < one.Range->LowPC || place.address >= one.Range->HighPC)) continue;
      const SimpleLocation where = simple_location(*place.function.getDwarfUnit(), one.Expr);
      if (where.kind == SimpleLocation::Kind::FrameBase) return cfa != 0 ? std::optional(cfa) : std::nullopt;
      if (where.kind == SimpleLocation::Kind::Register) return registers.get(static_cast<unsigned>(where.number));
      return std::nullopt;
    }
    return std::nullopt;
  }

  // Goes down into members and elements until what stands at `offset` is as large as the access.
  bool descend(const DWARFDie& type, uint64_t offset, uint64_t size, MemberAt& result, unsigned depth) {
    const DWARFDie plain = definition_of(stripped(type));
    if (!plain || depth > kDeepestType) return false;
    if (plain.getTag() == dwarf::DW_TAG_array_type) {
      const DWARFDie element = type_of(plain);
      const auto element_size = size_of(element), whole = size_of(plain);
      if (!element_size || *element_size == 0 || (whole && *whole != 0 && offset >= *whole)) return false;
      result.path += "[" + std::to_string(offset / *element_size) + "]";
      return descend(element, offset % *element_size, size, result, depth + 1);
    }
    if (!is_struct(plain)) {
      const auto whole = size_of(plain);
      if (offset != 0 || !whole || (size != 0 && size > *whole)) return false;
      result.type = handle(type);
      return true;
    }
    if (offset == 0 && size != 0 && size == size_of(plain) && depth > 0 && count_members(plain) != 1) {
      result.type = handle(type);  // the structure as a whole
      return true;
    }
    for (const DWARFDie& child : plain.children()) {
      if (child.getTag() != dwarf::DW_TAG_member && child.getTag() != dwarf::DW_TAG_inheritance) continue;
      if (child.find(dwarf::DW_AT_external) || child.find(dwarf::DW_AT_bit_size)) continue;
      const uint64_t start = dwarf::toUnsigned(child.find(dwarf::DW_AT_data_member_location), 0);
      const DWARFDie member_type = type_of(child);
      const auto member_size = size_of(member_type);
      if (offset < start || !member_size || offset - start >= *member_size) continue;
      MemberAt inside = result;
      if (child.getTag() == dwarf::DW_TAG_member && !name_of(child).empty())
        inside.path += (inside.path.empty() ? "" : ".") + name_of(child);
      if (!descend(member_type, offset - start, size, inside, depth + 1)) continue;
      result = inside;
      return true;
    }
    return false;
  }

  static unsigned count_members(const DWARFDie& type) {
    unsigned count = 0;
    for (const DWARFDie& child : type.children())
      count += child.getTag() == dwarf::DW_TAG_member || child.getTag() == dwarf::DW_TAG_inheritance;
    return count;
  }

  TypeHandle handle(const DWARFDie& type) {
    if (!type) return kNoType;
    const auto found = std::find(types_.begin(), types_.end(), type);
    const auto index = static_cast<size_t>(found - types_.begin());
    if (index == types_.size()) types_.push_back(type);
    return static_cast<TypeHandle>(index + 1);
  }
  DWARFDie die(TypeHandle type) const {
    return type == kNoType || type > types_.size() ? DWARFDie() : types_[type - 1];
  }

  Symbolizer& symbolizer_;
  const std::vector<snapshot::CoreModule>& modules_;
  std::vector<DWARFDie> types_;  // by handle - 1
};

}  // namespace

std::unique_ptr<DebugNames> DebugNames::create(Symbolizer& symbolizer,
                                               const std::vector<snapshot::CoreModule>& modules) {
  return std::make_unique<DwarfNames>(symbolizer, modules);
}

}  // namespace mortem::inspector
