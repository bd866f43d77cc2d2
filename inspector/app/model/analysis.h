// What knows debug information: one thread's, of one stop of the target. Questions of the session end here. A crash of
// a library leaves it as it is, and another takes its place.
#pragma once

#include <memory>
#include <unordered_map>

#include "inspector/analysis/disassembly.h"
#include "inspector/app/model/open_state.h"
#include "inspector/symbols/source_text.h"
#include "inspector/symbols/symbol_table.h"
#include "inspector/values/describe.h"
#include "inspector/values/program_values.h"

namespace mortem::inspector::app {

class Analysis {
 public:
  // `before`: of the stop before, which is of no use afterwards: what is known of the modules' files is taken over when
  // they are the same. Null: there was none.
  Analysis(std::shared_ptr<const OpenState> state, const SymbolOptions& symbols,
           std::vector<std::filesystem::path> source_folders, Analysis* before = nullptr);
  const OpenState& state() const { return *state_; }

  Result<Summary> summary();
  Result<Stack> stack(uint32_t thread);
  Result<std::vector<ThreadGroup>> thread_groups();
  Result<ParallelFrame> parallel_stacks();
  Result<Goroutines> goroutines();
  Result<std::vector<ModuleFacts>> module_facts();
  Result<std::vector<std::string>> missing_symbols();
  Result<std::vector<VariableFacts>> variables(uint32_t thread, size_t frame);
  Result<std::vector<ValueFacts>> children(ValueHandle handle, uint64_t first, uint64_t count);
  Result<ValueFacts> watch(const std::string& expression, uint32_t thread, size_t frame);
  Result<CodeBlock> code(uint64_t address);
  Result<SourceFile> source(const std::string& file, uint64_t pc);
  Result<SymbolList> symbols(const std::string& filter, size_t limit);
  Result<TypeFacts> type(const std::string& name);
  Result<std::string> symbol_at(uint64_t address);
  // Of a name or number; of an expression in a frame, or with thread 0 in the first thread's innermost one.
  Result<uint64_t> address_of(const std::string& text, uint32_t thread = 0, size_t frame = 0);
  Result<std::vector<RegisterSet>> registers(uint32_t thread, size_t frame);
  // --- for control of a live guest
  // Where a step stands: the innermost function first, with those that it is inlined into.
  struct StepPlace {
    std::vector<SourceLocation> functions;
    std::string file;
    uint32_t line = 0;                                 // 0: unknown
    bool is_begin = false;                             // the line begins with this instruction
    bool is_statement = true;                          // a place to stop at
    bool is_inside_of(const StepPlace& caller) const;  // in a function that is inlined into the caller's
  };
  StepPlace step_place(uint64_t pc);
  std::optional<InstructionFacts> instruction_at(uint64_t pc);
  // Of a function's name (behind its prologue), of "file.c:12", of an address: where a breakpoint stands.
  Result<std::vector<uint64_t>> code_addresses(const std::string& where);
  uint64_t behind_prologue(uint64_t start);             // of a function
  std::optional<uint64_t> function_begin(uint64_t pc);  // by the symbol that covers it
  Result<bool> is_true(const std::string& condition, uint32_t thread);
  struct ValuePlace {
    uint64_t address = 0, size = 0;
  };
  Result<ValuePlace> place_of(const std::string& expression, uint32_t thread, size_t frame);
  // What the value of `text` is as the type of `expression`, and where that one stands.
  struct Assignment {
    ValuePlace place;
    std::vector<uint8_t> bytes;
  };
  Result<Assignment> assignment(const std::string& expression, const std::string& text, uint32_t thread, size_t frame);
  Result<Assignment> assignment(ValueHandle to, const std::string& name, const std::string& text, uint32_t thread,
                                size_t frame);
  Result<uint64_t> number(const std::string& expression, uint32_t thread, size_t frame);

  MemoryPage memory(uint64_t address);  // what the target does not hold from the modules' files

 private:
  bool begins_with_frame(uint64_t start);
  static Result<ValuePlace> place_of(const Value& value, const std::string& name);
  Result<std::vector<uint8_t>> bit_field_bytes(const Value& target, const std::string& name, uint64_t bits);
  Result<Assignment> assignment(const Value& target, const std::string& name, const std::string& text,
                                FrameValues* scope);
  std::vector<const Stack*> all_stacks();
  ValueFacts facts_of(const ValueNode& node, const std::string& name);
  ValueHandle keep(const Value& value);
  bool leads_somewhere(const Value& value);
  const std::string& function_at(const CoreModule& module, uint64_t address);
  void load_symbols();
  std::string data_symbol_at(uint64_t address);  // "table+16"; empty: none

  void take_symbols_from(Analysis& before);

  std::shared_ptr<const OpenState> state_;
  std::shared_ptr<const OpenState> modules_of_;  // whose list of modules the symbolizer was made with
  std::unique_ptr<Symbolizer> symbolizer_;
  SourceText sources_;
  StackReader reader_;
  ProgramValues program_;
  std::unordered_map<ValueHandle, Value> values_;
  struct CodeSymbol {
    uint64_t address, size;
  };
  bool symbols_are_loaded_ = false, symbols_are_sorted_ = false;
  std::vector<CodeSymbol> code_symbols_;  // by address, one an address
  struct DataSymbol {
    uint64_t address, size;
    std::string name;  // as it is linked
  };
  std::vector<DataSymbol> data_symbols_;  // by address
  std::vector<SymbolFacts> symbols_;      // by name, once sorted
};

}  // namespace mortem::inspector::app
