#include "inspector/symbols/symbolizer.h"

#include <map>
#include <unordered_map>

#include "inspector/symbols/module_symbols.h"
#include "inspector/symbols/program_call_sites.h"
#include "inspector/symbols/tail_calls.h"

namespace mortem::inspector {
namespace {

class FileSymbolizer final : public Symbolizer {
 public:
  explicit FileSymbolizer(SymbolOptions options)
      : rules_(options.substitutions), indexes_(options), finder_(std::move(options)) {}

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

  std::shared_ptr<index::UnitNames> unit_names(const snapshot::CoreModule& module) override {
    return symbols(known(module)).unit_names();
  }

  std::shared_ptr<index::IndexFile> index_file(const snapshot::CoreModule& module) override {
    return symbols(known(module)).index_file();
  }

  std::optional<std::string_view> embedded_source(const snapshot::CoreModule& module,
                                                  const std::string& file) override {
    return symbols(known(module)).embedded_source(file);
  }

  bool entered_by_call(const std::vector<snapshot::CoreModule>& modules, uint64_t return_address,
                       uint64_t callee) override {
    return inspector::entered_by_call(calls_of(modules), return_address, callee);
  }

  std::vector<std::string> missing_symbols() const override {
    std::vector<std::string> all;
    for (const auto& [key, one] : known_) {
      if (!one.found.missing.empty()) all.push_back(one.found.missing);
      if (one.symbols && !one.symbols->complaint().empty()) all.push_back(one.symbols->complaint());
      const auto parts = one.symbols ? one.symbols->missing_parts() : std::set<std::string>();
      if (!parts.empty())
        all.push_back(index::missing_parts_text(key.second, parts, "functions there are from the symbol table"));
    }
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
  std::optional<uint64_t> find_export(const snapshot::CoreModule& module, const std::string& name) override {
    const ModuleSymbols& all = symbols(known(module));
    const auto value = all.exported(name);
    // Of a thread-local variable it is no address, and find_symbol does not find it.
    if (!value || all.find_symbol(name) != value) return std::nullopt;
    return *value + module.load_bias;
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

  ModuleSymbols& symbols(Known& one) const {
    if (!one.symbols) one.symbols = std::make_unique<ModuleSymbols>(one.found, rules_, indexes_);
    return *one.symbols;
  }

  const PathRules rules_;
  const index::IndexStore indexes_;
  SymbolFileFinder finder_;
  std::map<std::pair<uint64_t, std::string>, Known> known_;
  std::optional<ProgramCallSites> program_calls_;                              // made when first asked for
  std::map<std::pair<uint64_t, uint64_t>, std::vector<uint64_t>> tail_calls_;  // by return address and callee
};

}  // namespace

std::unique_ptr<Symbolizer> Symbolizer::create(SymbolOptions options) {
  return std::make_unique<FileSymbolizer>(std::move(options));
}

}  // namespace mortem::inspector
