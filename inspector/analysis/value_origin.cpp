#include "inspector/analysis/value_origin.h"

#include <algorithm>
#include <cstring>

namespace mortem::inspector {
namespace {

using Kind = InstructionFacts::Kind;

constexpr unsigned kDeepestOrigin = 12;
constexpr uint64_t kLargestFunction = 1 << 20;
constexpr int kStackPointer = 7;

// `conn` and member `next` of what it points to.
std::string member_text(const NamedValue& pointer, const std::string& path) {
  const bool plain = pointer.text.find(' ') == std::string::npos;
  const std::string base = plain ? pointer.text : "(" + pointer.text + ")";
  if (path.empty()) return "*" + base;
  return path[0] == '[' ? base + path : base + "->" + path;
}

}  // namespace

OriginTracer::OriginTracer(DebugNames& names, const Target& target, Frame frame, const ReadCode& read_code,
                           FunctionName function_name)
    : names_(names), target_(target), frame_(frame), function_name_(std::move(function_name)) {
  constexpr size_t kLongestInstruction = 15;
  std::vector<uint8_t> bytes;
  const auto function = names.function_at(frame.pc);
  uint64_t start = frame.pc, end = frame.pc + kLongestInstruction;
  if (function && function->end - function->start <= kLargestFunction) {
    start = function->start;
    end = function->end;
  }
  bytes.resize(end - start);
  bytes.resize(read_code(start, bytes));
  for (size_t at = 0; at < bytes.size();) {
    auto one = instruction_facts(start + at, std::span(bytes).subspan(at));
    if (!one) break;
    at += one->length;
    if (one->kind == Kind::IndirectJump) indirect_jumps_ = true;
    if (one->kind == Kind::Jump && one->target) targets_.push_back(*one->target);
    code_.push_back(std::move(*one));
  }
  std::sort(targets_.begin(), targets_.end());
}

size_t OriginTracer::index_of(uint64_t address) const {
  const auto place = std::lower_bound(code_.begin(), code_.end(), address,
                                      [](const InstructionFacts& one, uint64_t value) { return one.address < value; });
  return place != code_.end() && place->address == address ? size_t(place - code_.begin()) : code_.size();
}

const InstructionFacts* OriginTracer::at_pc() const {
  const size_t index = index_of(frame_.pc);
  return index < code_.size() ? &code_[index] : nullptr;
}

const InstructionFacts* OriginTracer::call_before_pc() const {
  for (const InstructionFacts& one : code_)
    if (one.address + one.length == frame_.pc) return one.kind == Kind::Call ? &one : nullptr;
  return nullptr;
}

std::optional<uint64_t> OriginTracer::value_of(int number, uint64_t address) const {
  const size_t first = index_of(address);
  if (first == code_.size()) return std::nullopt;
  for (size_t index = first; index < code_.size() && code_[index].address < frame_.pc; ++index)
    if ((code_[index].changed >> number & 1) != 0) return std::nullopt;
  return frame_.registers.get(static_cast<unsigned>(number));
}

std::optional<uint64_t> OriginTracer::read_value(uint64_t address, uint64_t size) const {
  if (size == 0 || size > 8) return std::nullopt;
  uint64_t value = 0;
  const auto got = target_.read_memory(address, {reinterpret_cast<uint8_t*>(&value), size});
  return got && *got == size ? std::optional(value) : std::nullopt;
}

const InstructionFacts* OriginTracer::definition_before(int number, uint64_t address) const {
  for (size_t index = index_of(address); index < code_.size();) {
    // Another way may lead here, on which the register was given its value elsewhere.
    if (indirect_jumps_ || std::binary_search(targets_.begin(), targets_.end(), code_[index].address)) return nullptr;
    if (index == 0) return nullptr;
    --index;
    const InstructionFacts& one = code_[index];
    if ((one.changed >> number & 1) != 0) return &one;
    if (one.kind == Kind::Return || (one.kind == Kind::Jump && one.text.starts_with("jmp"))) return nullptr;
  }
  return nullptr;
}

std::optional<ValueOrigin> OriginTracer::trace_register(int number, uint64_t address, unsigned depth) {
  if (depth > kDeepestOrigin || number < 0) return std::nullopt;
  if (auto variable = names_.in_register(address, number)) {
    ValueOrigin result;
    result.constant = variable->addend;
    auto value = value_of(number, address);
    if (value) *value -= static_cast<uint64_t>(variable->addend);
    result.base = NamedValue{variable->name, false, variable->type, value};
    return result;
  }
  const InstructionFacts* definition = definition_before(number, address);
  if (!definition) return std::nullopt;
  auto result = after(*definition, number, depth + 1);
  // What the register holds is what the program used, whatever has become of the memory it came from.
  if (result && result->base && !result->index)
    if (auto value = value_of(number, address)) result->base->value = *value - static_cast<uint64_t>(result->constant);
  return result;
}

// What the instruction leaves in the register.
std::optional<ValueOrigin> OriginTracer::after(const InstructionFacts& instruction, int number, unsigned depth) {
  constexpr int kResult = 0;  // rax
  const uint64_t here = instruction.address;
  if (number != (instruction.kind == Kind::Call ? kResult : instruction.destination)) return std::nullopt;
  switch (instruction.kind) {
    case Kind::Load:
    case Kind::LoadSigned: {
      if (!instruction.memory) return std::nullopt;
      ValueOrigin result;
      result.base = trace_memory(*instruction.memory, instruction.access_size, here, depth);
      if (result.base && instruction.kind == Kind::LoadSigned && result.base->value)
        result.base->value = static_cast<uint64_t>(int64_t{static_cast<int32_t>(*result.base->value)});
      return result.base ? std::optional(result) : std::nullopt;
    }
    case Kind::Move:
    case Kind::ExtendSigned:
      return trace_register(instruction.source, here, depth);
    case Kind::LoadAddress:
      return instruction.memory ? trace_address(*instruction.memory, here, depth) : std::nullopt;
    case Kind::AddConstant: {
      auto result = trace_register(instruction.destination, here, depth);
      if (result) result->constant += instruction.constant;
      return result;
    }
    case Kind::Add: {
      auto one = trace_register(instruction.destination, here, depth);
      auto other = trace_register(instruction.source, here, depth);
      if (!one || !other) return std::nullopt;
      auto is_pointer = [&](const ValueOrigin& sum) { return sum.base && names_.pointee(sum.base->type) != kNoType; };
      if (!is_pointer(*one)) std::swap(*one, *other);
      if (!is_pointer(*one) || is_pointer(*other) || one->index) return std::nullopt;
      if (other->base && other->index) return std::nullopt;
      one->index = other->base ? other->base : other->index;
      one->scale = other->scale;
      one->constant += other->constant;
      return one;
    }
    case Kind::ShiftLeft: {
      auto result = trace_register(instruction.destination, here, depth);
      if (!result || result->constant != 0 || (result->base && result->index)) return std::nullopt;
      if (result->base) result->index = result->base, result->base.reset(), result->scale = 1;
      result->scale <<= instruction.constant;
      return result;
    }
    case Kind::Call: {
      if (!instruction.target) return std::nullopt;
      const std::string name = function_name_(*instruction.target);
      if (name.empty()) return std::nullopt;
      ValueOrigin result;
      result.base = NamedValue{"result of `" + name + "`", true, names_.result_type(*instruction.target), {}};
      return result;
    }
    default:
      return std::nullopt;
  }
}

std::optional<ValueOrigin> OriginTracer::trace_address(const MemoryOperand& operand, uint64_t address, unsigned depth) {
  if (depth > kDeepestOrigin || operand.thread_local_base) return std::nullopt;
  ValueOrigin result;
  if (operand.base >= 0 && operand.base != kStackPointer) {
    auto base = trace_register(operand.base, address, depth);
    if (!base) return std::nullopt;
    result = *base;
  }
  // Of an address that is in the code itself: what stands there.
  if (operand.base < 0 && operand.index < 0) {
    const auto place = static_cast<uint64_t>(operand.displacement);
    const auto variable = names_.in_memory(address, frame_.cfa, frame_.registers, place, 0);
    if (!variable) return std::nullopt;
    result.base = NamedValue{"&" + variable->name, false, kNoType, place};
    return result;
  }
  result.constant += operand.displacement;
  if (operand.index < 0) return result.base || result.index ? std::optional(result) : std::nullopt;
  auto index = trace_register(operand.index, address, depth);
  if (!index || (index->base && index->index) || index->constant != 0 || result.index) return std::nullopt;
  result.index = index->base ? index->base : index->index;
  result.scale = operand.scale * (index->base ? 1 : index->scale);
  return result;
}

std::optional<NamedValue> OriginTracer::trace_memory(const MemoryOperand& operand, uint64_t size, uint64_t address,
                                                     unsigned depth) {
  if (depth > kDeepestOrigin || operand.thread_local_base) return std::nullopt;
  // A variable of its own: in the frame, or a global one.
  std::optional<uint64_t> place;
  if (operand.index < 0) {
    if (operand.base < 0)
      place = static_cast<uint64_t>(operand.displacement);
    else if (const auto base = value_of(operand.base, address))
      place = *base + static_cast<uint64_t>(operand.displacement);
  }
  if (place)
    if (auto variable = names_.in_memory(address, frame_.cfa, frame_.registers, *place, size))
      return NamedValue{variable->name, false, variable->type, read_value(*place, size)};
  // A member of what a pointer points to.
  const auto origin = trace_address(operand, address, depth + 1);
  if (!origin || !origin->base || origin->base->is_call) return std::nullopt;
  const TypeHandle pointee = names_.pointee(origin->base->type);
  if (pointee == kNoType || origin->constant < 0) return std::nullopt;
  auto offset = static_cast<uint64_t>(origin->constant);
  std::string element;
  if (origin->index) {
    // An element of an array of what is pointed to; of an array inside of it we would have to guess.
    if (names_.type_size(pointee) != origin->scale) return std::nullopt;
    element = "[" + origin->index->text + "]";
  }
  const auto member = names_.member_at(pointee, offset, size);
  if (!member) return std::nullopt;
  if (!element.empty() && member->path.starts_with('[')) return std::nullopt;
  NamedValue result;
  result.text = element.empty()        ? member_text(*origin->base, member->path)
                : member->path.empty() ? origin->base->text + element
                                       : origin->base->text + element + "." + member->path;
  result.type = member->type;
  result.owner = origin->base->text;
  if (!origin->index) result.owner_address = origin->base->value;
  if (origin->base->value && (!origin->index || origin->index->value))
    result.value =
        read_value(*origin->base->value + offset + (origin->index ? *origin->index->value * origin->scale : 0), size);
  return result;
}

std::optional<ValueOrigin> OriginTracer::of_register(int number, uint64_t address) {
  return trace_register(number, address, 0);
}

std::optional<ValueOrigin> OriginTracer::of_address(const MemoryOperand& operand, uint64_t address) {
  return trace_address(operand, address, 0);
}

std::optional<NamedValue> OriginTracer::of_memory(const MemoryOperand& operand, uint64_t size, uint64_t address) {
  return trace_memory(operand, size, address, 0);
}

}  // namespace mortem::inspector
