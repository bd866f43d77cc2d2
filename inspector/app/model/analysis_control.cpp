// What running a live guest asks of debug information.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "inspector/app/model/analysis.h"
#include "inspector/symbols/line_addresses.h"
#include "inspector/values/evaluate.h"

namespace mortem::inspector::app {

Analysis::StepPlace Analysis::step_place(uint64_t pc) {
  StepPlace place;
  const CoreModule* module = reader_.module_at(pc);
  if (!module) return place;
  const uint64_t address = pc - module->load_bias;
  place.functions = symbolizer_->locate(*module, address);
  place.file = place.functions.front().file;
  place.line = place.functions.front().line;
  DebugFile* debug = symbolizer_->debug_file(*module);
  const auto row = debug ? statement_row(*debug, address) : std::nullopt;
  if (!row) return place;
  if (row->line != 0) place.line = row->line;
  place.is_begin = row->start == address;
  place.is_statement = row->is_statement;
  return place;
}

bool Analysis::StepPlace::is_inside_of(const StepPlace& caller) const {
  if (functions.size() <= caller.functions.size()) return false;
  return std::equal(caller.functions.rbegin(), caller.functions.rend(), functions.rbegin(),
                    [](const SourceLocation& a, const SourceLocation& b) { return a.function == b.function; });
}

std::optional<InstructionFacts> Analysis::instruction_at(uint64_t pc) {
  constexpr size_t kLongestInstruction = 15;
  uint8_t bytes[kLongestInstruction];
  const size_t count = reader_.read_code(pc, bytes);
  return instruction_facts(pc, {bytes, count});
}

// Whether the function makes a frame before it does anything: as gdb, we stop behind that, where its parameters are in
// their places. Optimized code has no such prologue: its second line may be its last.
bool Analysis::begins_with_frame(uint64_t start) {
  constexpr std::array<uint8_t, 4> kBranchTarget = {0xF3, 0x0F, 0x1E, 0xFA};  // endbr64
  constexpr std::array<uint8_t, 4> kFrame = {0x55, 0x48, 0x89, 0xE5};         // push rbp; mov rbp, rsp
  std::array<uint8_t, 4> code{};
  if (reader_.read_code(start, code) != code.size()) return false;
  if (code == kBranchTarget && reader_.read_code(start + code.size(), code) != code.size()) return false;
  return code == kFrame;
}

// Where the second line of the function begins.
uint64_t Analysis::behind_prologue(uint64_t start) {
  if (!begins_with_frame(start)) return start;
  const auto block = code(start);
  if (!block || block->start != start) return start;
  uint32_t first = 0;
  for (const CodeRow& row : block->rows) {
    if (row.line == 0) continue;
    if (first == 0) first = row.line;
    if (row.line != first) return row.address;
  }
  return start;
}

Result<std::vector<uint64_t>> Analysis::code_addresses(const std::string& where) {
  const size_t colon = where.rfind(':');
  char* end = nullptr;
  const bool has_line = colon != std::string::npos && colon + 1 < where.size() && colon > 0 && where[colon - 1] != ':';
  const uint64_t line = has_line ? std::strtoull(where.c_str() + colon + 1, &end, 10) : 0;
  if (has_line && *end == 0 && line > 0 && line < 1u << 31) {
    std::vector<uint64_t> all;
    uint32_t chosen = 0;
    for (const CoreModule& module : state_->target->modules()) {
      DebugFile* debug = symbolizer_->debug_file(module);
      if (!debug) continue;
      const auto found = addresses_of_line(*debug, where.substr(0, colon), static_cast<uint32_t>(line));
      if (found.line == 0 || (chosen != 0 && found.line > chosen)) continue;
      if (found.line < chosen) all.clear();
      chosen = found.line;
      // One a function: the first of it.
      for (const uint64_t address : found.addresses) all.push_back(address + module.load_bias);
    }
    if (all.empty()) return failure(ErrorKind::NotFound, fmt::format("{}: no code is there", where));
    all.resize(1);
    return all;
  }
  if (!where.empty() && where[0] >= '0' && where[0] <= '9') return std::vector{TRY(address_of(where))};
  for (const CoreModule& module : state_->target->modules()) {
    const auto start = symbolizer_->find_symbol(module, where);
    if (!start) continue;
    return std::vector{behind_prologue(*start)};
  }
  return failure(ErrorKind::NotFound, fmt::format("{}: neither a function nor FILE:LINE nor an address (0x…)", where));
}

Result<bool> Analysis::is_true(const std::string& condition, uint32_t thread) {
  return TRY(number(condition, thread, 0)) != 0;
}

Result<uint64_t> Analysis::number(const std::string& expression, uint32_t thread, size_t frame) {
  auto values = program_.frame(thread, frame);
  const Value value = TRY(evaluate(program_, values ? &*values : nullptr, expression));
  // A function's name stands for its address.
  if (value.type && value.type->stripped().kind == TypeKind::Function && value.address) return *value.address;
  const auto number = program_.reader().read_integer(value);
  if (!number) return failure(ErrorKind::Unavailable, fmt::format("{}: {}", expression, missing_text(number.error())));
  return *number;
}

Result<Analysis::ValuePlace> Analysis::place_of(const std::string& expression, uint32_t thread, size_t frame) {
  auto values = program_.frame(thread, frame);
  const Value value = TRY(evaluate(program_, values ? &*values : nullptr, expression));
  if (value.bit_size != 0)
    return failure(ErrorKind::Unsupported,
                   fmt::format("{}: is a bit-field; what is beside it would count", expression));
  return place_of(value, expression);
}

Result<Analysis::ValuePlace> Analysis::place_of(const Value& value, const std::string& name) {
  const Type* type = value.type ? &value.type->stripped() : nullptr;
  if (!value.address || !type || !type->has_size || type->size == 0)
    return failure(ErrorKind::Unsupported, fmt::format("{}: stands in no memory", name));
  if (value.bit_size == 0) return ValuePlace{*value.address, type->size};
  return ValuePlace{*value.address, (value.bit_shift + value.bit_size + 7) / 8};
}

// The bytes that hold the bit-field, with `bits` in its place and what is beside it as it is.
Result<std::vector<uint8_t>> Analysis::bit_field_bytes(const Value& target, const std::string& name, uint64_t bits) {
  const unsigned size = target.bit_size, surplus = size < 64 ? 64 - size : 0;
  const bool fits = target.type->stripped().is_signed() ? uint64_t(int64_t(bits << surplus) >> surplus) == bits
                                                        : bits << surplus >> surplus == bits;
  if (!fits)
    return failure(ErrorKind::BadInput,
                   fmt::format("{}: {} does not fit into {} bits", name, static_cast<int64_t>(bits), size));
  auto bytes = program_.reader().read_memory(*target.address, (target.bit_shift + size + 7) / 8);
  if (!bytes) return failure(ErrorKind::Unavailable, fmt::format("{}: {}", name, missing_text(bytes.error())));
  for (unsigned bit = 0; bit < size; ++bit) {
    const unsigned at = target.bit_shift + bit;
    const auto mask = static_cast<uint8_t>(1u << at % 8);
    (*bytes)[at / 8] =
        static_cast<uint8_t>((bits >> bit & 1) != 0 ? (*bytes)[at / 8] | mask : (*bytes)[at / 8] & ~mask);
  }
  return std::move(*bytes);
}

Result<Analysis::Assignment> Analysis::assignment(const std::string& expression, const std::string& text,
                                                  uint32_t thread, size_t frame) {
  auto values = program_.frame(thread, frame);
  FrameValues* scope = values ? &*values : nullptr;
  return assignment(TRY(evaluate(program_, scope, expression)), expression, text, scope);
}

Result<Analysis::Assignment> Analysis::assignment(ValueHandle to, const std::string& name, const std::string& text,
                                                  uint32_t thread, size_t frame) {
  const auto known = values_.find(to);
  if (known == values_.end())
    return failure(ErrorKind::NotFound, fmt::format("{}: this value is of a stop before", name));
  const Value target = known->second;
  auto values = program_.frame(thread, frame);
  return assignment(target, name, text, values ? &*values : nullptr);
}

Result<Analysis::Assignment> Analysis::assignment(const Value& target, const std::string& name, const std::string& text,
                                                  FrameValues* scope) {
  Assignment result;
  result.place = TRY(place_of(target, name));
  const Value source = TRY(evaluate(program_, scope, text));
  const Type& type = target.type->stripped();
  ValueReader& reader = program_.reader();
  result.bytes.resize(type.size);
  if (type.kind == TypeKind::Float) {
    const Type* from = source.type ? &source.type->stripped() : nullptr;
    double value = 0;
    if (from && from->kind == TypeKind::Float) {
      const auto read = reader.read_float(source);
      if (!read) return failure(ErrorKind::Unavailable, missing_text(read.error()));
      value = static_cast<double>(*read);
    } else {
      const auto read = reader.read_integer(source);
      if (!read) return failure(ErrorKind::Unavailable, missing_text(read.error()));
      value = static_cast<double>(static_cast<int64_t>(*read));
    }
    const auto narrow = static_cast<float>(value);
    if (type.size == sizeof narrow)
      std::memcpy(result.bytes.data(), &narrow, sizeof narrow);
    else if (type.size == sizeof value)
      std::memcpy(result.bytes.data(), &value, sizeof value);
    else
      return failure(ErrorKind::Unsupported, fmt::format("{}: long double cannot be set", name));
    return result;
  }
  if ((!type.is_integer() && type.kind != TypeKind::Pointer) || type.size > sizeof(uint64_t))
    return failure(ErrorKind::Unsupported,
                   fmt::format("{}: only numbers and pointers can be set, one at a time", name));
  const auto number = reader.read_integer(source);
  if (!number) return failure(ErrorKind::Unavailable, fmt::format("{}: {}", text, missing_text(number.error())));
  if (target.bit_size != 0)
    result.bytes = TRY(bit_field_bytes(target, name, *number));
  else
    std::memcpy(result.bytes.data(), &*number, result.bytes.size());
  return result;
}

}  // namespace mortem::inspector::app
