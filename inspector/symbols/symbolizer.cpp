#include "inspector/symbols/symbolizer.h"

#include <llvm/DebugInfo/DWARF/DWARFContext.h>
#include <llvm/DebugInfo/Symbolize/SymbolizableObjectFile.h>
#include <llvm/DebugInfo/Symbolize/Symbolize.h>
#include <llvm/Object/ELFObjectFile.h>
#include <llvm/Support/MemoryBuffer.h>

#include <map>
#include <unordered_map>

#include "inspector/symbols/program_call_sites.h"
#include "inspector/symbols/symbol_files.h"
#include "inspector/symbols/tail_calls.h"

namespace mortem::inspector {
namespace {

using llvm::object::ObjectFile;
using llvm::object::SectionedAddress;

const std::string kInvalid = llvm::DILineInfo::BadString;

std::unique_ptr<ObjectFile> open_object(const ElfImage& image) {
  const llvm::StringRef bytes(reinterpret_cast<const char*>(image.bytes().data()), image.bytes().size());
  auto object = ObjectFile::createELFObjectFile(llvm::MemoryBufferRef(bytes, image.name()));
  if (object) return std::move(*object);
  llvm::consumeError(object.takeError());
  return nullptr;
}

// What LLVM finds odd about a file is no reason to write to the user's terminal.
void ignore_error(llvm::Error error) {
  llvm::consumeError(std::move(error));
}

// One module's files, opened in LLVM.
class ModuleSymbols {
 public:
  ModuleSymbols(const std::shared_ptr<const ElfImage>& executable, const std::shared_ptr<const ElfImage>& debug)
      : executable_(executable), debug_(debug) {
    // `strip` takes .symtab away from the program and leaves it in the debug file.
    const bool symbols_in_debug =
        debug && (!executable || (!executable->has_symbol_table() && debug->has_symbol_table()));
    if (const auto& image = symbols_in_debug ? debug : executable) symbols_object_ = open_object(*image);
    if (debug) debug_object_ = open_object(*debug);
    if (!symbols_object_) return;
    auto context = llvm::DWARFContext::create(debug_object_ ? *debug_object_ : *symbols_object_,
                                              llvm::DWARFContext::ProcessDebugRelocations::Ignore, nullptr, "",
                                              ignore_error, ignore_error);
    debug_context_ = context.get();
    auto symbolizable =
        llvm::symbolize::SymbolizableObjectFile::create(symbols_object_.get(), std::move(context), false);
    if (symbolizable)
      symbolizable_ = std::move(*symbolizable);
    else
      llvm::consumeError(symbolizable.takeError());
    if (symbolizable_ && debug_object_) call_sites_ = read_call_sites(*debug_context_, *symbols_object_);
  }

  llvm::DWARFContext* debug_information() const { return debug_object_ ? debug_context_ : nullptr; }
  CallSites* call_sites() const { return call_sites_.get(); }  // null: no debug information

  // A function that other modules can call by this name, by the dynamic symbol table.
  std::optional<uint64_t> exported(const std::string& name) {
    if (!exports_) {
      exports_.emplace();
      // Debug files keep no dynamic symbols.
      const auto object = executable_ ? open_object(*executable_) : nullptr;
      if (const auto* elf = llvm::dyn_cast_or_null<llvm::object::ELFObjectFileBase>(object.get()))
        for (const llvm::object::ELFSymbolRef symbol : elf->getDynamicSymbolIterators()) add_export(symbol);
    }
    const auto found = exports_->find(name);
    return found == exports_->end() ? std::nullopt : std::optional(found->second);
  }

