#include "kernel/drivers/partition_table.h"

#include "kernel/library/log.h"
#include "kernel/memory/heap.h"
#include "snapshot/format/checksum.h"

namespace kernel {
namespace {

constexpr uint64_t kSector = 512;
constexpr char kSignature[8] = {'E', 'F', 'I', ' ', 'P', 'A', 'R', 'T'};

struct TableHeader {
  char signature[8];
  uint32_t revision, header_size, header_checksum, reserved;
  uint64_t own_sector, other_sector, first_usable, last_usable;
  uint8_t disk_id[16];
  uint64_t entries_sector;
  uint32_t entry_count, entry_size, entries_checksum;
} __attribute__((packed));
static_assert(sizeof(TableHeader) == 92);

struct TableEntry {
  uint8_t type[16], id[16];
  uint64_t first_sector, last_sector;  // inclusive
  uint64_t attributes;
};

struct Buffer {
  explicit Buffer(size_t size) : bytes(static_cast<uint8_t*>(heap_allocate(size))) {}
  ~Buffer() { heap_free(bytes); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  uint8_t* bytes;
};

// NoData: no signature there; Io: damaged or not readable.
Result<TableHeader> read_header(BlockDevice& device, uint64_t sector) {
  uint8_t bytes[kSector];
  TRY(device.read(sector * kSector, bytes));
  TableHeader header;
  __builtin_memcpy(&header, bytes, sizeof header);
  if (__builtin_memcmp(header.signature, kSignature, sizeof kSignature) != 0) return Error::NoData;
  if (header.header_size < sizeof header || header.header_size > kSector) return Error::Io;
  __builtin_memset(bytes + offsetof(TableHeader, header_checksum), 0, 4);
  if (mortem::format::crc32({bytes, header.header_size}) != header.header_checksum) return Error::Io;
  if (header.own_sector != sector) return Error::Io;
  return header;
}

Result<Partition> search(BlockDevice& device, uint64_t header_sector, const uint8_t (&type)[16]) {
  const TableHeader header = TRY(read_header(device, header_sector));
  // Section 5.3.2: entries of 128 × 2^n bytes; 16 KiB of them are usual, 128 KiB more than anyone has.
  if (header.entry_size < sizeof(TableEntry) || header.entry_size > 4096 || header.entry_size % 128 != 0 ||
      header.entry_count == 0 || header.entry_count > (128 << 10) / header.entry_size)
    return Error::Io;
  const size_t size = size_t{header.entry_count} * header.entry_size;
  const size_t rounded = (size + kSector - 1) / kSector * kSector;
  if (header.entries_sector >= device.size() / kSector) return Error::Io;
  Buffer entries(rounded);
  if (entries.bytes == nullptr) return Error::NoMemory;
  TRY(device.read(header.entries_sector * kSector, {entries.bytes, rounded}));
  if (mortem::format::crc32({entries.bytes, size}) != header.entries_checksum) return Error::Io;

  for (size_t at = 0; at < size; at += header.entry_size) {
    TableEntry entry;
    __builtin_memcpy(&entry, entries.bytes + at, sizeof entry);
    if (__builtin_memcmp(entry.type, type, sizeof type) != 0) continue;
    if (entry.last_sector < entry.first_sector || entry.last_sector >= device.size() / kSector) {
      log(LogLevel::Warning, "disk: partition %zu ends at sector %lu, behind the end of the disk",
          at / header.entry_size + 1, static_cast<unsigned long>(entry.last_sector));
      return Error::Io;
    }
    return Partition{entry.first_sector * kSector, (entry.last_sector - entry.first_sector + 1) * kSector};
  }
  return Error::NoDevice;
}

}  // namespace

Result<Partition> find_partition_on(BlockDevice& device, const uint8_t (&type)[16]) {
  const uint64_t sectors = device.size() / kSector;
  if (sectors < 3) return Error::NoDevice;
  auto primary = search(device, 1, type);
  if (primary || (primary.error() != Error::Io && primary.error() != Error::NoData)) return primary;
  const bool damaged = primary.error() == Error::Io;
  if (damaged) log(LogLevel::Warning, "disk: the partition table at its start is damaged, trying the copy at its end");
  auto backup = search(device, sectors - 1, type);
  if (backup) return backup;
  if (!damaged && backup.error() == Error::NoData) return Error::NoDevice;  // a disk without partitions
  if (backup.error() == Error::Io || backup.error() == Error::NoData) {
    log(LogLevel::Warning, "disk: there is no whole partition table, neither at sector 1 nor at sector %lu",
        static_cast<unsigned long>(sectors - 1));
    return Error::Io;
  }
  return backup;
}

Result<Partition> find_partition(const uint8_t (&type)[16]) {
  if (disk() == nullptr) return Error::NoDevice;
  return find_partition_on(*disk(), type);
}

}  // namespace kernel
