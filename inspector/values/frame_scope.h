// A physical frame as location expressions see it: registers, frame base, the values at its entry. For this folder.
#pragma once

#include <map>
#include <memory>

#include "inspector/values/dwarf_module.h"
#include "inspector/values/dwarf_types.h"
#include "inspector/values/program_values.h"

namespace mortem::inspector {

class Program {
 public:
  Program(const Target& target, Symbolizer& symbolizer, StackReader& reader);

  DwarfModule* module_at(uint64_t address);     // null: in no module, or one without debug information
  DwarfModule* open(const CoreModule& module);  // null: no debug information
  llvm::DWARFDie find_definition(const llvm::DWARFDie& declaration);
  Result<const Stack*> stack(uint32_t thread);
  Result<FrameScope*> scope(uint32_t thread, size_t physical);
  // All modules, that of the frame (may be null) first.
  std::vector<DwarfModule*> modules(FrameScope* frame);
  // The entry of that name that is seen from a frame's unit, else any; empty: none.
  struct Named {
    llvm::DWARFDie entry;
    DwarfModule* module = nullptr;
  };
  Named find_named(const std::string& name, NameKind kind, FrameScope* frame);
  // `frame`: null for what stands outside of functions and of threads.
  Value value_of(const llvm::DWARFDie& variable, DwarfModule& module, FrameScope* frame);

  const Target& target;
  Symbolizer& symbolizer;
  StackReader& stacks;
  ValueReader reader;
  DwarfTypes types;
  int entry_value_depth = 0;  // values at entry that rest on the caller's values at entry, and so on

 private:
  struct ThreadFrames {
    Stack stack;
    std::vector<size_t> first_frames;                      // by physical frame
    std::map<size_t, std::unique_ptr<FrameScope>> scopes;  // by physical frame
  };
  Result<ThreadFrames*> thread_frames(uint32_t thread);
  std::optional<uint64_t> linked_symbol(const llvm::DWARFDie& variable, const DwarfModule& own);

  std::map<const CoreModule*, std::unique_ptr<DwarfModule>> modules_;
  std::map<uint32_t, std::unique_ptr<ThreadFrames>> threads_;
};

class FrameScope {
 public:
  FrameScope(Program& program, const Stack& stack, size_t physical, size_t first_frame);

  Program& program() { return program_; }
  DwarfModule* module() { return module_; }
  const Frame& frame() const { return frame_; }
  uint64_t lookup() const { return lookup_; }  // the address that stands for where the frame is, at run time
  const Stack& stack() const { return stack_; }
  uint32_t thread() const { return stack_.thread; }
  // Innermost first; empty: no debug information.
  const std::vector<EntryReference>& functions();
  std::string why_no_functions();
  llvm::DWARFUnit* unit();  // null: none

  Found<std::vector<uint8_t>> register_bytes(uint64_t number);  // by DWARF's number (psABI, figure 3.36)
  Found<std::vector<uint8_t>> thread_register(size_t gdb_number);
  Found<uint64_t> frame_base();
  Found<uint64_t> cfa();
  Found<uint64_t> entry_value(std::span<const uint8_t> expression);
  Found<uint64_t> parameter_at_entry(uint64_t info_offset);
  FrameScope* caller();  // null: none

 private:
  // The call site in the caller, after it was made sure that this call led here; empty: `why` says why not.
  llvm::DWARFDie call_site(std::string& why);
  Found<uint64_t> call_value(const llvm::DWARFDie& parameter);
  bool stack_pointer_is_moved();

  Program& program_;
  const Stack& stack_;
  size_t physical_;
  Frame frame_;
  DwarfModule* module_;
  uint64_t lookup_;
  bool interrupted_ = false;   // not by a call: all registers are as they were
  std::optional<bool> moved_;  // the stack pointer, by pushes
  std::optional<std::vector<EntryReference>> functions_;
};

// The address of a thread-local variable: `offset` as its module has it.
Found<uint64_t> thread_local_address(const Target& target, MemoryCache& memory, DwarfModule& module, uint64_t fs_base,
                                     uint64_t offset);

}  // namespace mortem::inspector
