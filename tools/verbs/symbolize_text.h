// The answers of `mortem symbolize`, in the forms of llvm-symbolizer.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "inspector/symbols/index/file_symbols.h"
#include "tools/verbs/symbolize_source.h"

namespace mortem::tools {

enum class SymbolizeStyle { Llvm, Gnu, Json };
enum class FunctionNameKind { None, Short, Linkage };
enum class PathKind { Absolute, Relative, Name };

struct SymbolizeForm {
  SymbolizeStyle style = SymbolizeStyle::Llvm;
  FunctionNameKind functions = FunctionNameKind::Linkage;
  PathKind paths = PathKind::Absolute;
  bool demangle = true, inlines = true, addresses = false, pretty = false, verbose = false;
  int source_lines = 0;  // of the source, around each place
  // Around functions and places, on a terminal: its colours.
  std::string_view function_start, place_start, paint_end;
};

// What was asked: an address, or a name; neither in a line that cannot be read.
struct SymbolizeRequest {
  std::string_view module;
  std::optional<uint64_t> address = std::nullopt;  // as it was asked for
  std::string_view symbol = {};
};

// Each adds one answer to `to`. `file`: null where nothing is known of it.
class SymbolizeText {
 public:
  // `substitutions`: where the sources of --print-source-context-lines are on this machine.
  SymbolizeText(const SymbolizeForm& form, std::vector<std::pair<std::string, std::string>> substitutions)
      : form_(form), source_(form.source_lines, std::move(substitutions)) {}
  // What stands at `address`, that of the file.
  void code(inspector::index::FileSymbols* file, const SymbolizeRequest& request, uint64_t address, std::string& to);
  void data(inspector::index::FileSymbols* file, const SymbolizeRequest& request, uint64_t address, std::string& to);
  void frame(inspector::index::FileSymbols* file, const SymbolizeRequest& request, uint64_t address, std::string& to);
  // The places of all symbols of that name, `offset` bytes further on where a symbol is that large.
  void named(inspector::index::FileSymbols* file, const SymbolizeRequest& request, uint64_t offset, std::string& to);
  // A line that cannot be read.
  void invalid(std::string_view module, std::string& to);
  // In JSON, instead of the first answer of a file that cannot be read.
  void error(const SymbolizeRequest& request, std::string_view message, std::string& to);
  bool is_json() const { return form_.style == SymbolizeStyle::Json; }

 private:
  enum class Inlined { All, Innermost, None };
  struct ShownFrame {
    const inspector::index::LookedUpFrame* frame;
    std::string_view function, symbol_file;
    std::optional<uint64_t> start;
  };

  std::string_view name_of(std::string_view linkage_name);
  void append_address(const SymbolizeRequest& request, std::string& to) const;
  // Puts what is at an address into shown_. None: the symbol table's name is that of the innermost function.
  void look_up(inspector::index::FileSymbols& file, uint64_t address, Inlined inlined);
  void append_frame(const ShownFrame& shown, bool inlined, std::string& to);
  void append_json_frame(const ShownFrame& shown, bool with_source, std::string& to);
  std::string source_around(const ShownFrame& shown);  // of a frame with a file
  std::string_view path(const inspector::index::SourceFile* file) const;

  SymbolizeForm form_;
  std::unordered_map<std::string, std::string> demangled_;
  std::string key_;
  SourceContext source_;
  std::vector<ShownFrame> shown_;
  inspector::index::FileSymbols* looked_up_in_ = nullptr;  // of shown_
};

}  // namespace mortem::tools
