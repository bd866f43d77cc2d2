#include "inspector/symbols/demangle.h"

#include <llvm/DebugInfo/Symbolize/Symbolize.h>

#include "inspector/symbols/rust_names.h"

namespace mortem::inspector {

std::string demangle(std::string_view linkage_name) {
  if (auto rust = demangle_old_rust(linkage_name)) return *rust;
  return llvm::symbolize::LLVMSymbolizer::DemangleName(std::string(linkage_name), nullptr);
}

std::string_view without_clone_suffix(std::string_view linkage_name) {
  for (size_t dot = linkage_name.find('.'); dot != std::string_view::npos; dot = linkage_name.find('.', dot + 1))
    if (const auto own = linkage_name.substr(0, dot); demangle(own) != own) return own;
  return linkage_name;
}

}  // namespace mortem::inspector
