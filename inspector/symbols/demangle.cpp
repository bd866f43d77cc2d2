#include "inspector/symbols/demangle.h"

#include <llvm/DebugInfo/Symbolize/Symbolize.h>

#include "inspector/symbols/rust_names.h"

namespace mortem::inspector {

std::string demangle(std::string_view linkage_name) {
  if (auto rust = demangle_old_rust(linkage_name)) return *rust;
  return llvm::symbolize::LLVMSymbolizer::DemangleName(std::string(linkage_name), nullptr);
}

}  // namespace mortem::inspector
