// What the debug information of a Go program says about its runtime: where its lists stand and how its structures are
// laid out, which differs from release to release.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "inspector/symbols/symbolizer.h"
#include "inspector/target/target.h"

namespace mortem::inspector {

class GoRuntime {
 public:
  // Of the Go program among the target's modules. An error says why there is none: no Go program, or no DWARF.
  static Result<GoRuntime> find(const Target& target, Symbolizer& symbolizer);

  const CoreModule& module() const { return *module_; }
  // Run-time address of a variable of the runtime; nothing: this release has none of that name.
  std::optional<uint64_t> variable(const std::string& name) const;
  // "g.sched.pc": distance of the field from the start of runtime.g. Atomic integers of newer releases are structures
  // of one value: their field's offset is the value's.
  std::optional<uint64_t> offset(const std::string& path) const;
  std::optional<uint64_t> size(const std::string& path) const;  // bytes of the field; 0 never

  // A word, or a smaller integer as large as the field is, of the structure at `address`.
  std::optional<uint64_t> field(const Target& target, uint64_t address, const std::string& path) const;

  struct Field {
    uint64_t offset = 0, size = 0;
  };

 private:
  const CoreModule* module_ = nullptr;
  std::map<std::string, uint64_t> variables_;  // in the ELF file
  std::map<std::string, Field> fields_;
};

}  // namespace mortem::inspector
