#include "tools/verbs/symbolize_text.h"

#include <charconv>

#include "inspector/symbols/demangle.h"

namespace mortem::tools {
namespace {

using inspector::Symbol;
using inspector::index::LookedUpFrame;
using inspector::index::SourceFile;

constexpr size_t kMostNames = 1 << 18;  // demangled ones that are kept

void append_decimal(std::string& to, uint64_t value) {
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof(digits), value).ptr;
  to.append(digits, end);
}

void append_hexadecimal(std::string& to, uint64_t value) {
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof(digits), value, 16).ptr;
  to += "0x";
  to.append(digits, end);
}

// RFC 8259, section 7. Bytes that are no UTF-8 do not come out of our files' names often enough to be told apart.
void append_json_text(std::string& to, std::string_view text) {
  constexpr char kHex[] = "0123456789abcdef";
  to += '"';
  for (const char one : text) {
    const auto byte = static_cast<unsigned char>(one);
    if (one == '"' || one == '\\') {
      to += '\\';
      to += one;
    } else if (one == '\n') {
      to += "\\n";
    } else if (one == '\t') {
      to += "\\t";
    } else if (one == '\r') {
      to += "\\r";
    } else if (byte < 0x20) {
      to += "\\u00";
      to += kHex[byte >> 4];
      to += kHex[byte & 15];
    } else {
      to += one;
    }
  }
  to += '"';
}

std::string_view or_unknown(std::string_view text) {
  return text.data() ? text : std::string_view("??");
}

}  // namespace

std::string_view SymbolizeText::name_of(std::string_view linkage_name) {
  if (!linkage_name.data() || !form_.demangle || linkage_name.size() < 2) return linkage_name;
  // What LLVM undoes starts with _Z (C++), _R (Rust), _D (D), or with more underscores, dots or a question mark.
  if (linkage_name[0] != '_' && linkage_name[0] != '.' && linkage_name[0] != '?') return linkage_name;
  if (demangled_.size() >= kMostNames) demangled_.clear();
  key_.assign(linkage_name);
  auto [place, is_new] = demangled_.try_emplace(key_);
  if (is_new) place->second = inspector::demangle(linkage_name);
  return place->second;
}

