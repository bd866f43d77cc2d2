#include "kernel/drivers/pci.h"

#include "kernel/arch/x86_64/cpu.h"
#include "kernel/arch/x86_64/interrupts.h"
#include "kernel/memory/page_table.h"

namespace kernel {
namespace {

constexpr uint16_t kAddressPort = 0xCF8, kDataPort = 0xCFC;

// Offsets in the configuration header (section 6.1) that nobody else needs.
constexpr uint8_t kVendor = 0x00, kDevice = 0x02, kStatus = 0x06, kSecondaryBus = 0x19, kCapabilities = 0x34;
constexpr uint16_t kStatusHasCapabilities = 0x0010;
constexpr uint16_t kCommandBusMaster = 0x0004, kCommandNoIntx = 0x0400;

uint16_t select(PciAddress where, uint8_t offset) {
  out32(kAddressPort, 0x8000'0000u | uint32_t{where.bus} << 16 | uint32_t(where.device & 31) << 11 |
                          uint32_t(where.function & 7) << 8 | (offset & 0xFC));
  return kDataPort + (offset & 3);
}

void visit_bus(uint8_t bus, PciVisitor visit, void* context) {
  for (uint8_t device = 0; device < 32; ++device) {
    for (uint8_t function = 0; function < 8; ++function) {
      const PciAddress where{bus, device, function};
      const uint16_t vendor = pci_read16(where, kVendor);
      if (vendor == 0xFFFF) {
        if (function == 0) break;
        continue;
      }
      visit(where, vendor, pci_read16(where, kDevice), context);
      const uint8_t header = pci_read8(where, kPciHeaderType);
      if ((header & 0x7F) == 1) {
        // Buses below a bridge have higher numbers than its own, so that this recursion ends.
        const uint8_t secondary = pci_read8(where, kSecondaryBus);
        if (secondary > bus) visit_bus(secondary, visit, context);
      }
      if (function == 0 && !(header & 0x80)) break;  // only one function
    }
  }
}

}  // namespace

uint8_t pci_read8(PciAddress where, uint8_t offset) {
  return in8(select(where, offset));
}
uint16_t pci_read16(PciAddress where, uint8_t offset) {
  return in16(select(where, offset & 0xFE));
}
uint32_t pci_read32(PciAddress where, uint8_t offset) {
  return in32(select(where, offset & 0xFC));
}
void pci_write8(PciAddress where, uint8_t offset, uint8_t value) {
  out8(select(where, offset), value);
}
void pci_write16(PciAddress where, uint8_t offset, uint16_t value) {
  out16(select(where, offset & 0xFE), value);
}
void pci_write32(PciAddress where, uint8_t offset, uint32_t value) {
  out32(select(where, offset & 0xFC), value);
}

void pci_visit(PciVisitor visit, void* context) {
  visit_bus(0, visit, context);
}

uint8_t pci_find_capability(PciAddress where, uint8_t id, uint8_t previous) {
  if (!(pci_read16(where, kStatus) & kStatusHasCapabilities)) return 0;
  uint8_t offset = pci_read8(where, previous != 0 ? previous + 1 : kCapabilities) & 0xFC;
  // 48 capabilities of four bytes fill the space: a longer list is a loop.
  for (int left = 48; left > 0 && offset >= 0x40; --left) {
    if (pci_read8(where, offset) == id) return offset;
    offset = pci_read8(where, offset + 1) & 0xFC;
  }
  return 0;
}

Result<uint64_t> pci_memory_bar(PciAddress where, uint8_t index) {
  if (index > 5) return Error::NoDevice;
  const uint8_t offset = kPciFirstBar + 4 * index;
  const uint32_t low = pci_read32(where, offset);
  if (low & 1) return Error::NoDevice;  // I/O space
  uint64_t address = low & ~uint32_t{0xF};
  if (((low >> 1) & 3) == 2) {  // 64 bits wide
    if (index == 5) return Error::NoDevice;
    address |= uint64_t{pci_read32(where, offset + 4)} << 32;
  }
  if (address == 0) return Error::NoDevice;
  return address;
}

void pci_enable(PciAddress where) {
  pci_write16(where, kPciCommand,
              pci_read16(where, kPciCommand) | kPciCommandMemory | kCommandBusMaster | kCommandNoIntx);
}

Result<void> MsixTable::open(PciAddress where) {
  constexpr uint16_t kEnable = 0x8000, kMaskAll = 0x4000;
  const uint8_t capability = pci_find_capability(where, kCapabilityMsix);
  if (capability == 0) return Error::NoDevice;
  const uint16_t control = pci_read16(where, capability + 2);
  const uint32_t place = pci_read32(where, capability + 4);
  const uint64_t table = TRY(pci_memory_bar(where, place & 7)) + (place & ~7u);
  size_ = (control & 0x7FF) + 1;
  const uint64_t first_page = page_down(table);
  const uint64_t mapped = TRY(map_device_memory(first_page, page_up(table + size_ * 16) - first_page));
  table_ = reinterpret_cast<volatile uint32_t*>(mapped + (table - first_page));
  pci_write16(where, capability + 2, control | kEnable | kMaskAll);
  for (uint16_t entry = 0; entry < size_; ++entry) table_[entry * 4 + 3] = 1;  // masked
  if (used_ > size_) return Error::NoDevice;
  for (uint16_t entry = 0; entry < used_; ++entry) set(entry);
  pci_write16(where, capability + 2, (control | kEnable) & ~kMaskAll);
  return {};
}

Result<uint16_t> MsixTable::add(void (*handler)(void* context), void* context) {
  if (used_ == size_ || used_ == kMostUsed) return Error::NoSpace;
  messages_[used_] = TRY(allocate_message_interrupt(handler, context));
  set(used_);
  return used_++;
}

void MsixTable::set(uint16_t entry) {
  volatile uint32_t* words = table_ + entry * 4;
  words[0] = static_cast<uint32_t>(messages_[entry].address);
  words[1] = static_cast<uint32_t>(messages_[entry].address >> 32);
  words[2] = messages_[entry].data;
  words[3] = 0;
}

}  // namespace kernel
