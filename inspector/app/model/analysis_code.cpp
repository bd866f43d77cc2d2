// Code as instructions with their lines, and the symbols of all modules.
#include <fmt/format.h>

#include <algorithm>

#include "inspector/analysis/disassembly.h"
#include "inspector/app/model/analysis.h"
#include "inspector/elf/elf_image.h"
#include "inspector/symbols/demangle.h"

namespace mortem::inspector::app {
namespace {

constexpr uint64_t kLargestFunction = 256 * 1024;                      // bytes that are shown as one block
constexpr uint64_t kPiece = 512;                                       // of code without symbols
constexpr uint8_t kObject = 1, kFunction = 2, kIndirectFunction = 10;  // STT_*

}  // namespace

// The function that a jump or call leads to.
const std::string& Analysis::function_at(const CoreModule& module, uint64_t address) {
  return symbolizer_->locate(module, address - module.load_bias).back().function;
}

Result<CodeBlock> Analysis::code(uint64_t address) {
  load_symbols();
  CodeBlock block;
  block.start = address;
  block.end = address + kPiece;
  const CoreModule* module = reader_.module_at(address);
  if (module) block.module = module->path;
  // The symbol that covers the address, and where the next one begins.
  const auto after = std::upper_bound(code_symbols_.begin(), code_symbols_.end(), address,
                                      [](uint64_t value, const CodeSymbol& one) { return value < one.address; });
  const bool is_bounded = after != code_symbols_.end();
  if (is_bounded && after->address < block.end) block.end = after->address;
  if (after != code_symbols_.begin()) {
    const CodeSymbol& before = *std::prev(after);
    const uint64_t end = before.size > 0 ? before.address + before.size : is_bounded ? after->address : 0;
    if (address < end && module && before.address >= module->start) {
      block.start = before.address;
      block.end = std::min(end, before.address + kLargestFunction);
      if (address >= block.end) block.start = address, block.end = std::min(end, address + kPiece);
    }
  }
  std::vector<uint8_t> bytes(block.end - block.start);
  const auto held = state_->target->read_memory(block.start, bytes);
  const size_t known = reader_.read_code(block.start, bytes);
  block.from_file = !held || *held < known;
  bytes.resize(known);
  if (bytes.empty())
    return failure(ErrorKind::Unavailable, fmt::format("{:#x}: no code is mapped there, or it is not held", address));
  block.end = block.start + bytes.size();
  if (module) block.function = function_at(*module, address);
  for (uint64_t at = block.start; at < block.end;) {
    auto instructions = disassemble(at, std::span(bytes).subspan(at - block.start), bytes.size());
    for (const Instruction& one : instructions) {
      CodeRow row;
      row.address = one.address;
      row.bytes.assign(one.bytes.begin(), one.bytes.end());
      row.text = one.text;
      row.target = one.target;
      if (one.target) row.target_name = program_.symbol_at(*one.target);
      at = one.address + one.bytes.size();
      block.rows.push_back(std::move(row));
    }
    if (at >= block.end) break;
    // No instruction: one byte as what it is, and on.
    CodeRow row;
    row.address = at;
    row.bytes = {bytes[at - block.start]};
    row.text = fmt::format("(no instruction: {:#04x})", row.bytes[0]);
    block.rows.push_back(std::move(row));
    ++at;
  }
  for (CodeRow& row : block.rows) {
    if (!module) break;
    const auto& places = symbolizer_->locate(*module, row.address - module->load_bias);
    row.file = places.front().file;
    row.line = places.front().line;
    if (places.size() > 1) row.inlined = places.front().function;
  }
  return block;
}

std::optional<uint64_t> Analysis::function_begin(uint64_t pc) {
  load_symbols();
  const auto after = std::upper_bound(code_symbols_.begin(), code_symbols_.end(), pc,
                                      [](uint64_t value, const CodeSymbol& one) { return value < one.address; });
  if (after == code_symbols_.begin()) return std::nullopt;
  const CodeSymbol& one = *std::prev(after);
  if (pc != one.address && pc - one.address >= one.size) return std::nullopt;
  return one.address;
}

void Analysis::load_symbols() {
  if (symbols_are_loaded_) return;
  symbols_are_loaded_ = true;
  for (const CoreModule& module : state_->target->modules()) {
    const SymbolFiles& files = symbolizer_->files(module);
    for (const auto& path : {files.executable, files.debug}) {
      if (path.empty()) continue;
      const auto image = ElfImage::map_file(path);
      if (!image) continue;
      const SymbolTable table(*image);
      for (const Symbol* one : table.by_address()) {
        if (!one->allocated || one->name.empty()) continue;
        const bool is_code = one->type == kFunction || one->type == kIndirectFunction || one->type == 0;
        if (one->type == kObject && one->size > 0)
          data_symbols_.push_back({one->address + module.load_bias, one->size, std::string(one->name)});
        if (is_code) code_symbols_.push_back({one->address + module.load_bias, one->size});
        if (one->type != kFunction && one->type != kObject && one->type != kIndirectFunction) continue;
        symbols_.push_back(
            {std::string(one->name), one->address + module.load_bias, one->size, one->type != kObject, module.path});
      }
      if (files.executable == files.debug) break;
    }
  }
  std::stable_sort(data_symbols_.begin(), data_symbols_.end(),
                   [](const DataSymbol& a, const DataSymbol& b) { return a.address < b.address; });
  std::sort(code_symbols_.begin(), code_symbols_.end(), [](const CodeSymbol& a, const CodeSymbol& b) {
    return a.address != b.address ? a.address < b.address : a.size > b.size;
  });
  code_symbols_.erase(std::unique(code_symbols_.begin(), code_symbols_.end(),
                                  [](const CodeSymbol& a, const CodeSymbol& b) { return a.address == b.address; }),
                      code_symbols_.end());
}

std::string Analysis::data_symbol_at(uint64_t address) {
  load_symbols();
  const auto after = std::upper_bound(data_symbols_.begin(), data_symbols_.end(), address,
                                      [](uint64_t value, const DataSymbol& one) { return value < one.address; });
  if (after == data_symbols_.begin()) return {};
  const DataSymbol& one = *std::prev(after);
  const uint64_t offset = address - one.address;
  if (offset >= one.size) return {};
  const std::string name = demangle(one.name);
  return offset == 0 ? name : fmt::format("{}+{}", name, offset);
}

// Without upper and lower case, anywhere in the name.
Result<SymbolList> Analysis::symbols(const std::string& filter, size_t limit) {
  load_symbols();
  if (!symbols_are_sorted_) {
    symbols_are_sorted_ = true;
    for (SymbolFacts& one : symbols_) one.name = demangle(one.name);
    std::sort(symbols_.begin(), symbols_.end(), [](const SymbolFacts& a, const SymbolFacts& b) {
      return a.name != b.name ? a.name < b.name : a.address < b.address;
    });
    symbols_.erase(std::unique(symbols_.begin(), symbols_.end(),
                               [](const SymbolFacts& a, const SymbolFacts& b) {
                                 return a.name == b.name && a.address == b.address;
                               }),
                   symbols_.end());
  }
  SymbolList list;
  const auto same = [](char a, char b) {
    return std::tolower(static_cast<unsigned char>(a)) == std::tolower(static_cast<unsigned char>(b));
  };
  for (const SymbolFacts& one : symbols_) {
    if (std::search(one.name.begin(), one.name.end(), filter.begin(), filter.end(), same) == one.name.end() &&
        !filter.empty())
      continue;
    if (list.symbols.size() < limit)
      list.symbols.push_back(one);
    else
      ++list.more;
  }
  return list;
}

}  // namespace mortem::inspector::app
