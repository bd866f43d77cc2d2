// PCI configuration space through ports 0xCF8/0xCFC (PCI Local Bus 3.0, section 3.2.2.3.2).
#pragma once

#include <cstdint>

#include "kernel/library/result.h"

namespace kernel {

struct PciAddress {
  uint8_t bus, device, function;
};

uint8_t pci_read8(PciAddress where, uint8_t offset);
uint16_t pci_read16(PciAddress where, uint8_t offset);
uint32_t pci_read32(PciAddress where, uint8_t offset);
void pci_write8(PciAddress where, uint8_t offset, uint8_t value);
void pci_write16(PciAddress where, uint8_t offset, uint16_t value);
void pci_write32(PciAddress where, uint8_t offset, uint32_t value);

// Calls visit for every function present on every bus (bridges are walked). No allocation: the crash path uses it.
using PciVisitor = void (*)(PciAddress where, uint16_t vendor, uint16_t device, void* context);
void pci_visit(PciVisitor visit, void* context);

}  // namespace kernel
