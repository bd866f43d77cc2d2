// The calls of a whole program: those of its modules put together, at run-time addresses. A call to a function of
// another module, which the caller's debug information knows by name only, leads to the module that exports it.
#pragma once

#include <functional>
#include <map>
#include <span>
#include <string>

#include "inspector/symbols/call_sites.h"
#include "snapshot/core_file.h"

namespace mortem::inspector {

class ProgramCallSites final : public CallSites {
 public:
  using Module = snapshot::CoreModule;
  // `calls_of`: null where nothing is known of a module. `exported`: the address in the ELF file of a function that the
  // module's dynamic symbol table defines. `modules` must outlive this.
  ProgramCallSites(std::span<const Module> modules, std::function<CallSites*(const Module&)> calls_of,
                   std::function<std::optional<uint64_t>(const Module&, const std::string&)> exported)
      : modules_(modules), calls_of_(std::move(calls_of)), exported_(std::move(exported)) {}

  const CallSite* returning_to(uint64_t return_address) override;
  std::optional<uint64_t> function_start(uint64_t address) override;
  const std::vector<CallSite>* tail_calls_of(uint64_t start) override;

 private:
  const Module* module_at(uint64_t address) const;
  CallSite at_run_time(const Module& module, const CallSite& call);
  std::optional<uint64_t> find_exported(const std::string& name);

  std::span<const Module> modules_;
  std::function<CallSites*(const Module&)> calls_of_;
  std::function<std::optional<uint64_t>(const Module&, const std::string&)> exported_;
  std::map<uint64_t, CallSite> calls_;                    // by return address
  std::map<uint64_t, std::vector<CallSite>> tail_calls_;  // by the function's start
  std::map<std::string, std::optional<uint64_t>> exports_;
};

}  // namespace mortem::inspector
