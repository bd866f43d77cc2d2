#include "inspector/values/variables.h"

#include <set>

namespace mortem::inspector {

using llvm::DWARFDie;
namespace dwarf = llvm::dwarf;

namespace {

constexpr int kMaximumBlockDepth = 256;  // of blocks in blocks

bool is_variable(const DWARFDie& die) {
  return die.getTag() == dwarf::DW_TAG_formal_parameter || die.getTag() == dwarf::DW_TAG_variable;
}

void collect(const DWARFDie& block, uint64_t address, int depth, std::vector<VariableEntry>& to) {
  if (depth > kMaximumBlockDepth) return;
  std::set<uint64_t> mentioned;  // entries of the abstract block that have a concrete one here
  for (const DWARFDie& child : block.children()) {
    if (const DWARFDie origin = child.getAttributeValueAsReferencedDie(dwarf::DW_AT_abstract_origin))
      mentioned.insert(origin.getOffset());
    if (is_variable(child) && !entry_name(child).empty())
      to.push_back({child, child.getTag() == dwarf::DW_TAG_formal_parameter && depth == 0, false});
  }
  // What the compiler left nothing of stands only in the abstract instance (DWARF 5, section 3.3.8.2).
  if (const DWARFDie abstract = block.getAttributeValueAsReferencedDie(dwarf::DW_AT_abstract_origin)) {
    std::vector<VariableEntry> rest;
    for (const DWARFDie& child : abstract.children())
      if (is_variable(child) && mentioned.count(child.getOffset()) == 0 && !entry_name(child).empty())
        rest.push_back({child, child.getTag() == dwarf::DW_TAG_formal_parameter && depth == 0, false});
    to.insert(to.end(), rest.begin(), rest.end());
  }
  for (const DWARFDie& child : block.children())
    if (child.getTag() == dwarf::DW_TAG_lexical_block && child.addressRangeContainsAddress(address))
      collect(child, address, depth + 1, to);
}

}  // namespace

std::vector<VariableEntry> variables_of(const DWARFDie& function, uint64_t address) {
  std::vector<VariableEntry> all;
  collect(function, address, 0, all);
  std::stable_sort(all.begin(), all.end(), [](const VariableEntry& one, const VariableEntry& other) {
    return one.parameter > other.parameter;
  });
  std::set<std::string> seen;
  for (auto one = all.rbegin(); one != all.rend(); ++one) one->shadowed = !seen.insert(entry_name(one->entry)).second;
  return all;
}

}  // namespace mortem::inspector
