// A tap device in a network namespace of its own, which leads nowhere: what the copy of a guest that stood on one is
// started on, as QEMU loads the state of a card only where the same offloads are.
#pragma once

#include "snapshot/result.h"
#include "tools/files.h"

namespace mortem::tools {

// It goes when the descriptor is closed. Needs no privilege where user namespaces are allowed.
// Linux: Documentation/networking/tuntap.rst.
Result<Descriptor> open_unplugged_tap();

}  // namespace mortem::tools
