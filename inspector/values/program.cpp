#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <set>

#include "inspector/values/entry_context.h"
#include "inspector/values/variables.h"

namespace mortem::inspector {

using llvm::DWARFDie;
namespace dwarf = llvm::dwarf;

namespace {

constexpr uint64_t kMaximumScattered = 1 << 20;  // bytes of an object that is not in memory as a whole

std::optional<std::vector<uint8_t>> constant_bytes(const llvm::DWARFFormValue& value, const Type& type) {
  if (const auto block = value.getAsBlock()) return std::vector<uint8_t>(block->begin(), block->end());
  if (const auto text = dwarf::toString(value)) {
    std::vector<uint8_t> bytes(*text, *text + std::strlen(*text));
    bytes.push_back(0);
    return bytes;
  }
  uint64_t bits;
  if (value.getForm() == dwarf::DW_FORM_sdata || value.getForm() == dwarf::DW_FORM_implicit_const) {
    bits = static_cast<uint64_t>(value.getAsSignedConstant().value_or(0));
  } else if (const auto number = value.getAsUnsignedConstant()) {
    bits = *number;
  } else {
    return std::nullopt;
  }
  if (!type.has_size || type.size > 16) return std::nullopt;
  std::vector<uint8_t> bytes(type.size);
  std::memcpy(bytes.data(), &bits, std::min<size_t>(bytes.size(), 8));
  if (bytes.size() > 8 && type.is_signed() && static_cast<int64_t>(bits) < 0)
    std::fill(bytes.begin() + 8, bytes.end(), 0xFF);
  return bytes;
}

// Puts the pieces of a location together, the first at the lowest address (DWARF 5, section 2.6.1.2).
class Assembly {
 public:
  Assembly(Program& program, DwarfModule& module, FrameScope* frame, LocationContext& context, uint64_t size)
      : program_(program), module_(module), frame_(frame), context_(context) {
    to_->bytes.resize(size);
  }

  std::shared_ptr<const ValueBytes> run(const std::vector<LocationPiece>& pieces, const DWARFDie& entry) {
    const uint64_t total = to_->bytes.size() * 8;
    for (const LocationPiece& piece : pieces) {
      if (at_ >= total) break;
      const uint64_t size = std::min(piece.bit_size == 0 ? total - at_ : piece.bit_size, total - at_);
      add(piece, size, entry);
      at_ += size;
    }
    if (at_ < total) gap(total - at_, {true, "optimized out"});
    return to_;
  }

 private:
  void gap(uint64_t size, Missing missing) { to_->gaps.push_back({at_, at_ + size, std::move(missing)}); }

  void copy(std::span<const uint8_t> from, uint64_t bit_offset, uint64_t size) {
    if (bit_offset % 8 == 0 && at_ % 8 == 0 && size % 8 == 0) {
      std::memcpy(to_->bytes.data() + at_ / 8, from.data() + bit_offset / 8, size / 8);
      return;
    }
    for (uint64_t bit = 0; bit < size; ++bit)
      if ((from[(bit_offset + bit) / 8] >> (bit_offset + bit) % 8 & 1) != 0)
        to_->bytes[(at_ + bit) / 8] |= static_cast<uint8_t>(1u << (at_ + bit) % 8);
  }

  // As much as `from` holds of `size` bits; the rest is a gap.
  void copy_known(std::span<const uint8_t> from, uint64_t bit_offset, uint64_t size, const Missing& missing) {
    const uint64_t held = from.size() * 8 > bit_offset ? std::min(size, from.size() * 8 - bit_offset) : 0;
    if (held > 0) copy(from, bit_offset, held);
    if (held == size) return;
    at_ += held;
    gap(size - held, missing);
    at_ -= held;
  }

