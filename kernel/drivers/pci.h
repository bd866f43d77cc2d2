// PCI configuration space through ports 0xCF8/0xCFC (PCI Local Bus 3.0, section 3.2.2.3.2).
#pragma once

#include <cstdint>

#include "kernel/arch/x86_64/interrupts.h"
#include "kernel/library/result.h"

namespace kernel {

// Offsets in the configuration header (section 6.1), and a bit of the command register.
inline constexpr uint8_t kPciCommand = 0x04, kPciHeaderType = 0x0E, kPciFirstBar = 0x10;
inline constexpr uint16_t kPciCommandMemory = 0x0002;

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

inline constexpr uint8_t kCapabilityVendorSpecific = 0x09, kCapabilityMsix = 0x11;
// Offset of the next capability with this id behind `previous` (0: the first); 0: there is none.
uint8_t pci_find_capability(PciAddress where, uint8_t id, uint8_t previous = 0);

// Physical address of a memory BAR (0–5) as it was set; NoDevice for an I/O BAR or one that is not set.
Result<uint64_t> pci_memory_bar(PciAddress where, uint8_t index);

// Gives every memory BAR a place if the firmware gave none to any. Before the first pci_memory_bar.
void pci_place_memory();

// Memory decoding and bus mastering on, INTx off: what a driver needs before it touches a device.
void pci_enable(PciAddress where);

// Message-signalled interrupts (PCI Local Bus 3.0, section 6.8.2). One object a device.
class MsixTable {
 public:
  // Maps the table, masks every entry, switches MSI-X on. Called again (the machine is another one): the entries that
  // were given out lead where they led.
  Result<void> open(PciAddress where);
  // Gives the next free entry to a handler (interrupts.h); returns the entry's number.
  Result<uint16_t> add(void (*handler)(void* context), void* context);

 private:
  volatile uint32_t* table_ = nullptr;  // four words an entry: address low and high, data, control
  uint16_t size_ = 0, used_ = 0;
  static constexpr uint16_t kMostUsed = 4;
  MessageInterrupt messages_[kMostUsed] = {};

  void set(uint16_t entry);
};

}  // namespace kernel
