// The PCI bus walk and capability lists over configuration spaces in memory.
#include "kernel/drivers/pci.h"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "kernel/arch/x86_64/cpu.h"
#include "kernel/arch/x86_64/interrupts.h"
#include "kernel/memory/page_table.h"

namespace {

using Space = std::array<uint8_t, 256>;
std::map<uint32_t, Space> g_functions;  // by bus, device, function as in the address port
uint32_t g_address = 0;
std::vector<uint32_t> g_table(16 * 4);    // of MSI-X
std::map<uint32_t, uint32_t> g_writable;  // bits of a BAR that can be written, by function and offset

uint32_t key(unsigned bus, unsigned device, unsigned function) {
  return bus << 16 | device << 11 | function << 8;
}

Space& add(unsigned bus, unsigned device, unsigned function, uint16_t vendor, uint8_t header_type = 0) {
  Space& space = g_functions[key(bus, device, function)];
  space.fill(0);
  std::memcpy(&space[0], &vendor, 2);
  space[2] = static_cast<uint8_t>(device);
  space[0x0E] = header_type;
  return space;
}

template <typename T>
T in(uint16_t port) {
  T value = static_cast<T>(~0u);
  const auto function = g_functions.find(g_address & 0xFFFF00);
  if (function != g_functions.end() && (g_address >> 31))
    std::memcpy(&value, &function->second[(g_address & 0xFC) + (port & 3)], sizeof value);
  return value;
}

template <typename T>
void out(uint16_t port, T value) {
  if (port == 0xCF8) g_address = static_cast<uint32_t>(value);
  const auto function = g_functions.find(g_address & 0xFFFF00);
  if (port < 0xCFC || function == g_functions.end()) return;
  uint8_t* place = &function->second[(g_address & 0xFC) + (port & 3)];
  if (const auto bar = g_writable.find(g_address & 0xFFFFFC); bar != g_writable.end()) {
    T old;
    std::memcpy(&old, place, sizeof old);
    value = static_cast<T>((value & bar->second) | (old & ~bar->second));
  }
  std::memcpy(place, &value, sizeof value);
}

}  // namespace

