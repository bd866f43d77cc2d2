#include "inspector/symbols/symbolizer.h"

#include <llvm/DebugInfo/DWARF/DWARFContext.h>
#include <llvm/Demangle/Demangle.h>

#include <map>
#include <unordered_map>

#include "inspector/symbols/debug_file.h"
#include "inspector/symbols/program_call_sites.h"
#include "inspector/symbols/symbol_files.h"
#include "inspector/symbols/symbol_table.h"
#include "inspector/symbols/tail_calls.h"

namespace mortem::inspector {
namespace {

const std::string kInvalid = llvm::DILineInfo::BadString;

std::string demangled(const std::string& name) {
  std::string result;
  return llvm::nonMicrosoftDemangle(name, result) ? result : name;
}

// One module's files, opened.
class ModuleSymbols {
 public:
  ModuleSymbols(const std::shared_ptr<const ElfImage>& executable, const std::shared_ptr<const ElfImage>& debug) {
    if (executable) executable_.emplace(executable);
    // `strip` takes .symtab away from the program and leaves it in the debug file.
    if (debug && debug != executable && (!executable || (!executable->has_symbol_table() && debug->has_symbol_table())))
      debug_table_.emplace(debug);
    if (!debug) return;
    if (auto file = DebugFile::open(debug)) debug_file_ = std::move(*file);
    if (debug_file_) call_sites_ = read_call_sites(debug_file_->places(), table());
  }

  DebugFile* debug_file() const { return debug_file_.get(); }  // null: no debug information
  CallSites* call_sites() const { return call_sites_.get(); }  // null: no debug information

  // A function that other modules can call by this name. Debug files keep no dynamic symbols.
  std::optional<uint64_t> exported(const std::string& name) const {
    return executable_ ? executable_->exported(name) : std::nullopt;
  }
  std::optional<uint64_t> find_symbol(const std::string& name) const {
    if (const auto address = table().address_of(name)) return address;
    return executable_ ? executable_->address_of(name) : std::nullopt;
  }

  std::vector<SourceLocation> locate(uint64_t address) const {
    llvm::DIInliningInfo chain;
    if (debug_file_)
      chain = debug_file_->places().getInliningInfoForAddress(
          {address, llvm::object::SectionedAddress::UndefSection},
          {llvm::DILineInfoSpecifier::FileLineInfoKind::AbsoluteFilePath,
           llvm::DILineInfoSpecifier::FunctionNameKind::LinkageName});
    if (chain.getNumberOfFrames() == 0) chain.addFrame({});
    const uint32_t count = chain.getNumberOfFrames();
    // The name in the debug information first, as debuggers show it: the symbol table knows clones (`f.constprop.0`).
    std::string& name = chain.getMutableFrame(count - 1)->FunctionName;
    if (const Symbol* symbol = table().covering(address)) {
      // What stands in an anonymous namespace has its bare name in the debug information, and its scope in the table.
      if (name == kInvalid)
        name = symbol->name;
      else if (symbol->name.starts_with("_Z") && !name.starts_with("_Z"))
        name = symbol->name.substr(0, symbol->name.find('.'));
    }

    std::vector<SourceLocation> locations;
    for (uint32_t index = 0; index < count; ++index) {
      const llvm::DILineInfo& one = chain.getFrame(index);
      SourceLocation& location = locations.emplace_back();
      if (one.FunctionName != kInvalid) location.function = demangled(one.FunctionName);
      if (one.FileName != kInvalid) location.file = one.FileName;
      location.line = one.Line;
      location.column = one.Column;
      location.inlined = index + 1 < count;
    }
    return locations;
  }

 private:
  const SymbolTable& table() const {
    static const SymbolTable none;
    return debug_table_ ? *debug_table_ : executable_ ? *executable_ : none;
  }

