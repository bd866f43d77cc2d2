// The variables of a program, asked of a target: those of a frame, and those that stand outside of functions.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "inspector/analysis/stack.h"
#include "inspector/values/value.h"

namespace mortem::inspector {

struct Variable {
  std::string name;  // qualified, of a global
  Value value;
  bool parameter = false;
  bool artificial = false;  // the compiler's own (`this`)
  bool shadowed = false;    // an inner one of the same name hides it
  uint32_t line = 0;        // of its declaration; 0: unknown
};

class FrameScope;
class Program;

// One frame of a thread. Lives as long as the ProgramValues that made it.
class FrameValues {
 public:
  FrameValues(Program& program, FrameScope& scope, size_t inline_depth);
  // Parameters first, then locals from the outermost block inwards. The error says why nothing is known of the frame.
  Result<std::vector<Variable>> variables();
  // The innermost one of that name that the frame sees.
  std::optional<Value> find(const std::string& name);
  // By gdb's number (gdbstub/register_file.h), in its size there.
  Found<std::vector<uint8_t>> thread_register(size_t gdb_number);
  Language language();
  FrameScope& scope() { return scope_; }
  size_t inline_depth() const { return inline_depth_; }

 private:
  Program& program_;
  FrameScope& scope_;
  size_t inline_depth_;
};

class ProgramValues {
 public:
  ProgramValues(const Target& target, Symbolizer& symbolizer, StackReader& reader);
  ~ProgramValues();

  // A thread's stack with its registers; read once. The error is the target's.
  Result<const Stack*> stack(uint32_t thread);
  Result<FrameValues> frame(uint32_t thread, size_t index);

  // By a name as the source has it (`ns::counter`); `frame` (may be null): whose file and module come first.
  std::optional<Value> find_global(const std::string& name, FrameValues* frame);
  std::optional<Value> find_function(const std::string& name, FrameValues* frame);
  const Type* find_type(const std::string& name, FrameValues* frame);
  struct FoundEnumerator {
    const Type* type = nullptr;
    int64_t value = 0;
  };
  // By its own name: not one of an `enum class`.
  std::optional<FoundEnumerator> find_enumerator(const std::string& name, FrameValues* frame);
  // The type whose descriptor stands at `descriptor` in a Go program's memory; null: unknown.
  const Type* go_type(uint64_t descriptor);
  // A data symbol of a module without debug information for it: its address.
  std::optional<uint64_t> find_symbol(const std::string& name);
  // "main+12", from the symbol tables; empty: unknown.
  std::string symbol_at(uint64_t address);

  ValueReader& reader();
  // Types that the program does not describe.
  const Type* pointer_to(const Type* target);
  const Type* array_of(const Type* element, uint64_t count, bool vector = false);
  const Type* base(const std::string& name, TypeKind kind, uint64_t size);
  const Type* made(Type type);  // whole, its details filled in; one for each name

 private:
  std::unique_ptr<Program> program_;
};

}  // namespace mortem::inspector
