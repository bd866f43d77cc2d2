#include "kernel/drivers/drivers.h"

#include "kernel/arch/x86_64/random.h"
#include "kernel/drivers/block_device.h"
#include "kernel/drivers/console_port.h"
#include "kernel/drivers/control_port.h"
#include "kernel/drivers/pci.h"
#include "kernel/drivers/serial_port.h"
#include "kernel/drivers/virtio_block.h"
#include "kernel/drivers/virtio_console.h"
#include "kernel/drivers/virtio_entropy.h"
#include "kernel/drivers/virtio_network.h"
#include "kernel/library/command_line.h"
#include "kernel/library/log.h"
#include "kernel/memory/heap.h"

namespace kernel {
namespace {

VirtioBlock* g_block = nullptr;
VirtioConsole* g_console = nullptr;
VirtioNetwork* g_network = nullptr;
constexpr uint16_t kSecondUart = 0x2F8;
SerialPort* g_serial = nullptr;  // the control port, of a recorded guest

template <typename Device>
Result<Device*> start(const VirtioRegisters& registers) {
  Device* device = TRY(make<Device>());
  if (auto started = device->initialize(registers); started.is_error()) {
    // The object stays: interrupts may know it.
    return started.error();
  }
  return device;
}

// Null: there is no such device, or it does not start.
template <typename Device>
Device* start_first(VirtioType type, const char* name) {
  const VirtioRegisters* registers = virtio_device(type);
  if (registers == nullptr) {
    log(LogLevel::Info, "%s: none", name);
    return nullptr;
  }
  auto device = start<Device>(*registers);
  if (device) return device.value();
  log(LogLevel::Warning, "%s at PCI %02x:%02x.%x does not start (error %d)", name, registers->where.bus,
      registers->where.device, registers->where.function, static_cast<int>(device.error()));
  return nullptr;
}

// False: there is no second UART.
bool start_serial() {
  if (g_serial == nullptr)
    if (auto port = make<SerialPort>(kSecondUart)) g_serial = port.value();
  return g_serial != nullptr && g_serial->start();
}

// The host's randomness, before anything but the kernel's own place in memory was drawn.
void seed_from_host() {
  VirtioEntropy* device = start_first<VirtioEntropy>(VirtioType::Entropy, "virtio-rng");
  if (device == nullptr) return;
  uint8_t seed[64];
  const size_t came = device->read(seed);
  random_mix(seed, came);
  log(came == sizeof seed ? LogLevel::Info : LogLevel::Warning, "virtio-rng: %zu of %zu bytes came", came, sizeof seed);
}

}  // namespace

void drivers_initialize() {
  pci_place_memory();
  virtio_find_devices();
  seed_from_host();
  g_block = start_first<VirtioBlock>(VirtioType::Block, "virtio-blk");
  if (g_block != nullptr) log(LogLevel::Info, "virtio-blk: %lu bytes", static_cast<unsigned long>(g_block->size()));
  g_console = start_first<VirtioConsole>(VirtioType::Console, "virtio-console");
  g_network = start_first<VirtioNetwork>(VirtioType::Network, "virtio-net");
  if (setting_is("control", "serial") && !start_serial())
    log(LogLevel::Warning, "control=serial: there is no second serial port");
}

void drivers_resume() {
  pci_place_memory();
  virtio_find_devices();
  seed_from_host();
  if (g_block != nullptr) g_block->resume(virtio_device(VirtioType::Block));
  if (g_console != nullptr) g_console->resume(virtio_device(VirtioType::Console));
}

void drivers_hear_host() {
  const bool has_port = g_console != nullptr && g_console->port(mortem::format::kControlPortName) != nullptr;
  const bool is_serial = !has_port && start_serial();
  control_port_changed();
  // What came before the UART was started is lost.
  if (is_serial) control_send(mortem::format::ControlType::WhatAmI, {});
}

bool control_port_is_serial() {
  return g_serial != nullptr && console_port(mortem::format::kControlPortName) == g_serial;
}

BlockDevice* disk() {
  return g_block;
}

VirtioNetwork* network_device() {
  return g_network;
}

ConsolePort* console_port(const char* name) {
  ConsolePort* port = g_console != nullptr ? g_console->port(name) : nullptr;
  if (port == nullptr && __builtin_strcmp(name, mortem::format::kControlPortName) == 0) port = g_serial;
  return port;
}

bool console_ports_restart() {
  const bool serial = g_serial != nullptr && g_serial->start();
  if (g_console == nullptr || g_console->restart().is_error()) return serial;
  g_console->settle();
  return true;
}

}  // namespace kernel
