// The answers of `mortem symbolize`, in the forms of llvm-symbolizer.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "inspector/symbols/index/file_symbols.h"

namespace mortem::tools {

enum class SymbolizeStyle { Llvm, Gnu, Json };
enum class FunctionNameKind { None, Short, Linkage };
enum class PathKind { Absolute, Relative, Name };

struct SymbolizeForm {
  SymbolizeStyle style = SymbolizeStyle::Llvm;
  FunctionNameKind functions = FunctionNameKind::Linkage;
  PathKind paths = PathKind::Absolute;
  bool demangle = true, inlines = true, addresses = false, pretty = false, verbose = false;
  // Around functions and places, on a terminal: its colours.
  std::string_view function_start, place_start, paint_end;
};

class SymbolizeText {
 public:
  explicit SymbolizeText(const SymbolizeForm& form) : form_(form) {}
  // What stands at `address` of `file` (null: a file that cannot be read), added to `to`. `shown`: the address as it
  // was asked for.
  void code(inspector::index::FileSymbols* file, std::string_view name, uint64_t address, uint64_t shown,
            std::string& to);
  void data(inspector::index::FileSymbols* file, std::string_view name, uint64_t address, uint64_t shown,
            std::string& to);
  // No file, or no address in the line.
  void unknown(std::string_view name, std::string_view asked, std::string_view error, std::string& to);

 private:
  std::string_view name_of(std::string_view linkage_name);
  void append_frame(const inspector::index::LookedUpFrame& frame, std::string_view function, bool inlined,
                    std::optional<uint64_t> start, std::string_view symbol_file, std::string& to);
  std::string_view path(const inspector::index::SourceFile* file) const;

  SymbolizeForm form_;
  std::unordered_map<std::string, std::string> demangled_;
  std::string key_;
};

}  // namespace mortem::tools
