// The calls that a file's debug information tells of (DWARF 5, section 3.4). Addresses are those of the ELF file.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "inspector/symbols/symbol_table.h"

namespace mortem::inspector {

struct CallSite {
  uint64_t return_address = 0;  // behind the call or, of a tail call, behind the jump
  std::vector<uint64_t>
      targets;           // starts of the called function's parts, its entry first; empty: known at run time only
  std::string external;  // the called function's name, where no symbol of this file defines it
};

class CallSites {
 public:
  virtual ~CallSites() = default;
  virtual const CallSite* returning_to(uint64_t return_address) = 0;  // null: nothing is known of such a call
  // Of the function that holds `address`, by debug information or else by the symbol table.
  virtual std::optional<uint64_t> function_start(uint64_t address) = 0;
  // All tail calls of the function that starts at `start`. Null: no function with debug information starts there.
  virtual const std::vector<CallSite>* tail_calls_of(uint64_t start) = 0;
};

struct CallingFunction {
  uint64_t start = 0;
  std::vector<CallSite> calls;       // tail calls too
  std::vector<CallSite> tail_calls;  // empty where the compiler did not list them all
};

// A function of another unit, by its name: one of this file, or one that another file defines.
void set_target(CallSite& site, std::string_view name, const SymbolTable& symbols);

// Of debug information that lists the calls function by function.
class FunctionCallSites : public CallSites {
 public:
  // `symbols` must outlive this.
  explicit FunctionCallSites(const SymbolTable& symbols) : symbols_(symbols) {}
  const CallSite* returning_to(uint64_t return_address) final;
  std::optional<uint64_t> function_start(uint64_t address) final;
  const std::vector<CallSite>* tail_calls_of(uint64_t start) final;

 protected:
  virtual const CallingFunction* function_at(uint64_t address) = 0;  // null: none with debug information

  const SymbolTable& symbols_;
};

}  // namespace mortem::inspector