  void add(const LocationPiece& piece, uint64_t size, const DWARFDie& entry) {
    switch (piece.kind) {
      case LocationPiece::Kind::Memory: {
        std::vector<uint8_t> bytes((piece.bit_offset + size + 7) / 8);
        bytes.resize(program_.reader.memory().read(piece.address, bytes));
        return copy_known(bytes, piece.bit_offset, size,
                          {false, fmt::format("memory {:#x} is not in the dump", piece.address + bytes.size())});
      }
      case LocationPiece::Kind::Register: {
        const auto bytes = context_.register_bytes(piece.register_number);
        if (!bytes) return gap(size, bytes.error());
        return copy_known(*bytes, piece.bit_offset, size, {false, "more than the register's known bytes"});
      }
      case LocationPiece::Kind::Bytes:
        return copy_known(piece.bytes, piece.bit_offset, size, {false, "its debug information says too little"});
      case LocationPiece::Kind::ImplicitPointer:
        gap(size, {true, "optimized out"});
        to_->synthetic.push_back({at_ / 8, target_of(piece, entry)});
        return;
      case LocationPiece::Kind::Missing:
        return gap(size, piece.missing);
    }
  }

  std::function<Found<Value>()> target_of(const LocationPiece& piece, const DWARFDie& entry) {
    Program* program = &program_;
    DwarfModule* module = &module_;
    FrameScope* frame = frame_;
    llvm::DWARFUnit* unit = entry.getDwarfUnit();
    const uint64_t offset = piece.entry_offset;
    const int64_t byte_offset = piece.byte_offset;
    return [program, module, frame, unit, offset, byte_offset]() -> Found<Value> {
      const DWARFDie die = unit->getContext().getDIEForOffset(offset);
      if (!die) return not_known("an implicit pointer leads to an entry that is not there");
      Value value = program->value_of(die, *module, frame);
      if (byte_offset < 0) return not_known("an implicit pointer leads before its object");
      if (byte_offset == 0) return value;
      // Into an array: its element there. Else what the pointer is declared to point to.
      const Type* type = value.type ? &value.type->stripped() : nullptr;
      const Type* element = type && type->kind == TypeKind::Array ? type->target() : nullptr;
      return program->reader.as(value, element, static_cast<uint64_t>(byte_offset));
    };
  }

