// The frames of one thread, before symbols.
#pragma once

#include <string>
#include <vector>

#include "inspector/analysis/stack.h"
#include "inspector/unwind/frame_registers.h"
#include "inspector/unwind/module_images.h"

namespace mortem::inspector {

struct PhysicalFrame {
  uint64_t pc = 0;
  uint64_t cfa = 0;  // 0: unknown
  Trust trust = Trust::Registers;
  bool interrupted = false;   // the pc is of the next instruction, not behind a call
  bool signal_frame = false;  // unwound by call frame information of a signal frame
  uint64_t lookup() const { return interrupted || pc == 0 ? pc : pc - 1; }
};

enum class KeepRegisters { No, Yes };

struct UnwoundStack {
  std::vector<PhysicalFrame> frames;
  std::vector<FrameRegisters> registers;  // beside frames, if asked for
  std::string end;
};

UnwoundStack unwind(const FrameRegisters& registers, ModuleImages& modules, MemoryCache& memory, size_t frame_limit,
                    KeepRegisters keep = KeepRegisters::No, FirstFrame first = FirstFrame::Interrupted);

}  // namespace mortem::inspector
