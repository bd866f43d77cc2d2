// What writes to an image: making its dump partition, and releasing a slot of it.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/random.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "snapshot/little_endian.h"
#include "snapshot/slots.h"

namespace mortem::snapshot {
namespace {

class ImageWriter {
 public:
  static Result<ImageWriter> open(const std::filesystem::path& path) {
    const int descriptor = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
    if (descriptor < 0)
      return failure(ErrorKind::System,
                     fmt::format("{}: cannot be opened for writing: {}", path.string(), std::strerror(errno)));
    return ImageWriter(path.string(), descriptor);
  }
  ImageWriter(ImageWriter&& other) noexcept
      : name_(std::move(other.name_)), descriptor_(std::exchange(other.descriptor_, -1)) {}
  ImageWriter& operator=(ImageWriter&&) = delete;
  ~ImageWriter() {
    if (descriptor_ >= 0) close(descriptor_);
  }

  // A header of a block of its own: the rest of the block becomes zero.
  template <typename Header>
  Result<void> write_block(uint64_t offset, const Header& header, format::CrashKind kind = {}) {
    std::array<uint8_t, format::kBlockSize> block{};
    std::memcpy(block.data(), &header, sizeof(header));
    if (kind.signature != 0) format::write_crash_kind(block.data(), kind);
    const ssize_t put = pwrite(descriptor_, block.data(), block.size(), static_cast<off_t>(offset));
    if (put != static_cast<ssize_t>(block.size())) return system_failure(put < 0 ? errno : ENOSPC, offset);
    return {};
  }
  Result<void> write_release_mark(uint64_t slot_offset, uint64_t sequence) {
    format::ReleaseMark mark{};
    std::memcpy(mark.magic, format::kReleaseMarkMagic, sizeof mark.magic);
    mark.sequence = sequence;
    mark.checksum = format::header_checksum(mark);
    std::array<uint8_t, 512> sector{};
    std::memcpy(sector.data(), &mark, sizeof mark);
    const uint64_t offset = slot_offset + format::kReleaseMarkOffset;
    const ssize_t put = pwrite(descriptor_, sector.data(), sector.size(), static_cast<off_t>(offset));
    if (put != static_cast<ssize_t>(sector.size())) return system_failure(put < 0 ? errno : ENOSPC, offset);
    return {};
  }
  Result<void> synchronize() {
    if (fdatasync(descriptor_) != 0) return system_failure(errno, 0);
    return {};
  }

 private:
  ImageWriter(std::string name, int descriptor) : name_(std::move(name)), descriptor_(descriptor) {}
  Result<void> system_failure(int error, uint64_t offset) const {
    return failure(ErrorKind::System,
                   fmt::format("{}: writing at offset {:#x}: {}", name_, offset, std::strerror(error)));
  }

  std::string name_;
  int descriptor_;
};

format::SlotHeader empty_header(uint64_t sequence) {
  format::SlotHeader header{};
  std::memcpy(header.magic, format::kSlotMagic, sizeof(header.magic));
  header.version = format::kSlotVersion;
  header.state = format::SlotState::Empty;
  header.sequence = sequence;
  header.checksum = format::header_checksum(header);
  return header;
}

}  // namespace

Result<void> release_slot(const std::filesystem::path& image_path, const Slot& slot) {
  // Looked at again, because a guest may run on this image.
  const DiskImage image = TRY(DiskImage::from(TRY(open_plain_file(image_path))));
  const DumpSlots now = TRY(read_dump_slots(image));
  if (slot.index >= now.slots.size())
    return failure(ErrorKind::NotFound,
                   fmt::format("{}: no slot {}: it has {}", image.name(), slot.index, now.slots.size()));
  const Slot& current = now.slots[slot.index];
  if (current.offset != slot.offset || current.condition != slot.condition ||
      (current.condition != SlotCondition::Damaged && current.header.sequence != slot.header.sequence))
    return failure(ErrorKind::Unavailable,
                   fmt::format("{}: slot {} holds another dump by now: it is not released", image.name(), slot.index));
  ImageWriter writer = TRY(ImageWriter::open(image_path));
  // The header stays as it is, with the sequence number and the count of its kind: the guest may be writing a new one.
  if (current.condition == SlotCondition::Damaged)
    TRY_VOID(writer.write_block(current.offset, empty_header(0), current.kind));
  else
    TRY_VOID(writer.write_release_mark(current.offset, current.header.sequence));
  return writer.synchronize();
}

Result<format::PartitionHeader> write_dump_partition(const std::filesystem::path& path, uint64_t offset,
                                                     uint64_t length, uint32_t slot_count) {
  const uint64_t slot_size = slot_count == 0 || length < format::kBlockSize
                                 ? 0
                                 : (length - format::kBlockSize) / slot_count / format::kBlockSize * format::kBlockSize;
  if (slot_size < 3 * format::kBlockSize)
    return failure(ErrorKind::BadInput,
                   fmt::format("{}: {} dump slots do not fit into {} bytes", path.string(), slot_count, length));
  format::PartitionHeader header{};
  std::memcpy(header.magic, format::kPartitionMagic, sizeof(header.magic));
  header.version = format::kSlotVersion;
  header.slot_count = slot_count;
  header.slot_size = slot_size;
  if (getrandom(header.disk_id, sizeof(header.disk_id), 0) != sizeof(header.disk_id))
    return failure(ErrorKind::System, fmt::format("{}: no random disk id: {}", path.string(), std::strerror(errno)));
  header.checksum = format::header_checksum(header);

  ImageWriter writer = TRY(ImageWriter::open(path));
  TRY_VOID(writer.write_block(offset, header));
  for (uint32_t index = 0; index < slot_count; ++index)
    TRY_VOID(writer.write_block(offset + format::kBlockSize + index * slot_size, empty_header(0)));
  return header;
}

}  // namespace mortem::snapshot