std::string_view SymbolizeText::path(const SourceFile* file) const {
  if (!file) return {};
  const std::string_view path = file->path;
  if (form_.paths == PathKind::Relative) return path.substr(file->relative);
  if (form_.paths == PathKind::Absolute || path.substr(file->name).starts_with('/')) return path;
  const size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

void SymbolizeText::append_frame(const LookedUpFrame& frame, std::string_view function, bool inlined,
                                 std::optional<uint64_t> start, std::string_view symbol_file, std::string& to) {
  const std::string_view file = frame.file ? path(frame.file) : symbol_file;
  if (form_.style == SymbolizeStyle::Json) {
    if (to.back() != '[') to += ',';
    to += "{\"Column\":";
    append_decimal(to, frame.column);
    to += ",\"Discriminator\":";
    append_decimal(to, frame.discriminator);
    to += ",\"FileName\":";
    append_json_text(to, file);
    to += ",\"FunctionName\":";
    append_json_text(to, function);
    to += ",\"Line\":";
    append_decimal(to, frame.line);
    to += ",\"StartAddress\":\"";
    if (start) append_hexadecimal(to, *start);
    to += "\",\"StartFileName\":";
    append_json_text(to, path(frame.declared_in));
    to += ",\"StartLine\":";
    append_decimal(to, frame.declared_at);
    to += '}';
    return;
  }
  if (form_.functions != FunctionNameKind::None) {
    if (form_.pretty && inlined) to += " (inlined by) ";
    to += form_.function_start;
    to += or_unknown(function);
    to += form_.paint_end;
    to += form_.pretty ? std::string_view(" at ") : std::string_view("\n");
  }
  if (form_.verbose) {
    to += "  Filename: ";
    to += or_unknown(file);
    to += '\n';
    if (frame.declared_at != 0) {
      to += "  Function start filename: ";
      to += path(frame.declared_in);
      to += "\n  Function start line: ";
      append_decimal(to, frame.declared_at);
      to += '\n';
    }
    if (start) {
      to += "  Function start address: ";
      append_hexadecimal(to, *start);
      to += '\n';
    }
    to += "  Line: ";
    append_decimal(to, frame.line);
    to += "\n  Column: ";
    append_decimal(to, frame.column);
    to += '\n';
    if (frame.discriminator != 0) {
      to += "  Discriminator: ";
      append_decimal(to, frame.discriminator);
      to += '\n';
    }
    return;
  }
  to += form_.place_start;
  to += or_unknown(file);
  to += ':';
  append_decimal(to, frame.line);
  if (form_.style == SymbolizeStyle::Llvm) {
    to += ':';
    append_decimal(to, frame.column);
  } else if (frame.discriminator != 0) {
    to += " (discriminator ";
    append_decimal(to, frame.discriminator);
    to += ')';
  }
  to += form_.paint_end;
  to += '\n';
}

void SymbolizeText::code(inspector::index::FileSymbols* file, std::string_view name, uint64_t address, uint64_t shown,
                         std::string& to) {
  const auto& frames = file->locate(address, form_.verbose || form_.style == SymbolizeStyle::Json);
  if (form_.style == SymbolizeStyle::Json) {
    to += "{\"Address\":\"";
    append_hexadecimal(to, shown);
    to += "\",\"ModuleName\":";
    append_json_text(to, name);
    to += ",\"Symbol\":[";
  } else if (form_.addresses) {
    append_hexadecimal(to, shown);
    to += form_.pretty ? ": " : "\n";
  }
  const Symbol* symbol = form_.functions == FunctionNameKind::Linkage ? file->symbol_at(address) : nullptr;
  static constexpr LookedUpFrame kUnknown;
  const size_t count = form_.inlines && !frames.empty() ? frames.size() : 1;
  for (size_t index = 0; index < count; ++index) {
    const LookedUpFrame& frame = frames.empty() ? kUnknown : frames[index];
    std::string_view function;
    if (form_.functions == FunctionNameKind::Linkage) function = name_of(frame.function);
    if (form_.functions == FunctionNameKind::Short) function = name_of(frame.short_name);
    std::optional<uint64_t> start = frame.start;
    std::string_view symbol_file;
    if (symbol && index + 1 == count) {  // the symbol table knows best what the function is called
      function = name_of(symbol->name);
      start = symbol->address;
      const bool use_file = form_.inlines ? frames.empty() : !frame.file;
      if (use_file && !symbol->file.empty()) symbol_file = symbol->file;
    }
    append_frame(frame, function, index > 0, start, symbol_file, to);
  }
  if (form_.style == SymbolizeStyle::Json)
    to += "]}\n";
  else if (form_.style == SymbolizeStyle::Llvm)
    to += '\n';
}

void SymbolizeText::data(inspector::index::FileSymbols* file, std::string_view name, uint64_t address, uint64_t shown,
                         std::string& to) {
  const Symbol* symbol = file->symbol_at(address);
  if (form_.style == SymbolizeStyle::Json) {
    to += "{\"Address\":\"";
    append_hexadecimal(to, shown);
    to += "\",\"Data\":{\"Name\":";
    append_json_text(to, symbol ? name_of(symbol->name) : std::string_view());
    to += ",\"Size\":\"";
    append_hexadecimal(to, symbol ? symbol->size : 0);
    to += "\",\"Start\":\"";
    append_hexadecimal(to, symbol ? symbol->address : 0);
    to += "\"},\"ModuleName\":";
    append_json_text(to, name);
    to += "}\n";
    return;
  }
  if (form_.addresses) {
    append_hexadecimal(to, shown);
    to += form_.pretty ? ": " : "\n";
  }
  to += symbol ? name_of(symbol->name) : std::string_view("??");
  to += '\n';
  append_decimal(to, symbol ? symbol->address : 0);
  to += ' ';
  append_decimal(to, symbol ? symbol->size : 0);
  to += "\n??:?\n";
  if (form_.style == SymbolizeStyle::Llvm) to += '\n';
}

void SymbolizeText::unknown(std::string_view name, std::string_view asked, std::string_view error, std::string& to) {
  if (form_.style == SymbolizeStyle::Json) {
    to += "{\"Address\":";
    append_json_text(to, asked);
    if (!error.empty()) {
      to += ",\"Error\":{\"Message\":";
      append_json_text(to, error);
      to += '}';
    }
    to += ",\"ModuleName\":";
    append_json_text(to, name);
    to += "}\n";
    return;
  }
  append_frame({}, {}, false, std::nullopt, {}, to);
  if (form_.style == SymbolizeStyle::Llvm) to += '\n';
}

}  // namespace mortem::tools
