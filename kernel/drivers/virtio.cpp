#include "kernel/drivers/virtio.h"

#include "kernel/drivers/virtio_reset.h"
#include "kernel/library/log.h"
#include "kernel/memory/page_table.h"

namespace kernel {
namespace {

// Section 2.1, device_status.
constexpr uint8_t kAcknowledge = 1, kDriver = 2, kDriverOk = 4, kFeaturesOk = 8, kFailed = 128;
// Section 4.1.4: configuration types of the vendor-specific capability, and offsets in it.
constexpr uint8_t kCommonConfiguration = 1, kNotifyConfiguration = 2, kDeviceConfiguration = 4;
constexpr uint8_t kTypeOffset = 3, kBarOffset = 4, kStartOffset = 8, kLengthOffset = 12, kMultiplierOffset = 16;

constexpr size_t kMaximumDevices = 16;
VirtioRegisters g_devices[kMaximumDevices];
size_t g_device_count = 0;

struct Region {
  uint64_t physical;
  uint32_t length;
  uint8_t capability;
};

// A device may offer several places for one type of configuration, best first; one in a BAR that firmware did not set
// is passed over.
Result<Region> find_region(PciAddress where, uint8_t type) {
  for (uint8_t at = pci_find_capability(where, kCapabilityVendorSpecific); at != 0;
       at = pci_find_capability(where, kCapabilityVendorSpecific, at)) {
    if (pci_read8(where, at + kTypeOffset) != type) continue;
    auto bar = pci_memory_bar(where, pci_read8(where, at + kBarOffset));
    const uint32_t length = pci_read32(where, at + kLengthOffset);
    if (bar.is_error() || length == 0) continue;
    return Region{bar.value() + pci_read32(where, at + kStartOffset), length, at};
  }
  return Error::NoDevice;
}

Result<volatile uint8_t*> map(const Region& region) {
  const uint64_t first_page = page_down(region.physical);
  const uint64_t mapped = TRY(map_device_memory(first_page, page_up(region.physical + region.length) - first_page));
  return reinterpret_cast<volatile uint8_t*>(mapped + (region.physical - first_page));
}

VirtioType type_of(PciAddress where, uint16_t device) {
  constexpr uint8_t kSubsystem = 0x2E;
  // Section 4.1.2.1; transitional devices carry their type in the subsystem id.
  return static_cast<VirtioType>(device >= 0x1040 ? device - 0x1040 : pci_read16(where, kSubsystem));
}

Result<VirtioRegisters> map_registers(PciAddress where, uint16_t device) {
  const Region common = TRY(find_region(where, kCommonConfiguration));
  const Region notify = TRY(find_region(where, kNotifyConfiguration));
  if (common.length < sizeof(VirtioCommon) || notify.length < 2) return Error::NoDevice;
  VirtioRegisters registers{};
  registers.where = where;
  registers.type = type_of(where, device);
  registers.common_physical = common.physical;
  registers.common = reinterpret_cast<volatile VirtioCommon*>(TRY(map(common)));
  registers.notify = TRY(map(notify));
  registers.notify_length = notify.length;
  registers.notify_multiplier = pci_read32(where, notify.capability + kMultiplierOffset);
  if (auto configuration = find_region(where, kDeviceConfiguration); configuration) {
    registers.configuration = TRY(map(configuration.value()));
    registers.configuration_length = configuration.value().length;
  }
  pci_enable(where);
  return registers;
}

bool is_virtio(uint16_t vendor, uint16_t device) {
  return vendor == kVirtioVendor && device >= 0x1000 && device <= 0x107F;
}

void found(PciAddress where, uint16_t vendor, uint16_t device, void*) {
  if (!is_virtio(vendor, device)) return;
  if (g_device_count == kMaximumDevices) {
    log(LogLevel::Warning, "virtio: more than %zu devices, PCI %02x:%02x.%x is left alone", kMaximumDevices, where.bus,
        where.device, where.function);
    return;
  }
  auto registers = map_registers(where, device);
  if (registers.is_error()) {
    log(LogLevel::Warning,
        "virtio: PCI %02x:%02x.%x (device %04x) has no usable virtio 1.0 interface (error %d); with QEMU, do not give "
        "disable-modern=on",
        where.bus, where.device, where.function, device, static_cast<int>(registers.error()));
    return;
  }
  g_devices[g_device_count++] = registers.value();
}

void reset_visited(PciAddress where, uint16_t vendor, uint16_t device, void*) {
  if (!is_virtio(vendor, device)) return;
  for (size_t index = 0; index < g_device_count && index < kMaximumDevices; ++index) {
    const VirtioRegisters& registers = g_devices[index];
    if (registers.where.bus != where.bus || registers.where.device != where.device ||
        registers.where.function != where.function)
      continue;
    // A wild write may have hit the table: the device must be where PCI says, and the mapping must lead there.
    auto common = find_region(where, kCommonConfiguration);
    const auto address = reinterpret_cast<uint64_t>(registers.common);
    const auto mapping = kernel_page_table().lookup_checked(address);
    if (common.is_error() || common.value().physical != registers.common_physical || !mapping ||
        mapping->physical != registers.common_physical) {
      log(LogLevel::Warning, "virtio: registers of PCI %02x:%02x.%x are not where boot found them; not reset",
          where.bus, where.device, where.function);
      continue;
    }
    if (!virtio_reset(registers.common))
      log(LogLevel::Warning, "virtio: PCI %02x:%02x.%x does not end its reset", where.bus, where.device,
          where.function);
  }
}

}  // namespace

void virtio_find_devices() {
  g_device_count = 0;
  pci_visit(found, nullptr);
}

const VirtioRegisters* virtio_device(VirtioType type) {
  for (size_t index = 0; index < g_device_count; ++index)
    if (g_devices[index].type == type) return &g_devices[index];
  return nullptr;
}

void virtio_reset_all() {
  pci_visit(reset_visited, nullptr);
}

bool virtio_reset(volatile VirtioCommon* common) {
  common->device_status = 0;
  // Counted, not timed: the crash path does not trust the clock. A read leaves the guest, at least 0.3 µs each.
  for (unsigned left = 200'000; left > 0; --left)
    if (common->device_status == 0) return true;
  return false;
}

Result<void> VirtioDevice::start(const VirtioRegisters& registers, uint64_t wanted) {
  registers_ = &registers;
  volatile VirtioCommon* common = registers.common;
  if (!virtio_reset(common)) return Error::Io;
  common->device_status = kAcknowledge;
  common->device_status = kAcknowledge | kDriver;
  common->device_feature_select = 0;
  uint64_t offered = common->device_feature;
  common->device_feature_select = 1;
  offered |= uint64_t{common->device_feature} << 32;
  features_ = offered & (wanted | kVirtioVersion1);
  common->driver_feature_select = 0;
  common->driver_feature = static_cast<uint32_t>(features_);
  common->driver_feature_select = 1;
  common->driver_feature = static_cast<uint32_t>(features_ >> 32);
  common->device_status = kAcknowledge | kDriver | kFeaturesOk;
  if (!has(kVirtioVersion1) || !(common->device_status & kFeaturesOk)) {
    fail();
    return Error::NotSupported;
  }
  common->msix_config = kNoVector;
  return {};
}

uint16_t VirtioDevice::queue_limit(uint16_t index) {
  if (index >= registers_->common->queue_count) return 0;
  registers_->common->queue_select = index;
  return registers_->common->queue_size;
}

Result<void> VirtioDevice::add_queue(uint16_t index, Virtqueue& queue, uint16_t vector) {
  volatile VirtioCommon* common = registers_->common;
  common->queue_select = index;
  common->queue_size = queue.size();
  const auto set = [](volatile uint32_t(&place)[2], uint64_t address) {
    place[0] = static_cast<uint32_t>(address);
    place[1] = static_cast<uint32_t>(address >> 32);
  };
  set(common->queue_descriptors, queue.descriptor_area());
  set(common->queue_driver, queue.driver_area());
  set(common->queue_device, queue.device_area());
  common->queue_msix_vector = vector;
  if (common->queue_msix_vector != vector) return Error::NoSpace;  // section 4.1.5.1.2.1
  queue.index_ = index;
  const uint64_t doorbell = uint64_t{common->queue_notify_offset} * registers_->notify_multiplier;
  if (doorbell + 2 > registers_->notify_length) return Error::Io;
  queue.notify_offset_ = static_cast<uint32_t>(doorbell);
  common->queue_enable = 1;
  return {};
}

void VirtioDevice::ready() {
  registers_->common->device_status = kAcknowledge | kDriver | kFeaturesOk | kDriverOk;
}

void VirtioDevice::fail() {
  registers_->common->device_status = registers_->common->device_status | kFailed;
  virtio_reset(registers_->common);
}

void VirtioDevice::notify(const Virtqueue& queue) {
  // Always rung: the device's wish not to be (VIRTQ_USED_F_NO_NOTIFY) may be seen too late where the machine drops
  // fences, as QEMU's TCG does for a guest with one CPU, and then the request would be forgotten.
  *reinterpret_cast<volatile uint16_t*>(registers_->notify + queue.notify_offset_) = queue.index_;
}

uint8_t VirtioDevice::read_configuration8(uint32_t offset) const {
  if (registers_->configuration == nullptr || offset >= registers_->configuration_length) return 0;
  return registers_->configuration[offset];
}

uint32_t VirtioDevice::read_configuration32(uint32_t offset) const {
  if (registers_->configuration == nullptr || offset + 4 > registers_->configuration_length) return 0;
  return *reinterpret_cast<volatile uint32_t*>(registers_->configuration + offset);
}

uint64_t VirtioDevice::read_configuration64(uint32_t offset) const {
  uint64_t value = 0;
  for (int left = 100; left > 0; --left) {
    const uint8_t generation = registers_->common->config_generation;
    value = read_configuration32(offset) | uint64_t{read_configuration32(offset + 4)} << 32;
    if (registers_->common->config_generation == generation) break;
  }
  return value;
}

}  // namespace kernel
