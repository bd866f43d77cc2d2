// Symbolized stacks of a target: what `bt` prints and the inspector draws.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "inspector/symbols/symbolizer.h"
#include "inspector/target/target.h"
#include "inspector/unwind/frame_registers.h"

namespace mortem::inspector {

// How a frame was found; frame 0 is from the registers. A tail call's frame is not on the stack: it is inferred from
// what the debug information says of calls (symbols/tail_calls.h).
enum class Trust { Registers, Cfi, FramePointer, Scan, TailCall };
const char* trust_name(Trust trust);  // "registers", "cfi", "frame pointer", "scan", "tail call"

struct Frame {
  uint64_t pc = 0;
  uint64_t cfa = 0;            // canonical frame address: the caller's stack pointer, 0: unknown
  std::string function;        // empty: unknown
  std::string file;            // empty: unknown
  uint32_t line = 0;           // 0: unknown
  uint32_t column = 0;         // 0: unknown
  bool inlined = false;        // this function was inlined into the next frame's
  bool kernel = false;         // code of our kernel
  bool signal_frame = false;   // signal trampoline or trap entry: the next frame was interrupted, it made no call
  std::string module;          // path; empty: in no module
  uint64_t module_offset = 0;  // address in the ELF file, when module is not empty
  Trust trust = Trust::Registers;
  uint32_t physical = 0;      // which frame of the stack it stands for: those inlined into one have the same number
  uint32_t inline_depth = 0;  // 0: the innermost function at this pc
};

// A run of frames that repeats: `period` frames from `first` on stand `count` times one after another.
struct Recursion {
  size_t first = 0, period = 0, count = 0;
};

struct Stack {
  uint32_t thread = 0;
  std::string thread_name;
  bool crashed = false;
  std::vector<Frame> frames;
  std::vector<Recursion> recursions;
  std::vector<FrameRegisters> registers;  // by Frame::physical, if asked for; of an inferred tail call none is known
  std::string end;  // why it ends where it ends: "thread start", "no unwind information for 0x…", "memory 0x… is not in
                    // the dump", "frame limit"
};

struct StackOptions {
  size_t frame_limit = 200000;  // physical frames
  bool inlined = true;
  bool tail_calls = true;
  bool registers = false;  // keep each frame's registers
};

// Where the registers to begin with stand: at the next instruction, or behind a call.
enum class FirstFrame { Interrupted, Calls };

class MemoryCache;
class ModuleFiles;
class ModuleImages;
struct UnwindRow;

// Reads the stacks of one target; what was learnt for one thread (unwind rules, code) serves the next.
class StackReader {
 public:
  StackReader(const Target& target, Symbolizer& symbolizer);
  ~StackReader();
  Result<Stack> read(uint32_t thread, const StackOptions& options);
  // Of what is no thread of the target: a goroutine that waits.
  Stack read_from(const format::GeneralRegisters& registers, const StackOptions& options);
  // Of a thread that waits in our kernel, from there through its system call into the program. Nothing: it does not, or
  // the target does not hold where.
  std::optional<Stack> read_in_kernel(uint32_t thread, const StackOptions& options);
  // Code bytes, from the target's memory or else from the module's file; the number of them.
  size_t read_code(uint64_t address, std::span<uint8_t> to);
  ModuleFiles& files() { return *files_; }
  const CoreModule* module_at(uint64_t address) const;  // null: in no module
  const UnwindRow* unwind_row(uint64_t address);        // null: no call frame information covers it
  MemoryCache& memory() { return *memory_; }

 private:
  Stack read_from(const FrameRegisters& registers, const StackOptions& options, FirstFrame first);
  void name(Stack& stack, uint32_t thread) const;

  const Target& target_;
  Symbolizer& symbolizer_;
  std::unique_ptr<ModuleFiles> files_;
  std::unique_ptr<MemoryCache> memory_;
  std::unique_ptr<ModuleImages> modules_;
};

// The same for one thread only.
Result<Stack> unwind_stack(const Target& target, Symbolizer& symbolizer, uint32_t thread, const StackOptions& options);

}  // namespace mortem::inspector
