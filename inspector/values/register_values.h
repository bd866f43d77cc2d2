// Registers by gdb's names ($rax, $al, $eflags, $xmm3, $st0; gdb/i386-tdep.c knows the same), as values of a frame.
#pragma once

#include <string>

#include "inspector/values/program_values.h"

namespace mortem::inspector {

// The error: there is no register of that name. One whose value is not known in this frame is a Value that says so.
Result<Value> register_value(ProgramValues& program, FrameValues& frame, const std::string& name);

}  // namespace mortem::inspector
