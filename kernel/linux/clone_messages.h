// What the host says around a clone of this guest: to the original, that its clock be watched while it is copied; to
// the copy, what it is.
#pragma once

#include <cstdint>
#include <span>

#include "snapshot/format/control.h"

namespace kernel::linux {

void clone_messages_initialize();  // before the app's first instruction

// In a copy of this guest that was not told yet what it is, an NMI is the host's way to stop the app before its next
// instruction, wherever the kernel is: an interrupt follows, which does it. False: any other NMI.
bool take_clone_nmi();

// From the control port's interrupt. False: the message is about something else.
bool take_clone_message(mortem::format::ControlType type, std::span<const uint8_t> payload);

}  // namespace kernel::linux
