#include "inspector/symbols/line_addresses.h"

#include <llvm/DebugInfo/DWARF/DWARFCompileUnit.h>
#include <llvm/DebugInfo/DWARF/DWARFContext.h>

#include <algorithm>
#include <set>

namespace mortem::inspector {
namespace {

bool is_end_of_path(const std::string& path, const std::string& end) {
  if (!path.ends_with(end)) return false;
  return path.size() == end.size() || end.starts_with('/') || path[path.size() - end.size() - 1] == '/';
}

}  // namespace

LineAddresses addresses_of_line(DebugFile& debug, const std::string& file, uint32_t line) {
  using NameKind = llvm::DILineInfoSpecifier::FileLineInfoKind;
  std::set<uint64_t> exact, later;
  uint32_t next = ~0u;  // the nearest line behind it that has code
  llvm::DWARFContext& context = debug.places();
  for (const auto& unit : context.compile_units()) {
    const auto* table = context.getLineTableForUnit(unit.get());
    if (!table) continue;
    // Which of the table's numbers mean the file.
    std::set<uint64_t> numbers;
    const char* folder = unit->getCompilationDir();
    for (uint64_t number = 0; number <= table->Prologue.FileNames.size(); ++number) {
      std::string name;
      if (table->hasFileAtIndex(number) &&
          table->getFileNameByIndex(number, folder ? folder : "", NameKind::AbsoluteFilePath, name) &&
          is_end_of_path(name, file))
        numbers.insert(number);
    }
    if (numbers.empty()) continue;
    uint32_t before = 0;  // line of the row before, in this file; 0: another file's
    for (const auto& row : table->Rows) {
      const bool is_ours = !row.EndSequence && numbers.contains(row.File);
      const uint32_t now = is_ours ? row.Line : 0;
      if (is_ours && row.IsStmt && now != before) {
        if (now == line) exact.insert(row.Address.Address);
        if (now > line && now < next) next = now, later.clear();
        if (now == next) later.insert(row.Address.Address);
      }
      before = now;
    }
  }
  LineAddresses result;
  const auto& chosen = exact.empty() ? later : exact;
  if (!chosen.empty()) result.line = exact.empty() ? next : line;
  result.addresses.assign(chosen.begin(), chosen.end());
  return result;
}

std::optional<StatementRow> statement_row(DebugFile& debug, uint64_t address) {
  llvm::DWARFContext& context = debug.places();
  llvm::DWARFCompileUnit* unit = context.getCompileUnitForCodeAddress(address);
  const auto* table = unit ? context.getLineTableForUnit(unit) : nullptr;
  if (!table) return std::nullopt;
  const auto& rows = table->Rows;
  const uint32_t found = table->lookupAddress({address, llvm::object::SectionedAddress::UndefSection});
  if (found >= rows.size()) return std::nullopt;
  size_t at = found;
  const auto same_address = [&](size_t index) {
    return index > 0 && !rows[index - 1].EndSequence &&
           rows[index - 1].Address.Address == rows[index].Address.Address && rows[index - 1].Line != 0;
  };
  while (!rows[at].IsStmt && same_address(at)) --at;
  if (!rows[at].IsStmt) at = found;
  // The rows of the line before it, without another between them.
  size_t run = at;
  while (run > 0 && !rows[run - 1].EndSequence && rows[run - 1].Line == rows[at].Line &&
         rows[run - 1].File == rows[at].File)
    --run;
  size_t begin = run;
  bool has_discriminator = rows[run].Discriminator != 0;
  for (size_t index = run + 1; index <= at; ++index) {
    has_discriminator = has_discriminator || rows[index].Discriminator != 0;
    if (!has_discriminator) begin = index;
  }
  return StatementRow{rows[begin].Address.Address, rows[begin].Line, rows[begin].IsStmt != 0};
}

}  // namespace mortem::inspector
