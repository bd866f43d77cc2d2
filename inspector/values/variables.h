// The variables that a function's entries tell of, and their values. For this folder.
#pragma once

#include "inspector/values/frame_scope.h"

namespace mortem::inspector {

struct VariableEntry {
  llvm::DWARFDie entry;  // concrete, or abstract where the compiler left nothing of it
  bool parameter = false;
  bool shadowed = false;
};

// Of the function `function` (a subprogram or one inlined) at `address` in the file: outermost block first.
std::vector<VariableEntry> variables_of(const llvm::DWARFDie& function, uint64_t address);

}  // namespace mortem::inspector
