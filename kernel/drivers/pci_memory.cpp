// Places for memory BARs (PCI Local Bus 3.0, section 6.2.5.1), where the firmware gave none: QEMU's small one (qboot)
// leaves that to the system.

#include "kernel/drivers/pci.h"

namespace kernel {
namespace {

// Between the RAM below 4 GiB, which ends at or below 0xE0000000 on QEMU's pc and q35, and the I/O APIC. q35's window
// of configuration space (0xB0000000, 256 MiB) lies below.
constexpr uint64_t kWindowStart = 0xE000'0000, kWindowEnd = 0xFEC0'0000;

struct Placement {
  bool firmware_did = false;
  uint64_t next = kWindowStart;
};

bool is_wide(uint32_t bar) {
  return ((bar >> 1) & 3) == 2;
}

// Calls visit(offset, low word) for each memory BAR.
template <typename Visit>
void visit_memory_bars(PciAddress where, Visit visit) {
  if ((pci_read8(where, kPciHeaderType) & 0x7F) != 0) return;  // bridges have two, and none of ours is behind one
  for (uint8_t index = 0; index < 6; ++index) {
    const uint8_t offset = kPciFirstBar + 4 * index;
    const uint32_t low = pci_read32(where, offset);
    if (low & 1) continue;  // I/O space
    if (is_wide(low) && index == 5) continue;
    visit(offset, low);
    if (is_wide(low)) ++index;
  }
}

void look(PciAddress where, uint16_t, uint16_t, void* context) {
  visit_memory_bars(where, [&](uint8_t offset, uint32_t low) {
    if ((low & ~0xFu) != 0 || (is_wide(low) && pci_read32(where, offset + 4) != 0))
      static_cast<Placement*>(context)->firmware_did = true;
  });
}

void place(PciAddress where, uint16_t, uint16_t, void* context) {
  auto& placement = *static_cast<Placement*>(context);
  // Nothing may be decoded where the BARs point while their sizes are asked for.
  const uint16_t command = pci_read16(where, kPciCommand);
  pci_write16(where, kPciCommand, command & ~kPciCommandMemory);
  visit_memory_bars(where, [&](uint8_t offset, uint32_t low) {
    pci_write32(where, offset, 0xFFFF'FFFF);
    const uint64_t size = uint32_t(~(pci_read32(where, offset) & ~0xFu) + 1);
    pci_write32(where, offset, low);
    if (size == 0) return;  // there is none, or it is too big for the window
    const uint64_t address = (placement.next + size - 1) & ~(size - 1);
    if (size > kWindowEnd - kWindowStart || address + size > kWindowEnd) return;  // stays without: its driver says so
    pci_write32(where, offset, static_cast<uint32_t>(address) | low);
    if (is_wide(low)) pci_write32(where, offset + 4, 0);
    placement.next = address + size;
  });
  pci_write16(where, kPciCommand, command);
}

}  // namespace

void pci_place_memory() {
  Placement placement;
  pci_visit(look, &placement);
  if (!placement.firmware_did) pci_visit(place, &placement);
}

}  // namespace kernel
