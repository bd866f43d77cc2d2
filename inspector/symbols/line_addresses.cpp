#include "inspector/symbols/line_addresses.h"

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

}  // namespace mortem::inspector
