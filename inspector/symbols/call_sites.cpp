#include "inspector/symbols/call_sites.h"

#include <llvm/DebugInfo/DWARF/DWARFCompileUnit.h>
#include <llvm/DebugInfo/DWARF/DWARFContext.h>
#include <llvm/DebugInfo/DWARF/DWARFDie.h>

#include <algorithm>
#include <map>
#include <string>
#include <utility>

namespace mortem::inspector {
namespace {

using llvm::DWARFDie;
namespace dwarf = llvm::dwarf;

class LlvmCallSites final : public FunctionCallSites {
 public:
  LlvmCallSites(llvm::DWARFContext& debug, const SymbolTable& symbols) : FunctionCallSites(symbols), debug_(debug) {}

 private:
  const CallingFunction* function_at(uint64_t address) override {
    llvm::DWARFUnit* unit = debug_.getCompileUnitForCodeAddress(address);
    if (!unit) return nullptr;
    DWARFDie die = unit->getNonSkeletonUnitDIE(false);  // its .dwo file's
    if (die) die = die.getDwarfUnit()->getSubroutineForAddress(address);
    while (die && die.getTag() != dwarf::DW_TAG_subprogram) die = die.getParent();
    if (!die) return nullptr;
    auto [place, is_new] = functions_.try_emplace({die.getDwarfUnit(), die.getOffset()});
    if (is_new) read_function(die, place->second);
    return &place->second;
  }

  void read_function(const DWARFDie& die, CallingFunction& function) {
    const auto starts = starts_of(die);
    if (!starts.empty()) function.start = starts.front();
    const bool lists_all = flag(die, {dwarf::DW_AT_call_all_calls, dwarf::DW_AT_GNU_all_call_sites,
                                      dwarf::DW_AT_call_all_tail_calls, dwarf::DW_AT_GNU_all_tail_call_sites});
    collect(die, lists_all, function);
  }

  // Call sites stand in the blocks and inlined functions that they are in.
  void collect(const DWARFDie& parent, bool lists_all, CallingFunction& function) {
    for (const DWARFDie& child : parent.children()) {
      const auto tag = child.getTag();
      if (tag == dwarf::DW_TAG_lexical_block || tag == dwarf::DW_TAG_inlined_subroutine)
        collect(child, lists_all, function);
      if (tag != dwarf::DW_TAG_call_site && tag != dwarf::DW_TAG_GNU_call_site) continue;
      const auto address = dwarf::toAddress(child.find({dwarf::DW_AT_call_return_pc, dwarf::DW_AT_low_pc}));
      if (!address) continue;
      function.calls.emplace_back().return_address = *address;
      find_targets(child, function.calls.back());
      if (lists_all && flag(child, {dwarf::DW_AT_call_tail_call, dwarf::DW_AT_GNU_tail_call}))
        function.tail_calls.push_back(function.calls.back());
    }
  }

  void find_targets(const DWARFDie& call, CallSite& site) {
    // An address that was in a register or in memory when the call was made.
    if (call.find({dwarf::DW_AT_call_target, dwarf::DW_AT_GNU_call_site_target})) return;
    DWARFDie callee = call.getAttributeValueAsReferencedDie(dwarf::DW_AT_call_origin);
    if (!callee) callee = call.getAttributeValueAsReferencedDie(dwarf::DW_AT_abstract_origin);
    if (!callee) return;
    if (!flag(callee, {dwarf::DW_AT_declaration})) {
      site.targets = starts_of(callee);
      return;
    }
    const char* name = callee.getLinkageName();
    if (!name) name = callee.getShortName();
    if (!name) return;
    set_target(site, name, symbols_);
  }

  static std::vector<uint64_t> starts_of(const DWARFDie& function) {
    std::vector<uint64_t> starts;
    auto ranges = function.getAddressRanges();
    if (!ranges) {
      llvm::consumeError(ranges.takeError());
      return starts;
    }
    for (const llvm::DWARFAddressRange& range : *ranges) starts.push_back(range.LowPC);
    return starts;
  }

  static bool flag(const DWARFDie& die, llvm::ArrayRef<dwarf::Attribute> attributes) {
    return std::any_of(attributes.begin(), attributes.end(),
                       [&](dwarf::Attribute attribute) { return dwarf::toUnsigned(die.find(attribute), 0) != 0; });
  }

  llvm::DWARFContext& debug_;
  std::map<std::pair<const llvm::DWARFUnit*, uint64_t>, CallingFunction> functions_;  // by unit and offset of the entry
};

}  // namespace

const CallSite* FunctionCallSites::returning_to(uint64_t return_address) {
  const CallingFunction* function = function_at(return_address - 1);
  if (!function) return nullptr;
  const auto found = std::find_if(function->calls.begin(), function->calls.end(),
                                  [&](const CallSite& one) { return one.return_address == return_address; });
  return found == function->calls.end() ? nullptr : &*found;
}

std::optional<uint64_t> FunctionCallSites::function_start(uint64_t address) {
  if (const CallingFunction* function = function_at(address)) return function->start;
  return symbols_.function_start(address);
}

const std::vector<CallSite>* FunctionCallSites::tail_calls_of(uint64_t start) {
  const CallingFunction* function = function_at(start);
  return function && function->start == start ? &function->tail_calls : nullptr;
}

void set_target(CallSite& site, std::string_view name, const SymbolTable& symbols) {
  if (const auto address = symbols.function(name))
    site.targets = {*address};
  else
    site.external = name;
}

std::unique_ptr<CallSites> read_call_sites(llvm::DWARFContext& debug, const SymbolTable& symbols) {
  return std::make_unique<LlvmCallSites>(debug, symbols);
}

}  // namespace mortem::inspector
