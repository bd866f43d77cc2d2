#include "tools/verbs/symbolize_text.h"

#include <charconv>

#include "inspector/symbols/demangle.h"

namespace mortem::tools {
namespace {

using inspector::Symbol;
using inspector::index::FileSymbols;
using inspector::index::LocalVariable;
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

constexpr LookedUpFrame kUnknown;

// Members of an answer stand in the order of their names: what an answer has of its own comes between these two.
void start_json(const SymbolizeRequest& request, std::string& to) {
  to += '{';
  if (!request.address) return;
  to += "\"Address\":\"";
  append_hexadecimal(to, *request.address);
  to += "\",";
}

void end_json(const SymbolizeRequest& request, std::string& to) {
  to += "\"ModuleName\":";
  append_json_text(to, request.module);
  if (request.symbol.empty()) return;
  to += ",\"SymName\":";
  append_json_text(to, request.symbol);
}

std::string_view path_of(const LocalVariable& one) {
  return one.declaration.file ? std::string_view(one.declaration.file->path) : std::string_view();
}

void append_json_local(const LocalVariable& one, std::string& to) {
  if (to.back() != '[') to += ',';
  to += "{\"DeclFile\":";
  append_json_text(to, path_of(one));
  to += ",\"DeclLine\":";
  append_decimal(to, one.declaration.line);
  if (one.frame_offset) {
    to += ",\"FrameOffset\":";
    to += std::to_string(*one.frame_offset);
  }
  to += ",\"FunctionName\":";
  append_json_text(to, one.function);
  to += ",\"Name\":";
  append_json_text(to, one.name);
  to += ",\"Size\":\"";
  if (one.size) append_hexadecimal(to, *one.size);
  to += "\",\"TagOffset\":\"";
  if (one.tag_offset) append_hexadecimal(to, *one.tag_offset);
  to += "\"}";
}

// Four lines: function, variable, where it is declared; its place in the frame, its size, its tag's place.
void append_local(const LocalVariable& one, std::string& to) {
  const auto text_or_unknown = [&](std::string_view text) { to += text.empty() ? std::string_view("??") : text; };
  const auto number_or_unknown = [&](const auto& number) { to += number ? std::to_string(*number) : "??"; };
  text_or_unknown(one.function);
  to += '\n';
  text_or_unknown(one.name);
  to += '\n';
  text_or_unknown(path_of(one));
  to += ':';
  append_decimal(to, one.declaration.line);
  to += '\n';
  number_or_unknown(one.frame_offset);
  to += ' ';
  number_or_unknown(one.size);
  to += ' ';
  number_or_unknown(one.tag_offset);
  to += '\n';
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

void SymbolizeText::append_json_frame(const ShownFrame& shown, bool with_source, std::string& to) {
  const LookedUpFrame& frame = *shown.frame;
  const std::string_view file = frame.file ? path(frame.file) : shown.symbol_file;
  if (to.back() != '[') to += ',';
  to += "{\"Column\":";
  append_decimal(to, frame.column);
  to += ",\"Discriminator\":";
  append_decimal(to, frame.discriminator);
  to += ",\"FileName\":";
  append_json_text(to, file);
  to += ",\"FunctionName\":";
  append_json_text(to, shown.function);
  to += ",\"Line\":";
  append_decimal(to, frame.line);
  if (form_.source_lines > 0 && frame.file && with_source) {
    const std::string text = source_around(shown);
    if (!text.empty()) {
      to += ",\"Source\":";
      append_json_text(to, text);
    }
  }
  to += ",\"StartAddress\":\"";
  if (shown.start) append_hexadecimal(to, *shown.start);
  to += "\",\"StartFileName\":";
  append_json_text(to, path(frame.declared_in));
  to += ",\"StartLine\":";
  append_decimal(to, frame.declared_at);
  to += '}';
}

void SymbolizeText::append_frame(const ShownFrame& shown, bool inlined, std::string& to) {
  const LookedUpFrame& frame = *shown.frame;
  const std::string_view file = frame.file ? path(frame.file) : shown.symbol_file;
  if (form_.functions != FunctionNameKind::None) {
    if (form_.pretty && inlined) to += " (inlined by) ";
    to += form_.function_start;
    to += or_unknown(shown.function);
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
    if (shown.start && form_.style == SymbolizeStyle::Llvm) {
      to += "  Function start address: ";
      append_hexadecimal(to, *shown.start);
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
  if (form_.source_lines > 0 && frame.file) to += source_around(shown);
}

void SymbolizeText::append_address(const SymbolizeRequest& request, std::string& to) const {
  if (!form_.addresses || !request.address) return;
  append_hexadecimal(to, *request.address);
  to += form_.pretty ? ": " : "\n";
}

std::string SymbolizeText::source_around(const ShownFrame& shown) {
  const std::string& path = shown.frame->file->path;
  return source_.around(path, shown.frame->line, looked_up_in_ ? looked_up_in_->embedded_source(path) : std::nullopt);
}

void SymbolizeText::look_up(FileSymbols& file, uint64_t address, Inlined inlined) {
  looked_up_in_ = &file;
  const auto& frames = file.locate(address, form_.verbose || form_.style == SymbolizeStyle::Json);
  const Symbol* symbol = form_.functions == FunctionNameKind::Linkage ? file.symbol_at(address) : nullptr;
  const size_t all = frames.empty() ? 1 : frames.size(), count = inlined == Inlined::All ? all : 1;
  shown_.clear();
  for (size_t index = 0; index < count; ++index) {
    const LookedUpFrame& frame = frames.empty() ? kUnknown : frames[index];
    ShownFrame shown{&frame, {}, {}, frame.start};
    if (form_.functions == FunctionNameKind::Linkage) shown.function = name_of(frame.function);
    if (form_.functions == FunctionNameKind::Short) shown.function = name_of(frame.short_name);
    // The symbol table knows best what the function is called.
    if (symbol && (inlined == Inlined::None || index + 1 == all)) {
      shown.function = name_of(symbol->name);
      shown.start = symbol->address;
      const bool use_file = inlined == Inlined::None ? !frame.file : frames.empty();
      if (use_file && !symbol->file.empty()) shown.symbol_file = symbol->file;
    }
    shown_.push_back(shown);
  }
}

void SymbolizeText::code(FileSymbols* file, const SymbolizeRequest& request, uint64_t address, std::string& to) {
  shown_.clear();
  if (file)
    look_up(*file, address,
            form_.inlines                        ? Inlined::All
            : form_.style == SymbolizeStyle::Gnu ? Inlined::Innermost
                                                 : Inlined::None);
  if (is_json()) {
    start_json(request, to);
    end_json(request, to);
    to += ",\"Symbol\":[";
  } else {
    append_address(request, to);
    if (shown_.empty()) shown_.push_back({&kUnknown, {}, {}, std::nullopt});
  }
  for (const ShownFrame& one : shown_)
    is_json() ? append_json_frame(one, true, to) : append_frame(one, &one != shown_.data(), to);
  if (is_json())
    to += "]}\n";
  else if (form_.style == SymbolizeStyle::Llvm)
    to += '\n';
}

void SymbolizeText::named(FileSymbols* file, const SymbolizeRequest& request, uint64_t offset, std::string& to) {
  if (is_json()) {
    start_json(request, to);
    to += "\"Loc\":[";
  }
  bool any = false;
  for (const Symbol& symbol : file ? file->symbols_named(request.symbol) : std::vector<Symbol>()) {
    look_up(*file, symbol.address + (offset < symbol.size ? offset : 0), Inlined::None);
    if (!shown_.front().frame->file && !shown_.front().symbol_file.data()) continue;  // no place
    is_json() ? append_json_frame(shown_.front(), false, to) : append_frame(shown_.front(), false, to);
    any = true;
  }
  if (is_json()) {
    to += "],";
    end_json(request, to);
    to += "}\n";
    return;
  }
  if (!any) append_frame({&kUnknown, {}, {}, std::nullopt}, false, to);
  if (form_.style == SymbolizeStyle::Llvm) to += '\n';
}

void SymbolizeText::data(FileSymbols* file, const SymbolizeRequest& request, uint64_t address, std::string& to) {
  const Symbol* symbol = file ? file->symbol_at(address) : nullptr;
  if (is_json()) {
    start_json(request, to);
    to += "\"Data\":{\"Name\":";
    append_json_text(to, symbol ? name_of(symbol->name) : std::string_view());
    to += ",\"Size\":\"";
    append_hexadecimal(to, symbol ? symbol->size : 0);
    to += "\",\"Start\":\"";
    append_hexadecimal(to, symbol ? symbol->address : 0);
    to += "\"},";
    end_json(request, to);
    to += "}\n";
    return;
  }
  append_address(request, to);
  to += symbol ? name_of(symbol->name) : std::string_view("??");
  to += '\n';
  append_decimal(to, symbol ? symbol->address : 0);
  to += ' ';
  append_decimal(to, symbol ? symbol->size : 0);
  to += '\n';
  std::string_view where = symbol ? symbol->file : std::string_view();
  inspector::index::Declaration declared;
  if (file) declared = file->declaration_at(address);
  if (declared.line != 0) where = declared.file ? std::string_view(declared.file->path) : std::string_view();
  if (where.empty()) {
    to += "??:?";
  } else {
    to += where;
    to += ':';
    append_decimal(to, declared.line);
  }
  to += form_.style == SymbolizeStyle::Llvm ? "\n\n" : "\n";
}

void SymbolizeText::frame(FileSymbols* file, const SymbolizeRequest& request, uint64_t address, std::string& to) {
  const auto locals = file ? file->locals_at(address) : std::vector<LocalVariable>();
  if (is_json()) {
    start_json(request, to);
    to += "\"Frame\":[";
    for (const LocalVariable& one : locals) append_json_local(one, to);
    to += "],";
    end_json(request, to);
    to += "}\n";
    return;
  }
  append_address(request, to);
  if (locals.empty()) to += "??\n";
  for (const LocalVariable& one : locals) append_local(one, to);
  if (form_.style == SymbolizeStyle::Llvm) to += '\n';
}

void SymbolizeText::invalid(std::string_view module, std::string& to) {
  const ShownFrame unknown{&kUnknown, {}, {}, std::nullopt};
  if (is_json()) {
    start_json({module}, to);
    end_json({module}, to);
    to += ",\"Symbol\":[";
    append_json_frame(unknown, false, to);
    to += "]}\n";
    return;
  }
  append_frame(unknown, false, to);
  if (form_.style == SymbolizeStyle::Llvm) to += '\n';
}

void SymbolizeText::error(const SymbolizeRequest& request, std::string_view message, std::string& to) {
  start_json(request, to);
  to += "\"Error\":{\"Message\":";
  append_json_text(to, message);
  to += "},";
  end_json(request, to);
  to += "}\n";
}

}  // namespace mortem::tools
