#include "inspector/symbols/program_call_sites.h"

#include <algorithm>

namespace mortem::inspector {

const CallSite* ProgramCallSites::returning_to(uint64_t return_address) {
  if (const auto known = calls_.find(return_address); known != calls_.end()) return &known->second;
  const Module* module = module_at(return_address - 1);
  CallSites* calls = module ? calls_of_(*module) : nullptr;
  const CallSite* call = calls ? calls->returning_to(return_address - module->load_bias) : nullptr;
  return call ? &calls_.emplace(return_address, at_run_time(*module, *call)).first->second : nullptr;
}

std::optional<uint64_t> ProgramCallSites::function_start(uint64_t address) {
  const Module* module = module_at(address);
  CallSites* calls = module ? calls_of_(*module) : nullptr;
  auto start = calls ? calls->function_start(address - module->load_bias) : std::nullopt;
  if (start) *start += module->load_bias;
  return start;
}

const std::vector<CallSite>* ProgramCallSites::tail_calls_of(uint64_t start) {
  if (const auto known = tail_calls_.find(start); known != tail_calls_.end()) return &known->second;
  const Module* module = module_at(start);
  CallSites* calls = module ? calls_of_(*module) : nullptr;
  const auto* found = calls ? calls->tail_calls_of(start - module->load_bias) : nullptr;
  if (!found) return nullptr;
  std::vector<CallSite>& list = tail_calls_[start];
  for (const CallSite& call : *found) list.push_back(at_run_time(*module, call));
  return &list;
}

const ProgramCallSites::Module* ProgramCallSites::module_at(uint64_t address) const {
  const auto found = std::find_if(modules_.begin(), modules_.end(), [&](const Module& module) {
    return address >= module.start && address < module.end;
  });
  return found == modules_.end() ? nullptr : &*found;
}

CallSite ProgramCallSites::at_run_time(const Module& module, const CallSite& call) {
  CallSite moved = call;
  moved.return_address += module.load_bias;
  for (uint64_t& target : moved.targets) target += module.load_bias;
  if (moved.targets.empty() && !moved.external.empty())
    if (const auto address = find_exported(moved.external)) moved.targets = {*address};
  return moved;
}

// The loader takes the first definition, the program's own before its libraries'.
std::optional<uint64_t> ProgramCallSites::find_exported(const std::string& name) {
  auto [place, is_new] = exports_.try_emplace(name);
  if (!is_new) return place->second;
  for (const auto kind : {format::ModuleKind::Program, format::ModuleKind::Library, format::ModuleKind::Interpreter})
    for (const Module& module : modules_) {
      if (module.kind != kind) continue;
      if (const auto address = exported_(module, name)) return place->second = *address + module.load_bias;
    }
  return std::nullopt;
}

}  // namespace mortem::inspector
