// target.xml (GDB manual, appendix "Target Descriptions"), made from the register layout.
#pragma once

#include "gdbstub/reply.h"

namespace mortem::gdbstub {

// Writes the description into the reply's window. `has_avx`: the upper halves of YMM are described too.
void write_target_description(Reply& reply, bool has_avx);

}  // namespace mortem::gdbstub
