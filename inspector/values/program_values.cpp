#include "inspector/values/program_values.h"

#include <fmt/format.h>

#include <algorithm>

#include "inspector/values/variables.h"

namespace mortem::inspector {

using llvm::DWARFDie;
namespace dwarf = llvm::dwarf;

FrameValues::FrameValues(Program& program, FrameScope& scope, size_t inline_depth)
    : program_(program), scope_(scope), inline_depth_(inline_depth) {}

namespace {

// Go's compiler moves a variable whose address leaves the function to the heap, and describes a pointer to it: "&name".
bool is_moved(const DWARFDie& die) {
  return language_of(*die.getDwarfUnit()) == Language::Go && entry_name(die).starts_with("&");
}
std::string name_in_source(const DWARFDie& die) {
  return is_moved(die) ? entry_name(die).substr(1) : entry_name(die);
}
Value value_in_source(Program& program, const DWARFDie& die, FrameScope& scope) {
  Value value = program.value_of(die, *scope.module(), &scope);
  if (!is_moved(die)) return value;
  const auto object = program.reader.dereference(value);
  const Type* type = value.type && value.type->stripped().is_pointer() ? value.type->stripped().target() : nullptr;
  return object ? *object : Value::unknown(type, object.error());
}

}  // namespace

Result<std::vector<Variable>> FrameValues::variables() {
  const auto& functions = scope_.functions();
  if (inline_depth_ >= functions.size()) return failure(ErrorKind::Unavailable, scope_.why_no_functions());
  std::vector<Variable> all;
  const uint64_t address = scope_.lookup() - scope_.module()->load_bias();
  for (const VariableEntry& one : variables_of(functions[inline_depth_].get(), address)) {
    Variable variable;
    variable.name = name_in_source(one.entry);
    variable.value = value_in_source(program_, one.entry, scope_);
    variable.parameter = one.parameter;
    variable.shadowed = one.shadowed;
    variable.artificial = find_attribute(one.entry, dwarf::DW_AT_artificial).has_value();
    variable.line = static_cast<uint32_t>(dwarf::toUnsigned(find_attribute(one.entry, dwarf::DW_AT_decl_line), 0));
    all.push_back(std::move(variable));
  }
  return all;
}

std::optional<Value> FrameValues::find(const std::string& name) {
  const auto& functions = scope_.functions();
  if (inline_depth_ >= functions.size()) return std::nullopt;
  const uint64_t address = scope_.lookup() - scope_.module()->load_bias();
  for (const VariableEntry& one : variables_of(functions[inline_depth_].get(), address))
    if (!one.shadowed && name_in_source(one.entry) == name) return value_in_source(program_, one.entry, scope_);
  return std::nullopt;
}

Found<std::vector<uint8_t>> FrameValues::thread_register(size_t gdb_number) {
  return scope_.thread_register(gdb_number);
}

Language FrameValues::language() {
  return scope_.unit() ? language_of(*scope_.unit()) : Language::Other;
}

ProgramValues::ProgramValues(const Target& target, Symbolizer& symbolizer, StackReader& reader)
    : program_(std::make_unique<Program>(target, symbolizer, reader)) {}
ProgramValues::~ProgramValues() = default;

Result<const Stack*> ProgramValues::stack(uint32_t thread) {
  return program_->stack(thread);
}

Result<FrameValues> ProgramValues::frame(uint32_t thread, size_t index) {
  const Stack* stack = TRY(program_->stack(thread));
  if (index >= stack->frames.size())
    return failure(ErrorKind::NotFound, fmt::format("thread {} has frames 0 to {}, and no frame {}", thread,
                                                    stack->frames.size() - 1, index));
  FrameScope* scope = TRY(program_->scope(thread, stack->frames[index].physical));
  return FrameValues(*program_, *scope, stack->frames[index].inline_depth);
}

namespace {

// The namespaces and classes that a frame's function stands in, innermost first; "" last.
std::vector<std::string> scopes_of(FrameValues* frame) {
  std::vector<std::string> scopes;
  if (frame && !frame->scope().functions().empty()) {
    const auto& functions = frame->scope().functions();
    std::string name = qualified_name(functions[std::min(frame->inline_depth(), functions.size() - 1)].get());
    if (frame->language() == Language::Go) {  // "net/http.(*Server).Serve" stands in the package "net/http"
      const size_t slash = name.rfind('/'), start = slash == std::string::npos ? 0 : slash;
      if (const size_t dot = name.find('.', start); dot != std::string::npos) scopes.push_back(name.substr(0, dot + 1));
    }
    int depth = 0;  // of template arguments: "::" inside of them separates no scopes
    for (size_t at = name.size(); at > 1; --at) {
      if (name[at - 1] == '>') ++depth;
      if (name[at - 1] == '<') --depth;
      if (depth == 0 && name[at - 1] == ':' && name[at - 2] == ':') scopes.push_back(name.substr(0, at));
    }
  }
  scopes.push_back("");
  return scopes;
}

}  // namespace

std::optional<Value> ProgramValues::find_global(const std::string& name, FrameValues* frame) {
  FrameScope* scope = frame ? &frame->scope() : nullptr;
  for (const std::string& prefix : scopes_of(frame)) {
    const Program::Named found = program_->find_named(prefix + name, NameKind::Variable, scope);
    if (found.entry) return program_->value_of(found.entry, *found.module, scope);
  }
  // What the frame's file declares, and a module without debug information defines.
  if (!scope || !scope->unit()) return std::nullopt;
  scope->module()->read_names_of(*scope->unit());
  for (const std::string& prefix : scopes_of(frame)) {
    const Program::Named found = program_->find_named(prefix + name, NameKind::Declaration, scope);
    if (found.entry) return program_->value_of(found.entry, *found.module, scope);
  }
  return std::nullopt;
}

std::optional<Value> ProgramValues::find_function(const std::string& name, FrameValues* frame) {
  for (const std::string& prefix : scopes_of(frame)) {
    const Program::Named found =
        program_->find_named(prefix + name, NameKind::Function, frame ? &frame->scope() : nullptr);
    if (!found.entry) continue;
    uint64_t low = 0, high = 0, section = 0;
    if (!found.entry.getLowAndHighPC(low, high, section)) {
      auto ranges = found.entry.getAddressRanges();
      if (!ranges) {
        llvm::consumeError(ranges.takeError());
        continue;
      }
      if (ranges->empty()) continue;
      low = ranges->front().LowPC;
    }
    return Value::in_memory(program_->types.at(found.entry), low + found.module->load_bias());
  }
  return std::nullopt;
}

const Type* ProgramValues::find_type(const std::string& name, FrameValues* frame) {
  for (const std::string& prefix : scopes_of(frame)) {
    const Program::Named found = program_->find_named(prefix + name, NameKind::Type, frame ? &frame->scope() : nullptr);
    if (found.entry) return program_->types.at(found.entry);
  }
  return nullptr;
}

std::optional<ProgramValues::FoundEnumerator> ProgramValues::find_enumerator(const std::string& name,
                                                                             FrameValues* frame) {
  for (const std::string& prefix : scopes_of(frame)) {
    const Program::Named found =
        program_->find_named(prefix + name, NameKind::Enumerator, frame ? &frame->scope() : nullptr);
    const Type* type = found.entry ? program_->types.at(found.entry.getParent()) : nullptr;
    if (!type) continue;
    const std::string own = entry_name(found.entry);
    for (const Enumerator& one : type->complete().enumerators)
      if (one.name == own) return FoundEnumerator{type, one.value};
  }
  return std::nullopt;
}

const Type* ProgramValues::go_type(uint64_t descriptor) {
  for (DwarfModule* module : program_->modules(nullptr)) {
    const auto start = program_->symbolizer.find_symbol(module->module(), "runtime.types");
    if (!start) continue;
    DWARFDie die = module->go_type(descriptor - *start);
    if (!die) die = module->go_type(descriptor - module->load_bias());
    if (die) return program_->types.at(die);
  }
  return nullptr;
}

std::optional<uint64_t> ProgramValues::find_symbol(const std::string& name) {
  for (const CoreModule& module : program_->target.modules())
    if (const auto address = program_->symbolizer.find_symbol(module, name)) return address;
  return std::nullopt;
}

std::string ProgramValues::symbol_at(uint64_t address) {
  const CoreModule* module = program_->stacks.module_at(address);
  if (!module) return "";
  const uint64_t in_file = address - module->load_bias;
  if (DwarfModule* debug = program_->open(*module)) {
    const auto functions = debug->functions_at(in_file);
    if (!functions.empty()) {
      auto ranges = functions.back().getAddressRanges();
      if (!ranges)
        llvm::consumeError(ranges.takeError());
      else if (!ranges->empty()) {
        const std::string name = qualified_name(functions.back());
        const uint64_t offset = in_file - ranges->front().LowPC;
        return offset == 0 ? name : fmt::format("{}+{}", name, offset);
      }
    }
  }
  return "";
}

ValueReader& ProgramValues::reader() {
  return program_->reader;
}
const Type* ProgramValues::pointer_to(const Type* target) {
  return program_->types.pointer_to(target);
}
const Type* ProgramValues::array_of(const Type* element, uint64_t count, bool vector) {
  return program_->types.array_of(element, count, vector);
}
const Type* ProgramValues::base(const std::string& name, TypeKind kind, uint64_t size) {
  return program_->types.base(name, kind, size);
}
const Type* ProgramValues::made(Type type) {
  return program_->types.made(std::move(type));
}

}  // namespace mortem::inspector
