#include "inspector/symbols/index/frame_table.h"

namespace mortem::inspector::index {

void FrameTable::add(CallFrameInformation& frames) {
  spans_.next_layer();
  frames.visit_rows([&](uint64_t low, uint64_t high, const UnwindRow& row) { spans_.add(low, high, row_number(row)); });
}

void FrameTable::write(IndexWriter& writer) {
  spans_.write(writer, IndexSection::FrameRegions, IndexSection::FrameStarts, IndexSection::FrameRows);
  writer.section(IndexSection::Rows, rows_);
  writer.section(IndexSection::Rules, rules_);
  writer.section(IndexSection::Expressions, bytes_);
}

uint32_t FrameTable::row_number(const UnwindRow& row) {
  IndexRow made;
  made.cfa = convert(row.cfa, 0);
  made.return_address = static_cast<uint8_t>(row.return_address);
  made.signal_frame = row.signal_frame;
  std::vector<IndexRule> rules;
  for (unsigned column = 0; column < row.registers.size(); ++column)
    if (row.registers[column].kind != UnwindRule::Kind::SameValue)
      rules.push_back(convert(row.registers[column], column));
  made.rule_count = static_cast<uint8_t>(rules.size());
  std::string key(reinterpret_cast<const char*>(&made), sizeof(made));
  key.append(reinterpret_cast<const char*>(rules.data()), rules.size() * sizeof(IndexRule));
  auto [place, is_new] = row_numbers_.try_emplace(std::move(key), static_cast<uint32_t>(rows_.size()));
  if (is_new) {
    made.first_rule = static_cast<uint32_t>(rules_.size());
    rules_.insert(rules_.end(), rules.begin(), rules.end());
    rows_.push_back(made);
  }
  return place->second;
}

IndexRule FrameTable::convert(const UnwindRule& rule, unsigned column) {
  IndexRule made;
  made.kind = static_cast<uint8_t>(rule.kind);
  made.column = static_cast<uint8_t>(column);
  if (rule.expression.empty()) {
    made.number = rule.number;
    made.offset = rule.offset;
    return made;
  }
  auto [place, is_new] = expressions_.try_emplace(std::string(rule.expression.begin(), rule.expression.end()),
                                                  static_cast<uint32_t>(bytes_.size()));
  if (is_new) bytes_.insert(bytes_.end(), rule.expression.begin(), rule.expression.end());
  made.first_byte = place->second;
  made.byte_count = static_cast<uint32_t>(rule.expression.size());
  return made;
}

}  // namespace mortem::inspector::index
