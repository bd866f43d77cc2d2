// virtio-blk (virtio 1.1, section 5.2) for the dump: started anew on memory of the crash path's own, one request at a
// time, polled, bounded, without interrupts or allocation.
#pragma once

#include "kernel/crash/deadline.h"
#include "kernel/crash/dump_disk.h"
#include "kernel/drivers/virtio.h"

namespace kernel {

class PolledDisk final : public DumpDisk {
 public:
  static constexpr size_t kPages = 2;

  // `pages`: kPages contiguous pages in the direct map. Call open() again after something went wrong.
  bool open(const VirtioRegisters& registers, void* pages, Deadline deadline);

  // Buffers: contiguous physical memory in the direct map.
  bool read(uint64_t offset, void* to, size_t size) override;
  bool write(uint64_t offset, const void* from, size_t size) override;
  bool flush() override;
  const char* error() const override { return error_; }

 private:
  enum class Operation : uint32_t { Read = 0, Write = 1, Flush = 4 };  // VIRTIO_BLK_T_…
  struct Request {
    Operation operation;
    uint32_t reserved;
    uint64_t sector;
    uint8_t status;
  };

  bool begin(Operation operation, uint64_t offset, const void* data, size_t size);
  bool wait();
  bool fail(const char* why) { return error_ = why, false; }

  VirtioRegisters registers_{};
  VirtioDevice device_;
  Virtqueue queue_;
  volatile Request* request_ = nullptr;
  uint64_t request_physical_ = 0;
  uint64_t size_ = 0;
  bool open_ = false, pending_ = false, read_only_ = false, can_flush_ = false;
  Deadline deadline_;
  const char* error_ = "the disk was not opened";
};

}  // namespace kernel
