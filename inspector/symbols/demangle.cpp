#include "inspector/symbols/demangle.h"

#include <llvm/DebugInfo/Symbolize/Symbolize.h>

namespace mortem::inspector {

std::string demangle(std::string_view linkage_name) {
  return llvm::symbolize::LLVMSymbolizer::DemangleName(std::string(linkage_name), nullptr);
}

}  // namespace mortem::inspector