  std::optional<SymbolTable> executable_, debug_table_;  // debug_table_: where the executable was stripped of its own
  std::unique_ptr<DebugFile> debug_file_;
  std::unique_ptr<CallSites> call_sites_;
};

class LlvmSymbolizer final : public Symbolizer {
 public:
  explicit LlvmSymbolizer(SymbolOptions options) : finder_(std::move(options)) {}

  const SymbolFiles& files(const snapshot::CoreModule& module) override { return known(module).found.paths; }

  const std::vector<SourceLocation>& locate(const snapshot::CoreModule& module, uint64_t address) override {
    Known& one = known(module);
    auto [place, is_new] = one.locations.try_emplace(address);
    if (is_new) place->second = symbols(one).locate(address);
    return place->second;
  }

  const std::vector<uint64_t>& tail_calls(const std::vector<snapshot::CoreModule>& modules, uint64_t return_address,
                                          uint64_t callee) override {
    auto [place, is_new] = tail_calls_.try_emplace({return_address, callee});
    if (is_new) place->second = infer_tail_calls(calls_of(modules), return_address, callee);
    return place->second;
  }

  DebugFile* debug_file(const snapshot::CoreModule& module) override { return symbols(known(module)).debug_file(); }

  bool entered_by_call(const std::vector<snapshot::CoreModule>& modules, uint64_t return_address,
                       uint64_t callee) override {
    return inspector::entered_by_call(calls_of(modules), return_address, callee);
  }

  std::vector<std::string> missing_symbols() const override {
    std::vector<std::string> all;
    for (const auto& [key, one] : known_)
      if (!one.found.missing.empty()) all.push_back(one.found.missing);
    return all;
  }

  void add_image(const snapshot::CoreModule& module, std::vector<uint8_t> image) override {
    Known& one = known(module);
    if (one.found.executable) return;
    auto parsed = ElfImage::from_bytes(module.path, std::move(image));
    if (!parsed) return;
    one.found.executable = *parsed;
    if ((*parsed)->has_debug_information()) one.found.debug = *parsed;
    one.symbols.reset();
    one.locations.clear();
    program_calls_.reset();
    tail_calls_.clear();
  }

  std::optional<uint64_t> find_symbol(const snapshot::CoreModule& module, const std::string& name) override {
    auto value = symbols(known(module)).find_symbol(name);
    if (value) *value += module.load_bias;
    return value;
  }

 private:
  struct Known {
    FoundFiles found;
    std::unique_ptr<ModuleSymbols> symbols;
    std::unordered_map<uint64_t, std::vector<SourceLocation>> locations;  // by address: nodes do not move
  };

  ProgramCallSites& calls_of(const std::vector<snapshot::CoreModule>& modules) {
    if (!program_calls_)
      program_calls_.emplace(
          modules, [this](const snapshot::CoreModule& module) { return symbols(known(module)).call_sites(); },
          [this](const snapshot::CoreModule& module, const std::string& name) {
            return symbols(known(module)).exported(name);
          });
    return *program_calls_;
  }

  Known& known(const snapshot::CoreModule& module) {
    auto [place, is_new] = known_.try_emplace({module.start, module.path});
    if (is_new) place->second.found = finder_.find(module);
    return place->second;
  }

  static ModuleSymbols& symbols(Known& one) {
    if (!one.symbols) one.symbols = std::make_unique<ModuleSymbols>(one.found.executable, one.found.debug);
    return *one.symbols;
  }

  SymbolFileFinder finder_;
  std::map<std::pair<uint64_t, std::string>, Known> known_;
  std::optional<ProgramCallSites> program_calls_;                              // made when first asked for
  std::map<std::pair<uint64_t, uint64_t>, std::vector<uint64_t>> tail_calls_;  // by return address and callee
};

}  // namespace

std::unique_ptr<Symbolizer> Symbolizer::create(SymbolOptions options) {
  return std::make_unique<LlvmSymbolizer>(std::move(options));
}

}  // namespace mortem::inspector
