// Addresses in, functions and lines out; and where the ELF file of a module is found.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "snapshot/core_file.h"
#include "snapshot/result.h"

namespace mortem::inspector {

struct SourceLocation {
  std::string function;           // demangled; empty: unknown
  std::string file;               // empty: unknown
  uint32_t line = 0, column = 0;  // 0: unknown
  bool inlined = false;           // inlined into the next element
};

// A module's ELF file on this machine and the file with its debug information (often the same).
struct SymbolFiles {
  std::filesystem::path executable;  // empty: not found
  std::filesystem::path debug;       // empty: no debug information found
  std::filesystem::path alternate;   // what dwz moved common parts of `debug` to; empty: none
  std::filesystem::path package;     // .dwp: the entries of split DWARF; empty: none
};

struct SymbolOptions {
  std::vector<std::filesystem::path> extra_files;  // --symbols FILE: used where their build id is a module's
  std::vector<std::filesystem::path> debug_folders = {"/usr/lib/debug"};  // .build-id/xx/yyyy.debug below them
  std::filesystem::path store;                                            // ~/.cache/mortem
  std::filesystem::path package;  // of split DWARF, for the one file that is asked of; empty: FILE.dwp where it is
  std::vector<std::filesystem::path> module_folders;  // of clones and recordings: files in them by module_file_name()
  bool asks_servers = true;                           // of debuginfod, if the environment names some
  // --substitute FROM=TO: where sources and .dwo files of the machine that compiled are on this one.
  std::vector<std::pair<std::string, std::string>> substitutions;
  // An index was found broken, or of another version, and is gone: whoever can has it made anew. True: that has begun.
  std::function<bool(const std::string& executable, const std::string& debug)> make_index_anew;
  std::vector<std::filesystem::path> kernel_files;  // where this build's kernel may stand, for modules of kind Kernel
};

class DebugFile;
namespace index {
class IndexFile;
class UnitNames;
}  // namespace index

class Symbolizer {
 public:
  static std::unique_ptr<Symbolizer> create(SymbolOptions options);
  virtual ~Symbolizer() = default;
  // Found by build id only: a file of the same path with another build id is never used. A module without an id is
  // looked for at its path and marked as unverified in missing_symbols().
  virtual const SymbolFiles& files(const snapshot::CoreModule& module) = 0;
  // Innermost first, the enclosing function last; never empty (an unknown address gives one empty element).
  // `address`: in the ELF file (runtime address - load bias). For a caller's frame give the return address - 1.
  virtual const std::vector<SourceLocation>& locate(const snapshot::CoreModule& module, uint64_t address) = 0;
  // Tail calls that must have been made between the call that returns to `return_address` and the function that holds
  // `callee`: the addresses behind their jumps, innermost first (tail_calls.h). All at run time; `modules` are the
  // target's and outlive this.
  virtual const std::vector<uint64_t>& tail_calls(const std::vector<snapshot::CoreModule>& modules,
                                                  uint64_t return_address, uint64_t callee) = 0;
  // The module's debug information (debug_file.h), for variables and types; null: none. Lives as long as this.
  virtual DebugFile* debug_file(const snapshot::CoreModule& module) = 0;
  // Which of its units define a name; null: none has debug information, or it cannot be told.
  virtual std::shared_ptr<index::UnitNames> unit_names(const snapshot::CoreModule& module) = 0;
  // The module's index; null: there is none.
  virtual std::shared_ptr<index::IndexFile> index_file(const snapshot::CoreModule& module) = 0;
  // The text of a file that locate() names, where the debug information itself holds it. Lives as long as this.
  virtual std::optional<std::string_view> embedded_source(const snapshot::CoreModule& module,
                                                          const std::string& file) = 0;
  // The call that returns to `return_address` called the function that holds `callee` itself, and that function was not
  // entered again by a tail call since: what the caller gave it is its value at entry. False: it cannot be told.
  virtual bool entered_by_call(const std::vector<snapshot::CoreModule>& modules, uint64_t return_address,
                               uint64_t callee) = 0;
  // One sentence a module whose symbols were not found: what and where was looked for.
  virtual std::vector<std::string> missing_symbols() const = 0;
  // The ELF image of a module that has no file, as it was read from the target's memory (the vDSO).
  virtual void add_image(const snapshot::CoreModule& module, std::vector<uint8_t> image) = 0;
  // Run-time address of a data or function symbol of the module, by its linkage name.
  virtual std::optional<uint64_t> find_symbol(const snapshot::CoreModule& module, const std::string& name) = 0;
  // The same, of those that other modules can refer to.
  virtual std::optional<uint64_t> find_export(const snapshot::CoreModule& module, const std::string& name) = 0;
};

}  // namespace mortem::inspector
