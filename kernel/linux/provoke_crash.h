// Crashes of the kernel on demand, by the file that Linux's lkdtm has for it
// (Documentation/fault-injection/provoke-crashes.rst).
#pragma once

#include "kernel/fs/tree.h"

namespace kernel::linux {

Result<void> add_provoke_crash(TreeDirectory& debug);

}  // namespace kernel::linux
