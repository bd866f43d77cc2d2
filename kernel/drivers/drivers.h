// The devices of the machine, found and started once at boot.
#pragma once

namespace kernel {

// Walks PCI; starts virtio-blk (block_device.h), virtio-console (control_port.h, console_port.h) and virtio-net
// (virtio_network.h). A device that is
// missing or does not start is logged, never an error: the caller sees it when it asks for disk() or for a port.
// Needs heap, page tables and interrupts; call it with interrupts enabled or disabled.
void drivers_initialize();
// In a guest that was resumed from a dump: the same on the machine of now, for the drivers that there are. The network
// card is its owner's to start (net::resume).
void drivers_resume();
void drivers_hear_host();       // after that: the control port of this machine, and what the host has to say
bool control_port_is_serial();  // the host counts instructions

}  // namespace kernel
