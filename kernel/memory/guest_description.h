// The kernel's side of the guest description block (snapshot/format/guest_description.h).
#pragma once

#include <cstdint>
#include <span>

#include "snapshot/format/guest_description.h"

namespace kernel {

// The block in its reserved page; owners of a fact keep it true there (the loader: module_table).
mortem::format::GuestDescription& guest_description();
void guest_description_initialize();
std::span<const uint8_t> kernel_build_id();  // of this kernel's own ELF file; empty: none

}  // namespace kernel
