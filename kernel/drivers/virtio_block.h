// The disk on virtio-blk (virtio 1.1, section 5.2).
#pragma once

#include "kernel/drivers/block_device.h"
#include "kernel/drivers/virtio.h"
#include "kernel/task/process.h"

namespace kernel {

class VirtioBlock : public BlockDevice {
 public:
  Result<void> initialize(const VirtioRegisters& registers);
  // In a guest that was resumed from a dump: the requests that the old device held are made again. Null: this machine
  // has no disk; all requests fail.
  void resume(const VirtioRegisters* registers);
  void make_read_only() { read_only_ = true; }

  uint64_t size() const override { return size_; }
  Result<void> read(uint64_t offset, std::span<uint8_t> to) override;
  Result<void> write(uint64_t offset, std::span<const uint8_t> from, DiskWait wait) override;
  Result<void> write_pages(uint64_t offset, std::span<uint8_t* const> pages, DiskWait wait) override;
  Result<void> read_pages(uint64_t offset, std::span<uint8_t* const> pages) override;
  Result<void> flush(DiskWait wait) override;
  bool is_read_only() const override { return read_only_; }

 private:
  enum class Operation : uint32_t { Read = 0, Write = 1, Flush = 4 };  // VIRTIO_BLK_T_…

  // What the device reads and writes besides the data; in a DMA page.
  struct Header {
    Operation operation;
    uint32_t reserved;
    uint64_t sector;
    uint8_t status;
    uint8_t padding[15];
  };
  static_assert(sizeof(Header) == 32);

  // The requests that the device holds. A dump carries this table, so that a resumed guest can make them again: the
  // chain of descriptors that starts at `head` still stands in the queue's page.
  struct Request {
    bool in_flight;
    bool done;
    uint16_t head;
    Operation operation;
    uint64_t sector;
    uint64_t length;  // bytes
    Thread* sleeper;  // who sleeps until it is done; null: nobody
  };
  static constexpr size_t kRequests = 8;
  static constexpr size_t kMaximumSegments = Virtqueue::kMaximumSize - 2;

  // Who sleeps leaves descriptors for those who poll meanwhile.
  static constexpr uint16_t kLeastQueueToSleep = 32;

  Result<void> set_up_device();  // the rest of it, when the queue is there
  Result<void> restart(const VirtioRegisters& registers);
  void give_up();
  Result<void> check(uint64_t offset, size_t size) const;
  Result<void> transfer(Operation operation, uint64_t offset, uint8_t* data, size_t size, DiskWait wait);
  Result<void> transfer_pages(Operation operation, uint64_t offset, std::span<uint8_t* const> pages, DiskWait wait);
  size_t segment_limit(DiskWait wait) const;
  // The request of the `count` segments behind segments_[0]: `moved` bytes.
  Result<void> request(Operation operation, uint64_t offset, size_t count, size_t moved, DiskWait wait);
  // Adds `data` to the segments that were gathered, as far as they reach; returns how many bytes were added.
  size_t gather(uint8_t* data, size_t size, bool device_writes, size_t limit, size_t& count);
  void drop_surplus(size_t surplus, size_t& count);
  Result<void> await(Request& request, DiskWait wait);
  void collect();  // marks the requests that are done
  static void interrupt(void* self) { static_cast<VirtioBlock*>(self)->collect(); }

  VirtioDevice device_;
  Virtqueue queue_;
  MsixTable interrupts_;
  bool has_interrupt_ = false;
  bool failed_ = false;
  bool read_only_ = false, can_flush_ = false;
  uint64_t size_ = 0;
  size_t segment_limit_ = kMaximumSegments;
  uint32_t segment_size_limit_ = ~0u;
  Header* headers_ = nullptr;  // one a request
  uint64_t headers_physical_ = 0;
  Request requests_[kRequests] = {};
  VirtqueueSegment segments_[kMaximumSegments + 2];  // of the request that is being made
};

}  // namespace kernel
