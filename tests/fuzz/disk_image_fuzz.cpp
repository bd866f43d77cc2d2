// Any bytes as a disk image: an error or slots that can be opened. The checksums of the format would keep nearly all
// changed inputs out at the door, so an input also says which of them are put right before it is read.
#include <cstdlib>
#include <cstring>

#include "dump_builder.h"
#include "snapshot/little_endian.h"
#include "snapshot/slots.h"

using namespace mortem;

namespace {

void put(test::Bytes& image, uint64_t offset, uint32_t value) {
  if (offset <= image.size() && image.size() - offset >= 4) std::memcpy(image.data() + offset, &value, 4);
}

template <typename Header>
void repair_header(test::Bytes& image, uint64_t offset) {
  if (auto header = snapshot::load<Header>(image, offset))
    put(image, offset + offsetof(Header, checksum), format::header_checksum(*header));
}

// The places are those of the seed image (make_corpus.cpp) and what the input made of them.
void repair(test::Bytes& image) {
  const uint64_t entries = snapshot::load<uint64_t>(image, 512 + 72).value_or(0) * 512;
  const uint64_t length = uint64_t{snapshot::load<uint32_t>(image, 512 + 80).value_or(0)} *
                          snapshot::load<uint32_t>(image, 512 + 84).value_or(0);
  if (entries <= image.size() && length <= image.size() - entries)
    put(image, 512 + 88, format::crc32(std::span(image).subspan(entries, length)));
  const uint32_t header_size = snapshot::load<uint32_t>(image, 512 + 12).value_or(0);
  put(image, 512 + 16, 0);
  if (header_size <= 512 && image.size() >= 1024)
    put(image, 512 + 16, format::crc32(std::span(image).subspan(512, header_size)));
  const uint64_t partition = snapshot::load<uint64_t>(image, entries + 32).value_or(0) * 512;
  repair_header<format::PartitionHeader>(image, partition);
  const uint64_t slot_size = snapshot::load<uint64_t>(image, partition + 16).value_or(0);
  for (uint64_t index = 0; index < 4; ++index)
    repair_header<format::SlotHeader>(image, partition + format::kBlockSize + index * slot_size);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  test::Bytes bytes(data, data + size);
  const bool as_it_is = bytes.back() & 1;
  if (!as_it_is) repair(bytes);
  auto image = snapshot::DiskImage::from(test::memory_source(std::move(bytes)));
  if (!image) {
    if (image.error().message.empty() || image.error().message.find('\n') != std::string::npos) abort();
    return 0;
  }
  (void)image->root_partition();
  auto slots = snapshot::read_dump_slots(*image);
  if (!slots) return 0;
  for (const auto& slot : slots->slots) {
    if (slot.dump_offset + slot.dump_capacity > image->bytes()->size()) abort();
    (void)snapshot::open_slot_dump(*image, slot);
    static test::TemporaryFolder folder;
    (void)snapshot::extract_slot(*image, slot, folder / "out", snapshot::Trust::Force, snapshot::Existing::Replace);
    if (slot.index == 3) break;
  }
  return 0;
}
