// The control port to `mortem run` (snapshot/format/control.h): a virtio-console port, or a UART of a recorded guest.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "snapshot/format/control.h"

namespace kernel {

// Sends one message; drops it when there is no such port or nobody listens. Never blocks for more than 100 ms.
void control_send(mortem::format::ControlType type, std::span<const uint8_t> payload);

// Called from the interrupt that brings a whole message from the host.
using ControlHandler = void (*)(mortem::format::ControlType type, std::span<const uint8_t> payload);
void control_set_handler(ControlHandler handler);
void control_port_changed();  // the machine is another one

// Answers HoldStill, from the handler: does not come back before another message begins or a second is over.
void control_hold_still();

}  // namespace kernel
