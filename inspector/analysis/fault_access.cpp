#include "inspector/analysis/fault_access.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

namespace mortem::inspector {
namespace {

using Kind = InstructionFacts::Kind;

constexpr uint64_t kSmallest = 0x10000;  // Linux' mmap_min_addr: no memory is below

std::optional<uint64_t> effective_address(const MemoryOperand& operand, const FrameRegisters& registers) {
  uint64_t address = static_cast<uint64_t>(operand.displacement);
  for (const auto& [number, scale] : {std::pair(operand.base, 1u), std::pair(operand.index, operand.scale)}) {
    if (number < 0) continue;
    const auto value = registers.get(static_cast<unsigned>(number));
    if (!value) return std::nullopt;
    address += *value * scale;
  }
  return operand.thread_local_base ? std::nullopt : std::optional(address);
}

// A pointer that text was written over shows it.
std::string as_text(uint64_t value) {
  std::string text;
  for (unsigned byte = 0; byte < 8; ++byte) {
    const auto one = static_cast<unsigned char>(value >> (8 * byte));
    if (one == 0 && byte >= 5) break;
    if (one < 0x20 || one > 0x7E) return {};
    text += static_cast<char>(one);
  }
  return text;
}

std::string value_text(uint64_t value) {
  const std::string text = value >> 32 != 0 ? as_text(value) : "";
  return fmt::format("{:#x}{}", value, text.empty() ? "" : fmt::format(", the text \"{}\"", text));
}

// "null `conn`", "`conn` (0x3, a small number)", "wild `conn` (0x4141…, not canonical)".
std::string pointer_text(const FaultAccess& access) {
  const bool call = access.pointer.find(' ') != std::string::npos;
  const std::string name = access.pointer.empty() ? access.base_register
                           : call                 ? access.pointer
                                                  : "`" + access.pointer + "`";
  if (!access.pointer_value) return name;
  const std::string value = value_text(*access.pointer_value);
  switch (access.pointer_kind) {
    case PointerKind::Null:
      return "null " + name;
    case PointerKind::SmallNumber:
      return fmt::format("{} ({}, no pointer)", name, value);
    case PointerKind::NotCanonical:
      return fmt::format("wild {} ({}, not canonical)", name, value);
    case PointerKind::NotMapped:
      return fmt::format("wild {} ({}, not mapped)", name, value);
    case PointerKind::Kernel:
      return fmt::format("wild {} ({}, in the kernel's half)", name, value);
    case PointerKind::Valid:
      return fmt::format("{} ({})", name, value);
  }
  return name;
}

void write_text(FaultAccess& access) {
  access.text = pointer_text(access);
  if (!access.index.empty()) {
    const std::string name = access.index_is_variable ? "`" + access.index + "`" : access.index;
    access.text += fmt::format(" + {} * {}", access.scale, name);
    if (access.index_value) access.text += fmt::format(" ({})", static_cast<int64_t>(*access.index_value));
  }
  if (!access.member.empty() && !access.type.empty())
    access.text += fmt::format(" + offset {} of `{}{}{}`", access.offset, access.type,
                               access.member[0] == '[' ? "" : ".", access.member);
  else if (access.offset != 0)
    access.text += fmt::format("{}{}", access.offset < 0 ? " - " : " + offset ", std::abs(access.offset));
}

void name_parts(FaultAccess& access, const ValueOrigin& origin, DebugNames& names) {
  if (!origin.base) return;
  // What is too small for a pointer was none: the register got its value in a way that nobody describes.
  constexpr uint64_t kPointerSize = 8;
  if (const uint64_t size = names.type_size(origin.base->type); size != 0 && size < kPointerSize) return;
  access.pointer = origin.base->text;
  access.pointer_value = origin.base->value;
  access.owner = origin.base->owner;
  access.owner_address = origin.base->owner_address;
  access.offset = origin.constant;
  access.index.clear();
  if (origin.index) {
    access.index = origin.index->text;
    access.index_is_variable = !origin.index->is_call;
    access.index_value = origin.index->value;
    access.scale = origin.scale;
  }
  // What is left of the address is the pointer's value, whatever is still known of it itself.
  if (!origin.index || access.index_value)
    access.pointer_value = access.address - static_cast<uint64_t>(origin.constant) -
                           (origin.index ? *access.index_value * origin.scale : 0);
  const TypeHandle pointee = names.pointee(origin.base->type);
  if (pointee == kNoType || origin.constant < 0) return;
  const bool elements = origin.index && names.type_size(pointee) == origin.scale;
  if (origin.index && !elements) return;
  if (!names.is_aggregate(pointee)) return;
  const auto member = names.member_at(pointee, static_cast<uint64_t>(origin.constant), access.size);
  if (!member) return;
  access.type = names.type_name(pointee);
  access.member = member->path;
}

// The compiler knew that the pointer is null: the address is in the instruction. It was that one whose type has a
// member there, if there is just one.
void name_constant(FaultAccess& access, uint64_t pc, DebugNames& names) {
  access.pointer_value = 0;
  access.pointer = "pointer known to the compiler";
  access.offset = static_cast<int64_t>(access.address);
  std::optional<NamedVariable> one;
  for (const NamedVariable& variable : names.null_pointers(pc)) {
    const auto member = names.member_at(names.pointee(variable.type), access.address, access.size);
    if (!member) continue;
    if (one && one->name != variable.name) return;
    one = variable;
  }
  if (!one) return;
  access.pointer = one->name;
  const TypeHandle pointee = names.pointee(one->type);
  if (!names.is_aggregate(pointee)) return;
  access.type = names.type_name(pointee);
  access.member = names.member_at(pointee, access.address, access.size)->path;
}

}  // namespace

const char* pointer_kind_name(PointerKind kind) {
  switch (kind) {
    case PointerKind::Null:
      return "null";
    case PointerKind::SmallNumber:
      return "small number";
    case PointerKind::NotCanonical:
      return "not canonical";
    case PointerKind::NotMapped:
      return "not mapped";
    case PointerKind::Kernel:
      return "kernel";
    case PointerKind::Valid:
      return "valid";
  }
  return "valid";
}

bool is_canonical(uint64_t address) {
  const auto high = static_cast<int64_t>(address) >> 47;
  return high == 0 || high == -1;
}

PointerKind pointer_kind(const Target& target, uint64_t value) {
  if (value == 0) return PointerKind::Null;
  if (value < kSmallest) return PointerKind::SmallNumber;
  if (!is_canonical(value)) return PointerKind::NotCanonical;
  if (value >> 63 != 0) return PointerKind::Kernel;
  uint8_t byte;
  const auto got = target.read_memory(value, {&byte, 1});
  return got && *got == 1 ? PointerKind::Valid : PointerKind::NotMapped;
}

std::optional<FaultAccess> explain_access(OriginTracer& tracer, DebugNames& names, const Target& target,
                                          const FrameRegisters& registers, const FaultQuestion& question) {
  constexpr uint64_t kWidest = 64;
  const InstructionFacts* instruction = tracer.at_pc();
  if (!instruction) return std::nullopt;
  const MemoryOperand* operand = nullptr;
  FaultAccess access;
  for (const MemoryOperand& one : instruction->accesses) {
    const auto made = effective_address(one, registers);
    if (!made) continue;
    const uint64_t size = instruction->access_size != 0 ? instruction->access_size : kWidest;
    const bool misaligned = !question.address && instruction->access_size >= 16 && *made % 16 != 0;
    const bool is_it = question.address ? *question.address - *made < size || (*question.address == *made)
                                        : !is_canonical(*made) || misaligned || question.alignment;
    if (!is_it) continue;
    operand = &one;
    access.address = *made;
    access.misaligned = (misaligned && is_canonical(*made)) || question.alignment;
    break;
  }
  if (!operand) return std::nullopt;
  access.verb = question.write.value_or(instruction->writes && !instruction->reads) ? "write" : "read";
  access.size = instruction->access_size;
  access.instruction = instruction->text;
  access.offset = operand->displacement;
  if (operand->base >= 0) {
    access.base_register = register_name(operand->base);
    access.pointer_value = registers.get(static_cast<unsigned>(operand->base));
  }
  if (operand->index >= 0) {
    access.index = register_name(operand->index);
    access.index_value = registers.get(static_cast<unsigned>(operand->index));
    access.scale = operand->scale;
  }
  if (const auto origin = tracer.of_address(*operand, instruction->address)) name_parts(access, *origin, names);
  if (operand->base < 0 && operand->index < 0 && access.address < kSmallest)
    name_constant(access, instruction->address, names);
  if (access.pointer_value) access.pointer_kind = pointer_kind(target, *access.pointer_value);
  if (!access.base_register.empty() || !access.pointer.empty()) write_text(access);
  return access;
}

FaultAccess explain_bad_call(OriginTracer& tracer, DebugNames& names, const Target& target,
                             const InstructionFacts& call, uint64_t to) {
  FaultAccess access;
  access.verb = "call";
  access.address = to;
  access.instruction = call.text;
  access.pointer_value = to;
  access.pointer_kind = pointer_kind(target, to);
  if (call.memory) {
    if (const auto named = tracer.of_memory(*call.memory, 8, call.address)) access.pointer = named->text;
  } else if (call.source >= 0) {
    access.base_register = register_name(call.source);
    const auto origin = tracer.of_register(call.source, call.address);
    if (origin && origin->base && !origin->index && origin->constant == 0) access.pointer = origin->base->text;
  }
  (void)names;
  if (!access.base_register.empty() || !access.pointer.empty()) write_text(access);
  return access;
}

}  // namespace mortem::inspector
