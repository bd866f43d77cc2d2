#include "inspector/analysis/go_runtime.h"

#include <fmt/format.h>
#include <llvm/BinaryFormat/Dwarf.h>
#include <llvm/DebugInfo/DWARF/DWARFContext.h>
#include <llvm/DebugInfo/DWARF/DWARFDie.h>
#include <llvm/DebugInfo/DWARF/DWARFUnit.h>

#include <algorithm>
#include <array>

#include "inspector/analysis/go_layouts.h"
#include "inspector/elf/elf_image.h"
#include "inspector/symbols/debug_file.h"
#include "inspector/symbols/go_release.h"

namespace mortem::inspector {
namespace {

using llvm::DWARFDie;
namespace dwarf = llvm::dwarf;

constexpr std::array<std::string_view, 6> kVariables = {"allgs",           "waitReasonStrings", "buildVersion",
                                                        "firstmoduledata", "boundsErrorFmts",   "boundsNegErrorFmts"};
constexpr std::array<std::string_view, 5> kStructures = {"g", "m", "_panic", "_type", "moduledata"};
constexpr unsigned kDeepestSchedule = 3;  // g.sched.pc

std::string name_of(const DWARFDie& die) {
  const char* name = dwarf::toString(die.find(dwarf::DW_AT_name), nullptr);
  return name ? name : "";
}

// Without typedefs: Go names its types so.
DWARFDie type_of(const DWARFDie& die) {
  DWARFDie type = die.getAttributeValueAsReferencedDie(dwarf::DW_AT_type);
  for (unsigned depth = 0; type && type.getTag() == dwarf::DW_TAG_typedef && depth < 16; ++depth)
    type = type.getAttributeValueAsReferencedDie(dwarf::DW_AT_type);
  return type;
}

void add_fields(const DWARFDie& structure, const std::string& prefix, uint64_t base, unsigned depth,
                std::map<std::string, GoRuntime::Field>& to) {
  for (const DWARFDie& member : structure.children()) {
    if (member.getTag() != dwarf::DW_TAG_member) continue;
    const uint64_t offset = base + dwarf::toUnsigned(member.find(dwarf::DW_AT_data_member_location), 0);
    DWARFDie type = type_of(member);
    const std::string path = prefix + "." + name_of(member);
    const auto size = type ? type.getTypeSize(8) : std::nullopt;
    if (!size || *size == 0) continue;
    to.try_emplace(path, GoRuntime::Field{offset, *size});
    if (type.getTag() != dwarf::DW_TAG_structure_type || depth >= kDeepestSchedule) continue;
    add_fields(type, path, offset, depth + 1, to);
    // runtime/internal/atomic.Uint32 and its like.
    if (const auto value = to.find(path + ".value"); value != to.end()) to[path] = value->second;
  }
}

// What was runtime._type before Go 1.21.
void add_abi_type(const DWARFDie& structure, std::map<std::string, GoRuntime::Field>& to) {
  add_fields(structure, "_type", 0, 1, to);
  for (const auto& [name, before] : {std::pair("Kind_", "kind"), {"Size_", "size"}, {"Str", "str"}, {"TFlag", "tflag"}})
    if (const auto field = to.find(std::string("_type.") + name); field != to.end())
      to.try_emplace(std::string("_type.") + before, field->second);
}

bool is_go(const ElfImage& image) {
  return image.section(".gopclntab") || image.section(".data.rel.ro.gopclntab") || !image.go_build_id().empty();
}

}  // namespace

Result<GoRuntime> GoRuntime::find(const Target& target, Symbolizer& symbolizer) {
  bool is_any = false;
  std::string version;  // of a program without debug information, unknown to go_layout()
  bool has_symbols = true;
  for (const CoreModule& module : target.modules()) {
    if (module.kind == format::ModuleKind::Kernel || module.kind == format::ModuleKind::Vdso) continue;
    const auto image = ElfImage::map_file(symbolizer.files(module).executable);
    if (!image || !is_go(**image)) continue;
    is_any = true;
    GoRuntime runtime;
    runtime.module_ = &module;
    DebugFile* file = symbolizer.debug_file(module);
    if (!file) {
      version = go_version(**image);
      for (const std::string_view name : kVariables)
        if (const auto address = symbolizer.find_symbol(module, "runtime." + std::string(name)))
          runtime.variables_[std::string(name)] = *address - module.load_bias;
      has_symbols = runtime.variables_.contains("allgs");
      runtime.fields_ = go_layout(version);
      if (has_symbols && !runtime.fields_.empty()) return runtime;
      continue;
    }
    for (const auto& unit : file->context().compile_units()) {
      if (name_of(unit->getUnitDIE()) != "runtime") continue;
      for (const DWARFDie& die : unit->getUnitDIE(false).children()) {
        const auto tag = die.getTag();
        if (tag != dwarf::DW_TAG_variable && tag != dwarf::DW_TAG_structure_type) continue;
        std::string name = name_of(die);
        if (tag == dwarf::DW_TAG_structure_type && name == "internal/abi.Type") add_abi_type(die, runtime.fields_);
        if (!name.starts_with("runtime.")) continue;
        name.erase(0, 8);
        if (tag == dwarf::DW_TAG_structure_type) {
          if (std::find(kStructures.begin(), kStructures.end(), name) != kStructures.end())
            add_fields(die, name, 0, 1, runtime.fields_);
          continue;
        }
        if (std::find(kVariables.begin(), kVariables.end(), name) == kVariables.end()) continue;
        const auto location = die.find(dwarf::DW_AT_location);
        const auto block = location ? location->getAsBlock() : std::nullopt;
        if (!block || block->size() != 9 || (*block)[0] != dwarf::DW_OP_addr) continue;
        uint64_t address = 0;
        std::copy_n(block->begin() + 1, 8, reinterpret_cast<uint8_t*>(&address));
        runtime.variables_[name] = address;
      }
    }
    if (runtime.variables_.contains("allgs") && runtime.fields_.contains("g.goid")) return runtime;
  }
  if (!is_any)
    return failure(ErrorKind::NotFound,
                   fmt::format("{}: holds no Go program whose file is here; --symbols names it", target.name()));
  if (!has_symbols)
    return failure(ErrorKind::NotFound,
                   fmt::format("{}: the Go program has neither debug information nor symbols to find goroutines by; "
                               "build it without -ldflags=-s",
                               target.name()));
  return failure(ErrorKind::NotFound,
                 fmt::format("{}: the Go program has no debug information to find goroutines by, and how {} lays them "
                             "out is not known here; build it without -ldflags=-w",
                             target.name(), version.empty() ? "its release" : version));
}

std::optional<uint64_t> GoRuntime::variable(const std::string& name) const {
  const auto found = variables_.find(name);
  return found == variables_.end() ? std::nullopt : std::optional(found->second + module_->load_bias);
}

std::optional<uint64_t> GoRuntime::offset(const std::string& path) const {
  const auto found = fields_.find(path);
  return found == fields_.end() ? std::nullopt : std::optional(found->second.offset);
}

std::optional<uint64_t> GoRuntime::size(const std::string& path) const {
  const auto found = fields_.find(path);
  return found == fields_.end() ? std::nullopt : std::optional(found->second.size);
}

std::optional<uint64_t> GoRuntime::field(const Target& target, uint64_t address, const std::string& path) const {
  const auto found = fields_.find(path);
  if (found == fields_.end()) return std::nullopt;
  uint64_t value = 0;
  const uint64_t size = std::min<uint64_t>(found->second.size, sizeof value);
  const auto got = target.read_memory(address + found->second.offset, {reinterpret_cast<uint8_t*>(&value), size});
  return got && *got == size ? std::optional(value) : std::nullopt;
}

}  // namespace mortem::inspector
