// The crash path's first step: no virtio device may change memory after the moment that is dumped.
#pragma once

namespace kernel {

// Resets every virtio device on PCI (virtio 1.1, section 4.1.4.3.1: write 0 to device_status, wait until it reads 0).
// Finds the devices by walking PCI itself and the registers through a static table that boot filled and that is checked
// against PCI before use; allocates nothing, locks nothing, ends within 100 ms a device.
void virtio_reset_all();

}  // namespace kernel
