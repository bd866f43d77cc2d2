#include "inspector/symbols/call_sites.h"

#include <algorithm>

namespace mortem::inspector {

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

}  // namespace mortem::inspector
