// What the crash path needs and must not look for when it is needed: memory, the place of the dump slots, the disk's
// registers. Filled by crash_prepare() at boot; a checksum says at the crash whether it is still what it was.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernel/crash/dump_slot.h"
#include "kernel/crash/seekable_compressor.h"
#include "kernel/drivers/virtio.h"

namespace kernel {

struct CrashReserve {
  PhysicalAddress physical;  // one contiguous range
  uint64_t size;             // bytes, 0: no memory was to be had
  CompressorMemory compressor;
  std::span<uint8_t> slot_buffers[2];
  void* disk_pages;      // PolledDisk::kPages
  std::span<uint32_t> stored_at;  // CrashState's
  void* extended_state;  // g_cpu.xsave_size bytes, 64-byte aligned
  bool has_disk;
  VirtioRegisters disk;
  DumpPartition partition;   // slot_count 0: none
  const char* no_partition;  // why there is none
  uint32_t checksum;         // of all bytes before it
};

// Null: crash_prepare() has not been here, or the record is damaged.
const CrashReserve* crash_reserve();

}  // namespace kernel