namespace kernel {
uint8_t in8(uint16_t port) {
  return in<uint8_t>(port);
}
uint16_t in16(uint16_t port) {
  return in<uint16_t>(port);
}
uint32_t in32(uint16_t port) {
  return in<uint32_t>(port);
}
void out8(uint16_t port, uint8_t value) {
  out(port, value);
}
void out16(uint16_t port, uint16_t value) {
  out(port, value);
}
void out32(uint16_t port, uint32_t value) {
  out(port, value);
}
Result<MessageInterrupt> allocate_message_interrupt(InterruptHandler, void*) {
  return MessageInterrupt{0xFEE0'0000, 0x41};
}
Result<uint64_t> map_device_memory(PhysicalAddress, size_t) {
  return reinterpret_cast<uint64_t>(g_table.data());
}
}  // namespace kernel

namespace {

std::vector<std::string> visited() {
  std::vector<std::string> found;
  kernel::pci_visit(
      [](kernel::PciAddress where, uint16_t, uint16_t, void* context) {
        static_cast<std::vector<std::string>*>(context)->push_back(
            std::to_string(where.bus) + ":" + std::to_string(where.device) + "." + std::to_string(where.function));
      },
      &found);
  return found;
}

class Pci : public testing::Test {
 protected:
  void SetUp() override { g_functions.clear(), g_writable.clear(); }
};

TEST_F(Pci, BridgesAndFunctionsAreWalked) {
  add(0, 0, 0, 0x8086);
  add(0, 1, 0, 0x1AF4, 0x80);
  add(0, 1, 7, 0x1AF4);
  add(0, 2, 0, 0x1AF4);
  add(0, 2, 1, 0x1AF4);  // function 0 says that there is only one: not looked for
  add(0, 3, 0, 0x1B36, 1)[0x19] = 1;
  add(1, 0, 0, 0x1B36, 0x81)[0x19] = 2;
  add(2, 31, 0, 0x1AF4);
  EXPECT_EQ(visited(), (std::vector<std::string>{"0:0.0", "0:1.0", "0:1.7", "0:2.0", "0:3.0", "1:0.0", "2:31.0"}));
}

TEST_F(Pci, ABridgeToItselfOrBackIsNotFollowed) {
  add(0, 3, 0, 0x1B36, 1)[0x19] = 0;
  add(0, 4, 0, 0x1B36, 1)[0x19] = 1;
  add(1, 0, 0, 0x1B36, 1)[0x19] = 1;
  add(1, 1, 0, 0x1B36, 1)[0x19] = 0;
  EXPECT_EQ(visited(), (std::vector<std::string>{"0:3.0", "0:4.0", "1:0.0", "1:1.0"}));
}

TEST_F(Pci, CapabilitiesAreFoundAndALoopOfThemEnds) {
  Space& space = add(0, 1, 0, 0x1AF4);
  const kernel::PciAddress where{0, 1, 0};
  space[0x34] = 0x40;
  space[0x40] = 9, space[0x41] = 0x50;
  space[0x50] = 0x11, space[0x51] = 0x60;
  space[0x60] = 9, space[0x61] = 0x40;                  // back to the first
  EXPECT_EQ(kernel::pci_find_capability(where, 9), 0);  // the status register says that there is no list
  space[0x06] = 0x10;
  EXPECT_EQ(kernel::pci_find_capability(where, 9), 0x40);
  EXPECT_EQ(kernel::pci_find_capability(where, 9, 0x40), 0x60);
  EXPECT_EQ(kernel::pci_find_capability(where, 0x11), 0x50);
  EXPECT_EQ(kernel::pci_find_capability(where, 0x05), 0);
  EXPECT_EQ(kernel::pci_find_capability({0, 9, 0}, 9), 0);
}

void add_bar(unsigned device, unsigned index, uint32_t kind, uint32_t size) {
  const uint32_t place = key(0, device, 0) | (0x10 + 4 * index);
  std::memcpy(&g_functions[key(0, device, 0)][0x10 + 4 * index], &kind, 4);
  g_writable[place] = size == 0 ? 0 : ~(size - 1);
}

TEST_F(Pci, BarsThatTheFirmwareLeftArePlaced) {
  for (unsigned device = 1; device <= 2; ++device) {
    add(0, device, 0, 0x1AF4)[4] = 2;  // decodes memory already
    for (unsigned index = 0; index < 6; ++index) add_bar(device, index, 0, 0);
  }
  add_bar(1, 0, 0x1, 0x20);  // I/O: stays
  add_bar(1, 1, 0x0, 0x1000);
  add_bar(1, 4, 0xC, 0x4000);  // 64 bits, prefetchable
  g_writable[key(0, 1, 0) | 0x24] = ~0u;
  add_bar(2, 2, 0x0, 0x8000'0000);  // has no room
  add_bar(2, 5, 0x0, 0x10'0000);
  kernel::pci_place_memory();
  EXPECT_EQ(kernel::pci_memory_bar({0, 1, 0}, 1).value(), 0xE000'0000u);
  EXPECT_EQ(kernel::pci_memory_bar({0, 1, 0}, 4).value(), 0xE000'4000u);
  EXPECT_EQ(kernel::pci_read32({0, 1, 0}, 0x20), 0xE000'400Cu);
  EXPECT_EQ(kernel::pci_read32({0, 1, 0}, 0x10), 0x1u);
  EXPECT_TRUE(kernel::pci_memory_bar({0, 1, 0}, 2).is_error());
  EXPECT_TRUE(kernel::pci_memory_bar({0, 2, 0}, 2).is_error());
  EXPECT_EQ(kernel::pci_memory_bar({0, 2, 0}, 5).value(), 0xE010'0000u);
  EXPECT_EQ(kernel::pci_read16({0, 1, 0}, 4), 2);
  kernel::pci_place_memory();  // are placed: nothing moves
  EXPECT_EQ(kernel::pci_memory_bar({0, 2, 0}, 5).value(), 0xE010'0000u);
}

TEST_F(Pci, BarsThatTheFirmwarePlacedStay) {
  add(0, 1, 0, 0x1AF4), add(0, 2, 0, 0x1AF4);
  for (unsigned index = 0; index < 6; ++index) add_bar(1, index, 0, 0), add_bar(2, index, 0, 0);
  add_bar(1, 0, 0xFEB0'0000, 0x1000);
  add_bar(2, 0, 0, 0x1000);
  kernel::pci_place_memory();
  EXPECT_EQ(kernel::pci_memory_bar({0, 1, 0}, 0).value(), 0xFEB0'0000u);
  EXPECT_TRUE(kernel::pci_memory_bar({0, 2, 0}, 0).is_error());
}

TEST_F(Pci, BarsOfEachKind) {
  Space& space = add(0, 1, 0, 0x1AF4);
  const kernel::PciAddress where{0, 1, 0};
  const uint32_t bars[6] = {0xFEB0'0000, 0xC001, 0xE000'000C, 0x8, 0, 0xFE00'0004};
  std::memcpy(&space[0x10], bars, sizeof bars);
  EXPECT_EQ(kernel::pci_memory_bar(where, 0).value(), 0xFEB0'0000u);
  EXPECT_TRUE(kernel::pci_memory_bar(where, 1).is_error());  // I/O
  EXPECT_EQ(kernel::pci_memory_bar(where, 2).value(), 0x8'E000'0000u);
  EXPECT_TRUE(kernel::pci_memory_bar(where, 4).is_error());  // not set
  EXPECT_TRUE(kernel::pci_memory_bar(where, 5).is_error());  // the upper half would be behind the last
  EXPECT_TRUE(kernel::pci_memory_bar(where, 6).is_error());
}

TEST_F(Pci, MessageInterruptsAreProgrammed) {
  Space& space = add(0, 1, 0, 0x1AF4);
  space[0x06] = 0x10, space[0x34] = 0x40, space[0x40] = 0x11;
  space[0x42] = 1;  // two entries
  const uint32_t bar = 0xFEB0'0000;
  std::memcpy(&space[0x10], &bar, 4);
  g_table.assign(g_table.size(), 0xAAAA'AAAA);
  kernel::MsixTable table;
  ASSERT_TRUE(table.open({0, 1, 0}));
  EXPECT_EQ(space[0x43], 0x80);  // on, not masked as a whole
  EXPECT_EQ(g_table[3], 1u);     // each entry is
  EXPECT_EQ(g_table[7], 1u);
  EXPECT_EQ(g_table[11], 0xAAAA'AAAA);
  EXPECT_EQ(table.add(nullptr, nullptr).value(), 0);
  EXPECT_EQ(table.add(nullptr, nullptr).value(), 1);
  EXPECT_EQ(table.add(nullptr, nullptr).error(), kernel::Error::NoSpace);
  EXPECT_EQ((std::vector<uint32_t>(g_table.begin() + 4, g_table.begin() + 8)),
            (std::vector<uint32_t>{0xFEE0'0000, 0, 0x41, 0}));
  add(0, 2, 0, 0x1AF4);
  EXPECT_EQ(kernel::MsixTable().open({0, 2, 0}).error(), kernel::Error::NoDevice);
}

}  // namespace
