// One module's debug information as LLVM reads it: which entry describes a place in the code, and which entries have a
// name. Addresses are those of the ELF file. For this folder only: what it gives to others knows no LLVM.
#pragma once

#include <llvm/DebugInfo/DWARF/DWARFContext.h>
#include <llvm/DebugInfo/DWARF/DWARFDie.h>

#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "inspector/elf/elf_image.h"
#include "inspector/symbols/debug_file.h"
#include "inspector/symbols/index/unit_names.h"
#include "inspector/symbols/symbolizer.h"
#include "inspector/values/type.h"

namespace mortem::inspector {

// An entry, found again by its place: LLVM's own pointers to entries end when it frees a unit's entries.
struct EntryReference {
  llvm::DWARFUnit* unit = nullptr;
  uint64_t offset = 0;
  llvm::DWARFDie get() const { return unit ? unit->getDIEForOffset(offset) : llvm::DWARFDie(); }
  bool operator<(const EntryReference& other) const {
    return unit != other.unit ? unit < other.unit : offset < other.offset;
  }
};
inline EntryReference reference_to(const llvm::DWARFDie& die) {
  return {die.getDwarfUnit(), die.getOffset()};
}

// Declaration: of a variable that is defined elsewhere (`extern`).
enum class NameKind { Variable, Declaration, Type, Function, Enumerator };

struct NamedEntry {
  EntryReference entry;
  NameKind kind;
};

class DwarfModule {
 public:
  // Null: the module has no debug information here.
  static std::unique_ptr<DwarfModule> open(const snapshot::CoreModule& module, Symbolizer& symbolizer);

  const snapshot::CoreModule& module() const { return module_; }
  uint64_t load_bias() const { return module_.load_bias; }
  // The program's own file; null: only the debug file is here.
  const ElfImage* executable() const { return executable_.get(); }

  // Functions at an address: those inlined there, innermost first, the one that they are inlined into last.
  std::vector<llvm::DWARFDie> functions_at(uint64_t address);
  // All that is defined outside of functions under this qualified name (`a::b`). The first time this looks through the
  // names of all units; then only those are read that have the name.
  const std::vector<NamedEntry>& named(const std::string& name);
  // So that all that stands in this unit is found by `named`, what is only declared too.
  void read_names_of(llvm::DWARFUnit& unit);
  // Of a Go program: the type whose descriptor is this far behind runtime.types; empty: none.
  llvm::DWARFDie go_type(uint64_t offset);

 private:
  DwarfModule(const snapshot::CoreModule& module, DebugFile& file, Symbolizer& symbolizer)
      : module_(module), file_(file), symbolizer_(symbolizer) {}
  void read_names();
  bool read_units_with(const std::string& name);  // false: which those are cannot be told
  void read_names_below(const llvm::DWARFDie& die, const std::string& scope, int depth);
  void add_name(const llvm::DWARFDie& die, const std::string& scope, NameKind kind);

  const snapshot::CoreModule& module_;
  DebugFile& file_;
  Symbolizer& symbolizer_;
  std::shared_ptr<const ElfImage> executable_;
  std::shared_ptr<index::UnitNames> unit_names_;  // null: not asked for yet
  std::set<llvm::DWARFUnit*> units_read_;
  bool names_are_read_ = false;
  std::unordered_map<std::string, std::vector<NamedEntry>> names_;
  std::unordered_map<uint64_t, EntryReference> go_types_;
  std::map<uint64_t, std::vector<EntryReference>> functions_;  // by address asked for
};

// A qualified name as the source writes it, without its anonymous namespaces.
std::string name_in_source(std::string name);
// DW_AT_name, through DW_AT_specification and DW_AT_abstract_origin, of a type in its type unit; empty: none.
std::string entry_name(const llvm::DWARFDie& die);
std::string linkage_name(const llvm::DWARFDie& die);
// With the namespaces, classes and, in Rust, modules that it stands in.
std::string qualified_name(const llvm::DWARFDie& die);
Language language_of(llvm::DWARFUnit& unit);
// An attribute of the entry itself, or of what it specifies or was made of.
std::optional<llvm::DWARFFormValue> find_attribute(const llvm::DWARFDie& die, llvm::dwarf::Attribute attribute);
bool has_flag(const llvm::DWARFDie& die, llvm::dwarf::Attribute attribute);
bool is_inside_function(const llvm::DWARFDie& die);

}  // namespace mortem::inspector
