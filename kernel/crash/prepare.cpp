#include "kernel/arch/x86_64/cpu.h"
#include "kernel/arch/x86_64/interrupts.h"
#include "kernel/crash/crash.h"
#include "kernel/crash/crash_again.h"
#include "kernel/crash/deadline.h"
#include "kernel/crash/dump_plan.h"
#include "kernel/crash/polled_disk.h"
#include "kernel/crash/reserve.h"
#include "kernel/crash/stages.h"
#include "kernel/drivers/block_device.h"
#include "kernel/library/command_line.h"
#include "kernel/library/log.h"
#include "kernel/memory/physical.h"

namespace kernel {

using namespace mortem::format;

namespace {

constinit CrashReserve g_reserve{};

uint32_t checksum(const CrashReserve& reserve) {
  return crc32({reinterpret_cast<const uint8_t*>(&reserve), offsetof(CrashReserve, checksum)});
}

// Hands out pieces of one range; the first round, without memory, only measures.
class Carver {
 public:
  explicit Carver(uint8_t* memory) : memory_(memory) {}
  std::span<uint8_t> take(size_t size, size_t alignment) {
    used_ = (used_ + alignment - 1) & ~(alignment - 1);
    std::span<uint8_t> piece(memory_ + used_, size);
    used_ += size;
    return piece;
  }
  size_t used() const { return used_; }

 private:
  uint8_t* memory_;
  size_t used_ = 0;
};

void carve(Carver& carver, CrashReserve& reserve) {
  // Everything that can ever be in a core: all RAM, zeros, and some for headers and notes.
  constexpr uint64_t kHeadersAndNotes = 64 << 20;
  const uint64_t largest = ram_page_count() * kPageSize + kStoredZeroBudget + kHeadersAndNotes;
  const size_t table_size = (largest / kFrameSize + 1) * 2 * sizeof(uint32_t);
  reserve.disk_pages = carver.take(PolledDisk::kPages * kPageSize, kPageSize).data();
  for (auto& buffer : reserve.slot_buffers) buffer = carver.take(DumpSlot::kBufferSize, kPageSize);
  reserve.extended_state = carver.take(g_cpu.xsave_size, 64).data();
  reserve.compressor.workspace = carver.take(compressor_workspace_size(), 64);
  reserve.compressor.frame = carver.take(kFrameSize, 64);
  reserve.compressor.output = carver.take(compressor_output_size(), 64);
  const auto stored_at = carver.take(memory_page_count() * sizeof(uint32_t), 64);
  reserve.stored_at = {reinterpret_cast<uint32_t*>(stored_at.data()), memory_page_count()};
  const auto table = carver.take(table_size, 64);
  reserve.compressor.table = {reinterpret_cast<uint32_t*>(table.data()), table_size / sizeof(uint32_t)};
}

void reserve_memory() {
  Carver measure(nullptr);
  carve(measure, g_reserve);
  const size_t pages = page_up(measure.used()) / kPageSize;
  auto memory = allocate_untouched_pages(pages, PageOwner::KernelHeap);
  if (memory.is_error()) {
    g_reserve = {};
    log(LogLevel::Warning, "crash: no memory to reserve (%zu KiB): a crash will leave a report, no dump",
        pages * kPageSize / 1024);
    return;
  }
  g_reserve.physical = memory.value();
  g_reserve.size = pages * kPageSize;
  Carver carver(direct_map<uint8_t>(g_reserve.physical));
  carve(carver, g_reserve);
}

const char* find_slots(DumpPartition& to) {
  if (disk() == nullptr) return "there is no disk";
  auto partition = find_partition(kDumpPartitionType);
  if (partition.is_error()) return "the disk has no dump partition";
  static uint8_t block[kBlockSize];
  if (disk()->read(partition.value().offset, block).is_error()) return "the dump partition is not readable";
  PartitionHeader header;
  __builtin_memcpy(&header, block, sizeof header);
  if (__builtin_memcmp(header.magic, kPartitionMagic, sizeof kPartitionMagic) != 0 ||
      header.checksum != header_checksum(header))
    return "the dump partition has no valid header";
  if (header.version != kSlotVersion) return "the dump partition is of another version";
  const uint64_t room = partition.value().length - kBlockSize;
  if (header.slot_count == 0 || header.slot_size % kBlockSize != 0 || header.slot_size < 4 * kBlockSize ||
      header.slot_size > room || header.slot_count > room / header.slot_size)
    return "the dump partition is smaller than its header says";
  to.offset = partition.value().offset;
  to.length = partition.value().length;
  to.slot_size = header.slot_size;
  to.slot_count = header.slot_count;
  __builtin_memcpy(to.disk_id, header.disk_id, sizeof to.disk_id);
  return nullptr;
}

// `report,full-dump`: names of stages.
void provoke(const char* names) {
  uint32_t stages = 0;
  while (names != nullptr && *names != 0) {
    size_t length = 0;
    while (names[length] != 0 && names[length] != ',') ++length;
    for (unsigned stage = 0; stage <= static_cast<unsigned>(CrashStage::Leave); ++stage) {
      const char* const name = stage_name(static_cast<CrashStage>(stage));
      if (__builtin_strlen(name) == length && __builtin_memcmp(name, names, length) == 0) stages |= 1u << stage;
    }
    names += names[length] == ',' ? length + 1 : length;
  }
  crash_provoke(stages);
}

}  // namespace

namespace {

// The disk and its slots, as they are now.
void find_disk() {
  g_reserve.has_disk = false;
  if (const VirtioRegisters* registers = virtio_device(VirtioType::Block); registers != nullptr) {
    g_reserve.has_disk = true;
    g_reserve.disk = *registers;
  }
  g_reserve.no_partition = find_slots(g_reserve.partition);
  if (g_reserve.no_partition != nullptr) {
    g_reserve.partition = {};
    log(LogLevel::Info, "crash: no dump slots: %s", g_reserve.no_partition);
  } else {
    log(LogLevel::Info, "crash: %u dump slots of %lu KiB, %lu KiB of memory reserved", g_reserve.partition.slot_count,
        static_cast<unsigned long>(g_reserve.partition.slot_size / 1024),
        static_cast<unsigned long>(g_reserve.size / 1024));
  }
  g_reserve.checksum = checksum(g_reserve);
}

}  // namespace

void crash_prepare() {
  crash_clock_prepare(clock_parameters().multiplier);
  if (setting_is("provoke-crash", "on")) provoke(setting("crash-path-trap"));
  g_reserve = {};
  reserve_memory();
  find_disk();
}

void crash_prepare_again() {
  crash_clock_prepare(clock_parameters().multiplier);
  find_disk();
}

const CrashReserve* crash_reserve() {
  return g_reserve.size != 0 && g_reserve.checksum == checksum(g_reserve) ? &g_reserve : nullptr;
}

}  // namespace kernel