  std::vector<SourceLocation> locate(uint64_t address) const {
    if (!symbolizable_) return {SourceLocation{}};
    const SectionedAddress place{address, SectionedAddress::UndefSection};
    const llvm::DILineInfoSpecifier wanted(llvm::DILineInfoSpecifier::FileLineInfoKind::AbsoluteFilePath,
                                           llvm::DILineInfoSpecifier::FunctionNameKind::LinkageName);
    // The name in the debug information first, as debuggers show it: the symbol table knows clones (`f.constprop.0`).
    auto chain = symbolizable_->symbolizeInlinedCode(place, wanted, false);
    const auto with_table = symbolizable_->symbolizeInlinedCode(place, wanted, true);
    const uint32_t known = chain.getNumberOfFrames();
    const bool has_file = known > 0 && chain.getFrame(0).FileName != kInvalid;
    if (known == 0 || chain.getFrame(known - 1).FunctionName == kInvalid) {
      chain = with_table;
    } else if (with_table.getNumberOfFrames() == known) {
      // What stands in an anonymous namespace has its bare name in the debug information, and its scope in the table.
      const std::string& table_name = with_table.getFrame(known - 1).FunctionName;
      std::string& name = chain.getMutableFrame(known - 1)->FunctionName;
      if (llvm::StringRef(table_name).starts_with("_Z") && !llvm::StringRef(name).starts_with("_Z"))
        name = table_name.substr(0, table_name.find('.'));
    }

    std::vector<SourceLocation> locations;
    for (uint32_t index = 0; index < chain.getNumberOfFrames(); ++index) {
      const llvm::DILineInfo& one = chain.getFrame(index);
      SourceLocation location;
      if (one.FunctionName != kInvalid)
        location.function = llvm::symbolize::LLVMSymbolizer::DemangleName(one.FunctionName, symbolizable_.get());
      // Without debug information LLVM gives the object's name out of the symbol table: that is no source file.
      if (one.FileName != kInvalid && has_file) location.file = one.FileName;
      location.line = one.Line;
      location.column = one.Column;
      location.inlined = index + 1 < chain.getNumberOfFrames();
      locations.push_back(std::move(location));
    }
    if (locations.empty()) locations.emplace_back();
    return locations;
  }

  std::optional<uint64_t> find_symbol(const std::string& name) const {
    const auto* object = llvm::dyn_cast_or_null<llvm::object::ELFObjectFileBase>(symbols_object_.get());
    if (!object) return std::nullopt;
    auto search = [&](auto&& symbols) -> std::optional<uint64_t> {
      for (const llvm::object::ELFSymbolRef& symbol : symbols) {
        auto symbol_name = symbol.getName();
        if (!symbol_name) {
          llvm::consumeError(symbol_name.takeError());
          continue;
        }
        if (*symbol_name != name) continue;
        auto section = symbol.getSection();
        if (!section) {
          llvm::consumeError(section.takeError());
          continue;
        }
        if (*section != object->section_end())
          return symbol.getValue() ? std::optional(*symbol.getValue()) : std::nullopt;
      }
      return std::nullopt;
    };
    if (auto value = search(object->symbols())) return value;
    return search(object->getDynamicSymbolIterators());
  }

 private:
  void add_export(const llvm::object::ELFSymbolRef& symbol) {
    auto name = symbol.getName();
    auto address = symbol.getAddress();
    auto section = symbol.getSection();
    if (name && address && section && *section != symbol.getObject()->section_end())
      exports_->try_emplace(name->str(), *address);
    if (!name) llvm::consumeError(name.takeError());
    if (!address) llvm::consumeError(address.takeError());
    if (!section) llvm::consumeError(section.takeError());
  }

  std::shared_ptr<const ElfImage> executable_, debug_;  // hold the bytes of the objects
  std::unique_ptr<ObjectFile> symbols_object_, debug_object_;
  std::unique_ptr<llvm::symbolize::SymbolizableObjectFile> symbolizable_;
  llvm::DWARFContext* debug_context_ = nullptr;                       // symbolizable_'s
  std::unique_ptr<CallSites> call_sites_;                             // null: no debug information
  std::optional<std::unordered_map<std::string, uint64_t>> exports_;  // nothing: not read yet
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
    if (!program_calls_)
      program_calls_.emplace(
          modules, [this](const snapshot::CoreModule& module) { return symbols(known(module)).call_sites(); },
          [this](const snapshot::CoreModule& module, const std::string& name) {
            return symbols(known(module)).exported(name);
          });
    auto [place, is_new] = tail_calls_.try_emplace({return_address, callee});
    if (is_new) place->second = infer_tail_calls(*program_calls_, return_address, callee);
    return place->second;
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

  llvm::DWARFContext* debug_information(const snapshot::CoreModule& module) override {
    return symbols(known(module)).debug_information();
  }

 private:
  struct Known {
    FoundFiles found;
    std::unique_ptr<ModuleSymbols> symbols;
    std::unordered_map<uint64_t, std::vector<SourceLocation>> locations;  // by address: nodes do not move
  };

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