  Program& program_;
  DwarfModule& module_;
  FrameScope* frame_;
  LocationContext& context_;
  std::shared_ptr<ValueBytes> to_ = std::make_shared<ValueBytes>();
  uint64_t at_ = 0;  // bits
};

DWARFDie same_or_none(const std::vector<DWARFDie>& found) {
  if (found.empty()) return {};
  // Several programs' parts may each have their own type of one name: which is meant is not known if they differ.
  const auto size = dwarf::toUnsigned(found.front().find(dwarf::DW_AT_byte_size));
  for (const DWARFDie& one : found)
    if (dwarf::toUnsigned(one.find(dwarf::DW_AT_byte_size)) != size) return {};
  return found.front();
}

}  // namespace

Program::Program(const Target& the_target, Symbolizer& the_symbolizer, StackReader& the_stacks)
    : target(the_target),
      symbolizer(the_symbolizer),
      stacks(the_stacks),
      reader(the_stacks.memory()),
      types([this](const DWARFDie& declaration) { return find_definition(declaration); }) {}

DwarfModule* Program::open(const CoreModule& module) {
  auto [place, is_new] = modules_.try_emplace(&module);
  if (is_new) place->second = DwarfModule::open(module, symbolizer);
  return place->second.get();
}

DwarfModule* Program::module_at(uint64_t address) {
  const CoreModule* module = stacks.module_at(address);
  return module ? open(*module) : nullptr;
}

std::vector<DwarfModule*> Program::modules(FrameScope* frame) {
  std::vector<DwarfModule*> all;
  if (frame && frame->module()) all.push_back(frame->module());
  for (const CoreModule& one : target.modules()) {
    DwarfModule* module = open(one);
    if (module && std::find(all.begin(), all.end(), module) == all.end()) all.push_back(module);
  }
  return all;
}

DWARFDie Program::find_definition(const DWARFDie& declaration) {
  if (declaration.find(dwarf::DW_AT_signature))
    if (const DWARFDie unit_type = declaration.resolveTypeUnitReference(); unit_type && unit_type != declaration)
      return unit_type;
  if (is_inside_function(declaration)) return {};
  const std::string name = qualified_name(declaration);
  if (name.empty()) return {};
  const bool is_enumeration = declaration.getTag() == dwarf::DW_TAG_enumeration_type;
  const bool is_union = declaration.getTag() == dwarf::DW_TAG_union_type;
  for (DwarfModule* module : modules(nullptr)) {
    std::vector<DWARFDie> found;
    for (const NamedEntry& one : module->named(name)) {
      if (one.kind != NameKind::Type) continue;
      const DWARFDie die = one.entry.get();
      if (!die || die.getTag() == dwarf::DW_TAG_typedef || die.getTag() == dwarf::DW_TAG_base_type) continue;
      if ((die.getTag() == dwarf::DW_TAG_enumeration_type) != is_enumeration) continue;
      if ((die.getTag() == dwarf::DW_TAG_union_type) != is_union) continue;
      found.push_back(die);
    }
    if (!found.empty()) return same_or_none(found);
  }
  return {};
}

Result<Program::ThreadFrames*> Program::thread_frames(uint32_t thread) {
  auto found = threads_.find(thread);
  if (found == threads_.end()) {
    auto frames = std::make_unique<ThreadFrames>();
    StackOptions options;
    options.registers = true;
    frames->stack = TRY(stacks.read(thread, options));
    for (size_t index = 0; index < frames->stack.frames.size(); ++index)
      if (frames->stack.frames[index].physical == frames->first_frames.size()) frames->first_frames.push_back(index);
    found = threads_.emplace(thread, std::move(frames)).first;
  }
  return found->second.get();
}

Result<const Stack*> Program::stack(uint32_t thread) {
  return &TRY(thread_frames(thread))->stack;
}

Result<FrameScope*> Program::scope(uint32_t thread, size_t physical) {
  ThreadFrames* frames = TRY(thread_frames(thread));
  if (physical >= frames->first_frames.size() || physical >= frames->stack.registers.size())
    return failure(ErrorKind::NotFound, fmt::format("thread {} has no frame there", thread));
  auto& scope = frames->scopes[physical];
  if (!scope) scope = std::make_unique<FrameScope>(*this, frames->stack, physical, frames->first_frames[physical]);
  return scope.get();
}

Program::Named Program::find_named(const std::string& name, NameKind kind, FrameScope* frame) {
  llvm::DWARFUnit* unit = frame ? frame->unit() : nullptr;
  Named external, any;
  for (DwarfModule* module : modules(frame)) {
    for (const NamedEntry& one : module->named(name)) {
      if (one.kind != kind) continue;
      const DWARFDie die = one.entry.get();
      // A static member's constant, which may have a definition with an address as well.
      const bool is_declaration = has_flag(die, dwarf::DW_AT_declaration);
      if (unit && one.entry.unit == unit && !is_declaration) return {die, module};
      if (!external.entry && !is_declaration && find_attribute(die, dwarf::DW_AT_external)) external = {die, module};
      if (!any.entry) any = {die, module};
    }
    if (external.entry) return external;
    // What is local to another file of this module is seen less than what another module gives to all.
    const bool may_be_external = kind == NameKind::Variable || kind == NameKind::Function;
    if (any.entry && !may_be_external) break;
  }
  return any;
}

// As the dynamic linker finds it: the program's own comes before all, by copy relocations too (psABI, 4.4).
std::optional<uint64_t> Program::linked_symbol(const DWARFDie& variable, const DwarfModule& own) {
  std::string name = linkage_name(variable);
  if (name.empty()) name = entry_name(variable);
  const auto& modules = target.modules();
  if (!modules.empty())
    if (const auto address = symbolizer.find_export(modules.front(), name)) return address;
  if (const auto address = symbolizer.find_symbol(own.module(), name)) return address;
  for (const CoreModule& one : modules)
    if (const auto address = symbolizer.find_export(one, name)) return address;
  return std::nullopt;
}

Value Program::value_of(const DWARFDie& variable, DwarfModule& module, FrameScope* frame) {
  const auto address = frame ? std::optional(frame->lookup() - module.load_bias()) : std::nullopt;
  EntryContext context(*this, module, *variable.getDwarfUnit(), frame);
  const Type* type = types.of(variable);
  type = types.in_frame(type, [&](const DWARFDie& range, dwarf::Attribute attribute) -> std::optional<int64_t> {
    const auto value = range.find(attribute);
    if (!value) return std::nullopt;
    if (const auto number = value->getAsSignedConstant()) return number;
    if (const auto number = value->getAsUnsignedConstant()) return static_cast<int64_t>(*number);
    if (const auto block = value->getAsBlock()) {
      const auto number = evaluate_number(std::span(block->data(), block->size()), context, reader.memory());
      return number ? std::optional(static_cast<int64_t>(*number)) : std::nullopt;
    }
    DWARFDie length = range.getAttributeValueAsReferencedDie(attribute);
    if (!length) return std::nullopt;
    const auto number = reader.read_integer(value_of(length, module, frame));
    return number ? std::optional(static_cast<int64_t>(*number)) : std::nullopt;
  });

  const auto constant = find_attribute(variable, dwarf::DW_AT_const_value);
  if (constant && type && !variable.find(dwarf::DW_AT_location)) {
    if (auto bytes = constant_bytes(*constant, type->stripped())) return Value::of_bytes(type, std::move(*bytes));
    return Value::unknown(type, {false, "its constant value has a form that is not known"});
  }
  const auto expression = expression_at(variable, dwarf::DW_AT_location, address);
  if (!expression || expression->empty()) {
    const bool declaration = has_flag(variable, dwarf::DW_AT_declaration);
    if (declaration) {  // `extern int x;`, defined elsewhere
      const Named definition = find_named(qualified_name(variable), NameKind::Variable, nullptr);
      if (definition.entry && !has_flag(definition.entry, dwarf::DW_AT_declaration))
        return value_of(definition.entry, *definition.module, frame);
    }
    if (find_attribute(variable, dwarf::DW_AT_external))
      if (const auto symbol = linked_symbol(variable, module)) return Value::in_memory(type, *symbol);
    return Value::unknown(type, declaration ? Missing{false, "it is defined where there is no debug information"}
                                            : Missing{true, "optimized out"});
  }
  if (!type) return Value::unknown(type, {false, "its type is not known"});
  const Missing a_part{false, "its debug information says where a part of it is, not which part"};
  if (type->stripped().has_size && has_location_of_a_part(variable, type->stripped().size))
    return Value::unknown(type, a_part);
  const auto pieces = evaluate_location(*expression, context, reader.memory());
  if (!pieces) return Value::unknown(type, pieces.error());
  if (pieces->size() == 1 && pieces->front().bit_size == 0) {
    const LocationPiece& only = pieces->front();
    if (only.kind == LocationPiece::Kind::Memory) return Value::in_memory(type, only.address);
    if (only.kind == LocationPiece::Kind::Missing) return Value::unknown(type, only.missing);
  }
  const Type& whole = type->stripped();
  if (!whole.has_size || whole.size > kMaximumScattered)
    return Value::unknown(type, {false, "an object of unknown size is not in memory"});
  // Go's compiler leaves parts out in front, too.
  uint64_t told = 0;
  for (const LocationPiece& piece : *pieces) told += piece.bit_size == 0 ? whole.size * 8 : piece.bit_size;
  if (told < whole.size * 8 && whole.language == Language::Go) return Value::unknown(type, a_part);
  Value value;
  value.type = type;
  value.bytes = Assembly(*this, module, frame, context, whole.size).run(*pieces, variable);
  return value;
}

}  // namespace mortem::inspector
