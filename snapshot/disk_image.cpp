// GPT: UEFI 2.10, chapter 5.3.
#include "snapshot/disk_image.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "snapshot/format/checksum.h"
#include "snapshot/format/slot.h"
#include "snapshot/little_endian.h"

namespace mortem::snapshot {
namespace {

constexpr uint64_t kSectorSize = 512;
constexpr uint32_t kMinimumHeaderSize = 92;
constexpr uint32_t kMaximumEntries = 4096;

struct GptHeader {
  char signature[8];
  uint32_t revision, header_size, header_checksum, reserved;
  uint64_t own_sector, other_sector, first_usable, last_usable;
  uint8_t disk[16];
  uint64_t entries_sector;
  uint32_t entry_count, entry_size, entries_checksum, padding;
};
static_assert(sizeof(GptHeader) == 96);

struct GptEntry {
  uint8_t type[16], identity[16];
  uint64_t first_sector, last_sector, attributes;  // last_sector: inclusive
  uint16_t name[36];                               // UTF-16LE
};
static_assert(sizeof(GptEntry) == 128);

struct Table {
  std::vector<Partition> partitions;
  std::string problem;   // not empty: why this table cannot be used
  bool present = false;  // the signature is there
};

// Names are for display: a code unit that is no character by itself becomes U+FFFD.
std::string utf8(std::span<const uint16_t> units) {
  std::string text;
  for (uint16_t unit : units) {
    if (unit == 0) break;
    if (unit >= 0xD800 && unit <= 0xDFFF) unit = 0xFFFD;
    if (unit < 0x80) {
      text += static_cast<char>(unit);
    } else if (unit < 0x800) {
      text += static_cast<char>(0xC0 | unit >> 6);
      text += static_cast<char>(0x80 | (unit & 0x3F));
    } else {
      text += static_cast<char>(0xE0 | unit >> 12);
      text += static_cast<char>(0x80 | (unit >> 6 & 0x3F));
      text += static_cast<char>(0x80 | (unit & 0x3F));
    }
  }
  return text;
}

Result<Table> read_table(const ByteSource& image, uint64_t sector) {
  Table table;
  auto unusable = [&](std::string why) {
    table.problem = std::move(why);
    table.partitions.clear();
    return table;
  };
  std::array<uint8_t, kSectorSize> bytes;
  TRY_VOID(image.read(sector * kSectorSize, bytes));
  const GptHeader header = *load<GptHeader>(bytes);
  if (std::memcmp(header.signature, "EFI PART", 8) != 0) return unusable("no GPT");
  table.present = true;
  if (header.header_size < kMinimumHeaderSize || header.header_size > kSectorSize)
    return unusable(fmt::format("a GPT header of {} bytes", header.header_size));
  std::memset(bytes.data() + offsetof(GptHeader, header_checksum), 0, sizeof(uint32_t));
  if (format::crc32(std::span(bytes).first(header.header_size)) != header.header_checksum)
    return unusable(fmt::format("the GPT header at offset {:#x} fails its checksum", sector * kSectorSize));
  if (header.own_sector != sector)
    return unusable(fmt::format("the GPT header of sector {} says {}", sector, header.own_sector));
  if (header.entry_size < sizeof(GptEntry) || header.entry_size > 4096 || header.entry_count > kMaximumEntries)
    return unusable(fmt::format("a GPT of {} entries of {} bytes", header.entry_count, header.entry_size));

  std::vector<uint8_t> entries(size_t{header.entry_count} * header.entry_size);
  if (header.entries_sector > image.size() / kSectorSize ||
      entries.size() > image.size() - header.entries_sector * kSectorSize)
    return unusable(fmt::format("the GPT's entries at sector {} are past the end", header.entries_sector));
  TRY_VOID(image.read(header.entries_sector * kSectorSize, entries));
  if (format::crc32(entries) != header.entries_checksum)
    return unusable(
        fmt::format("the GPT's entries at offset {:#x} fail their checksum", header.entries_sector * kSectorSize));

  for (uint32_t index = 0; index < header.entry_count; ++index) {
    const GptEntry entry = *load<GptEntry>(entries, size_t{index} * header.entry_size);
    Partition partition;
    std::copy_n(entry.type, 16, partition.type.begin());
    if (partition.type == Guid{}) continue;
    std::copy_n(entry.identity, 16, partition.identity.begin());
    if (entry.last_sector < entry.first_sector || entry.last_sector >= UINT64_MAX / kSectorSize)
      return unusable(
          fmt::format("GPT entry {} is from sector {} to {}", index + 1, entry.first_sector, entry.last_sector));
    partition.number = index + 1;
    partition.offset = entry.first_sector * kSectorSize;
    partition.length = (entry.last_sector - entry.first_sector + 1) * kSectorSize;
    partition.name = utf8(entry.name);
    table.partitions.push_back(std::move(partition));
  }
  return table;
}

// Other formats that people are given; they need a conversion until this library reads them.
const char* foreign_format(std::span<const uint8_t> start) {
  struct Magic {
    const char* bytes;
    size_t length;
    const char* name;
  };
  static constexpr Magic kMagics[] = {
      {"QFI\xFB", 4, "qcow2"},
      {"KDMV", 4, "VMDK"},
      {"# Disk Descriptor", 17, "VMDK"},
      {"conectix", 8, "VHD"},
      {"vhdxfile", 8, "VHDX"},
      {"\x1F\x8B", 2, "gzip-compressed"},
      {"\xFD"
       "7zXZ",
       5, "xz-compressed"},
  };
  for (const Magic& magic : kMagics)
    if (start.size() >= magic.length && std::memcmp(start.data(), magic.bytes, magic.length) == 0) return magic.name;
  return nullptr;
}

}  // namespace

std::string guid_text(const Guid& guid) {
  return fmt::format("{:08X}-{:04X}-{:04X}-{:02X}{:02X}-{:02X}{:02X}{:02X}{:02X}{:02X}{:02X}", *load<uint32_t>(guid, 0),
                     *load<uint16_t>(guid, 4), *load<uint16_t>(guid, 6), guid[8], guid[9], guid[10], guid[11], guid[12],
                     guid[13], guid[14], guid[15]);
}

Result<DiskImage> DiskImage::open(const std::filesystem::path& path) {
  return from(TRY(open_bytes(path)));
}

namespace {

// QEMU's name for the format; empty: raw, or none of its.
std::string qemu_driver(const ByteSource& bytes) {
  std::array<uint8_t, 32> start{};
  const auto head = std::span(start).first(std::min<uint64_t>(start.size(), bytes.size()));
  if (!bytes.read(0, head)) return {};
  constexpr std::pair<std::string_view, const char*> kDrivers[] = {
      {"qcow2", "qcow2"}, {"VMDK", "vmdk"}, {"VHD", "vpc"}, {"VHDX", "vhdx"}};
  const char* format = foreign_format(head);
  for (const auto& [name, driver] : kDrivers)
    if (format && name == format) return driver;
  // A fixed VHD is raw with a footer behind it (VHD specification, "Hard Disk Footer Format"): read as raw.
  return {};
}

}  // namespace

Result<DiskImage> DiskImage::open_any(const std::filesystem::path& path) {
  auto plain = TRY(open_plain_file(path));
  const std::string driver = qemu_driver(*plain);
  if (driver.empty()) return open(path);
  return from(TRY(open_nbd_image(path, driver)));
}

Result<std::string> DiskImage::format_of(const std::filesystem::path& path) {
  const auto plain = TRY(open_plain_file(path));
  const std::string driver = qemu_driver(*plain);
  return driver.empty() ? std::string("raw") : driver;
}

bool DiskImage::looks_like(const std::filesystem::path& path) {
  const auto plain = open_plain_file(path);
  if (!plain) return false;
  if (!qemu_driver(**plain).empty()) return true;
  std::array<uint8_t, 8> signature{};
  return (*plain)->size() > 2 * kSectorSize && (*plain)->read(kSectorSize, signature).has_value() &&
         std::memcmp(signature.data(), "EFI PART", signature.size()) == 0;
}

Result<DiskImage> DiskImage::from(std::shared_ptr<const ByteSource> bytes) {
  const std::string& name = bytes->name();
  std::array<uint8_t, 32> start{};
  const auto head = std::span(start).first(std::min<uint64_t>(start.size(), bytes->size()));
  TRY_VOID(bytes->read(0, head));
  if (const char* format = foreign_format(head))
    return failure(
        ErrorKind::Unsupported,
        fmt::format("{}: a {} file, only raw disk images are read: convert it first (qemu-img convert -O raw, "
                    "or unpack it)",
                    name, format));
  if (bytes->size() < 3 * kSectorSize)
    return failure(ErrorKind::BadInput, fmt::format("{}: too short for a disk image ({} bytes)", name, bytes->size()));

  Table table = TRY(read_table(*bytes, 1));
  bool from_backup = false;
  if (!table.problem.empty()) {
    Table backup = TRY(read_table(*bytes, bytes->size() / kSectorSize - 1));
    if (!backup.problem.empty())
      return failure(ErrorKind::BadInput,
                     table.present
                         ? fmt::format("{}: {}, and there is no good backup at the end: the image is damaged or "
                                       "was cut",
                                       name, table.problem)
                         : fmt::format("{}: no GPT: not a disk image made by mortem image create", name));
    table = std::move(backup);
    from_backup = true;
  }
  for (const Partition& partition : table.partitions)
    if (partition.offset > bytes->size() || partition.length > bytes->size() - partition.offset)
      return failure(
          ErrorKind::BadInput,
          fmt::format("{}: truncated image: partition {} is {:#x} bytes at offset {:#x}, the file has {:#x} bytes",
                      name, partition.number, partition.length, partition.offset, bytes->size()));
  return DiskImage(std::move(bytes), std::move(table.partitions), from_backup);
}

const Partition* DiskImage::find(std::span<const uint8_t, 16> type) const {
  for (const Partition& partition : partitions_)
    if (std::equal(type.begin(), type.end(), partition.type.begin())) return &partition;
  return nullptr;
}

Result<Partition> DiskImage::dump_partition() const {
  if (const Partition* partition = find(format::kDumpPartitionType)) return *partition;
  return failure(ErrorKind::NotFound, fmt::format("{}: no dump partition: not made by mortem image create", name()));
}

Result<Partition> DiskImage::root_partition() const {
  if (const Partition* partition = find(format::kRootPartitionType)) return *partition;
  return failure(ErrorKind::NotFound, fmt::format("{}: no root partition: not made by mortem image create", name()));
}

}  // namespace mortem::snapshot
