// virtio 1.1 over PCI, the modern interface only (section 4.1). Nothing here allocates, locks or waits for interrupts,
// so that the crash path can drive a device with memory of its own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernel/drivers/pci.h"
#include "kernel/drivers/virtqueue.h"
#include "kernel/library/result.h"

namespace kernel {

inline constexpr uint16_t kVirtioVendor = 0x1AF4;

enum class VirtioType : uint16_t { Network = 1, Block = 2, Console = 3, Entropy = 4 };  // section 5

// struct virtio_pci_common_cfg, section 4.1.4.3.
struct VirtioCommon {
  uint32_t device_feature_select, device_feature, driver_feature_select, driver_feature;
  uint16_t msix_config, queue_count;
  uint8_t device_status, config_generation;
  uint16_t queue_select, queue_size, queue_msix_vector, queue_enable, queue_notify_offset;
  uint32_t queue_descriptors[2], queue_driver[2], queue_device[2];  // low, high: two 32-bit accesses each
};
static_assert(sizeof(VirtioCommon) == 56);

// Where the registers of one device are mapped. Filled at boot for every virtio device, whether it has a driver or not.
struct VirtioRegisters {
  PciAddress where;
  VirtioType type;
  uint64_t common_physical;  // to check against PCI before use in the crash path
  volatile VirtioCommon* common;
  volatile uint8_t* notify;
  uint32_t notify_length, notify_multiplier;
  volatile uint8_t* configuration;  // null: the device has none
  uint32_t configuration_length;
};

// Finds and maps all virtio devices. Called once, at boot.
void virtio_find_devices();
// The first device of a type; null: there is none, or it only has the old interface (that was logged).
const VirtioRegisters* virtio_device(VirtioType type);

inline constexpr uint64_t kVirtioVersion1 = uint64_t{1} << 32;
inline constexpr uint16_t kNoVector = 0xFFFF;

class VirtioDevice {
 public:
  // Reset, then ACKNOWLEDGE, DRIVER, features, FEATURES_OK (section 3.1.1). `wanted` features are taken if offered;
  // VERSION_1 is required.
  Result<void> start(const VirtioRegisters& registers, uint64_t wanted);
  // Tells the device about a queue whose memory is set up. `vector`: an entry of the MSI-X table, or kNoVector.
  Result<void> add_queue(uint16_t index, Virtqueue& queue, uint16_t vector);
  uint16_t queue_limit(uint16_t index);  // largest size of a queue; 0: no such queue
  void ready();                          // DRIVER_OK
  void fail();                           // FAILED, and reset: the device touches no memory any more
  bool has(uint64_t feature) const { return (features_ & feature) != 0; }

  void notify(const Virtqueue& queue);
  // Device configuration, little-endian; 0 behind its end.
  uint8_t read_configuration8(uint32_t offset) const;
  uint32_t read_configuration32(uint32_t offset) const;
  uint64_t read_configuration64(uint32_t offset) const;  // consistent: by the generation counter

 private:
  const VirtioRegisters* registers_ = nullptr;
  uint64_t features_ = 0;
};

// Writes 0 to device_status and waits (bounded) until it reads 0; false: it did not.
bool virtio_reset(volatile VirtioCommon* common);

}  // namespace kernel
