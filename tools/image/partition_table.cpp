#include "tools/image/partition_table.h"

#include <fmt/format.h>
#include <sys/random.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "snapshot/format/checksum.h"
#include "tools/files.h"

namespace mortem::tools {

namespace {

constexpr size_t kEntryCount = 128;     // the least that UEFI allows room for is 16 KiB: 128 entries
constexpr uint64_t kTableSectors = 33;  // header and entries

struct __attribute__((packed)) Header {  // UEFI 2.10 table 5-5
  char signature[8] = {'E', 'F', 'I', ' ', 'P', 'A', 'R', 'T'};
  uint32_t revision = 0x00010000;
  uint32_t header_size = 92;
  uint32_t checksum = 0;
  uint32_t reserved = 0;
  uint64_t own_sector = 0;
  uint64_t other_sector = 0;
  uint64_t first_usable = 0;
  uint64_t last_usable = 0;
  Guid disk{};
  uint64_t entries_sector = 0;
  uint32_t entry_count = kEntryCount;
  uint32_t entry_size = 128;
  uint32_t entries_checksum = 0;
};
static_assert(sizeof(Header) == 92);

struct __attribute__((packed)) Entry {  // UEFI 2.10 table 5-6
  Guid type{};
  Guid id{};
  uint64_t first_sector = 0;
  uint64_t last_sector = 0;
  uint64_t attributes = 0;
  uint16_t name[36] = {};
};
static_assert(sizeof(Entry) == 128);

std::span<const uint8_t> bytes_of(const auto& object) {
  return {reinterpret_cast<const uint8_t*>(&object), sizeof object};
}

Result<void> write_at(int file, const std::string& name, std::span<const uint8_t> bytes, uint64_t offset) {
  while (!bytes.empty()) {
    ssize_t written = pwrite(file, bytes.data(), bytes.size(), off_t(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return system_failure("cannot write", name);
    bytes = bytes.subspan(size_t(written));
    offset += uint64_t(written);
  }
  return {};
}

// One entry that covers the whole disk keeps tools that know no GPT away from it (UEFI 2.10, 5.2.3).
std::array<uint8_t, kSectorSize> protective_mbr(uint64_t sectors) {
  std::array<uint8_t, kSectorSize> mbr{};
  const uint8_t entry[] = {0x00, 0x00, 0x02, 0x00, 0xEE, 0xFF, 0xFF, 0xFF, 0x01, 0x00, 0x00, 0x00};
  std::memcpy(&mbr[446], entry, sizeof entry);
  const uint32_t length = uint32_t(std::min<uint64_t>(sectors - 1, 0xFFFFFFFF));
  std::memcpy(&mbr[446 + 12], &length, sizeof length);
  mbr[510] = 0x55;
  mbr[511] = 0xAA;
  return mbr;
}

}  // namespace

Guid random_guid() {
  Guid guid{};
  for (size_t done = 0; done < guid.size();) {
    ssize_t got = getrandom(&guid[done], guid.size() - done, 0);
    if (got > 0) done += size_t(got);
  }
  guid[7] = uint8_t((guid[7] & 0x0F) | 0x40);  // RFC 4122 version 4; the third field is little-endian on disk
  guid[8] = uint8_t((guid[8] & 0x3F) | 0x80);
  return guid;
}

uint64_t disk_size_for(const Partition& last) {
  const uint64_t end = last.start + last.length + kTableSectors * kSectorSize;
  return (end + kPartitionAlignment - 1) / kPartitionAlignment * kPartitionAlignment;
}

Result<void> write_partition_table(int file, const std::string& name, uint64_t disk_size, const Guid& disk_id,
                                   std::span<const Partition> partitions) {
  const uint64_t sectors = disk_size / kSectorSize;
  const uint64_t first_usable = 1 + kTableSectors, last_usable = sectors - kTableSectors - 1;
  std::array<Entry, kEntryCount> entries{};
  for (size_t index = 0; index < partitions.size(); ++index) {
    const Partition& partition = partitions[index];
    Entry& entry = entries.at(index);
    entry.type = partition.type;
    entry.id = partition.id;
    entry.first_sector = partition.start / kSectorSize;
    entry.last_sector = (partition.start + partition.length) / kSectorSize - 1;
    for (size_t at = 0; at < partition.name.size() && at < std::size(entry.name); ++at)
      entry.name[at] = uint16_t(partition.name[at]);
    if (entry.first_sector < first_usable || entry.last_sector > last_usable || partition.length == 0)
      return failure(ErrorKind::BadInput, fmt::format("{}: partition {} does not fit on the disk", name, index + 1));
  }

  Header primary;
  primary.own_sector = 1;
  primary.other_sector = sectors - 1;
  primary.first_usable = first_usable;
  primary.last_usable = last_usable;
  primary.disk = disk_id;
  primary.entries_sector = 2;
  primary.entries_checksum = format::crc32(bytes_of(entries));
  Header copy = primary;
  copy.own_sector = primary.other_sector;
  copy.other_sector = primary.own_sector;
  copy.entries_sector = sectors - kTableSectors;
  primary.checksum = format::crc32(bytes_of(primary));
  copy.checksum = format::crc32(bytes_of(copy));

  TRY_VOID(write_at(file, name, protective_mbr(sectors), 0));
  TRY_VOID(write_at(file, name, bytes_of(primary), kSectorSize));
  TRY_VOID(write_at(file, name, bytes_of(entries), 2 * kSectorSize));
  TRY_VOID(write_at(file, name, bytes_of(entries), copy.entries_sector * kSectorSize));
  return write_at(file, name, bytes_of(copy), copy.own_sector * kSectorSize);
}

}  // namespace mortem::tools
