#include "inspector/unwind/indexed_frames.h"

#include "inspector/symbols/index/sorted_addresses.h"

namespace mortem::inspector {

using index::IndexSection;
using RuleKind = UnwindRule::Kind;

const UnwindRow* IndexedFrames::find(uint64_t address) {
  const uint32_t place = index::find_sorted(*file_, IndexSection::FrameRegions, IndexSection::FrameStarts, address);
  const auto* number = file_->at<uint32_t>(IndexSection::FrameRows, place);
  if (!number || *number == index::kNothing) return nullptr;
  auto [row, is_new] = rows_.try_emplace(*number);
  if (is_new) row->second = read(*number);
  return row->second && !broken() ? &*row->second : nullptr;
}

std::optional<UnwindRow> IndexedFrames::read(uint32_t number) {
  const auto* stored = file_->at<index::IndexRow>(IndexSection::Rows, number);
  if (!stored || stored->return_address >= FrameRegisters::kCount) return std::nullopt;
  UnwindRow row;
  const auto cfa = read_rule(stored->cfa);
  if (!cfa || (cfa->kind != RuleKind::InRegister && cfa->kind != RuleKind::IsExpression)) return std::nullopt;
  row.cfa = *cfa;
  row.return_address = stored->return_address;
  row.signal_frame = stored->signal_frame != 0;
  for (uint32_t index = 0; index < stored->rule_count; ++index) {
    const auto* one = file_->at<index::IndexRule>(IndexSection::Rules, uint64_t{stored->first_rule} + index);
    const auto rule = one ? read_rule(*one) : std::nullopt;
    if (!rule || one->column >= row.registers.size()) return std::nullopt;
    row.registers[one->column] = *rule;
  }
  return row;
}

std::optional<UnwindRule> IndexedFrames::read_rule(const index::IndexRule& stored) {
  if (stored.kind > static_cast<uint8_t>(RuleKind::IsExpression)) return std::nullopt;
  UnwindRule rule;
  rule.kind = static_cast<RuleKind>(stored.kind);
  rule.number = stored.number;
  rule.offset = stored.offset;
  if (stored.byte_count == 0) return rule;
  rule.expression = file_->bytes(IndexSection::Expressions, stored.first_byte, stored.byte_count);
  return rule.expression.empty() ? std::nullopt : std::optional(rule);
}

}  // namespace mortem::inspector
