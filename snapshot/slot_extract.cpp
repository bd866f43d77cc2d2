// Getting a dump out of its slot.
#include <fmt/format.h>

#include <algorithm>

#include "snapshot/cut_dump.h"
#include "snapshot/little_endian.h"
#include "snapshot/slots.h"
#include "snapshot/zstd_frames.h"

namespace mortem::snapshot {
namespace {

constexpr size_t kPiece = 1 << 20;

struct Extraction {
  const ByteSource& image;
  const Slot& slot;
  const std::filesystem::path& path;
  const Progress& progress;

  // Copies bytes of the dump to offset `to` of the file; returns their CRC-32.
  Result<uint32_t> copy(OutputFile& file, uint64_t from, uint64_t length, uint64_t to) const {
    std::vector<uint8_t> piece(std::min<uint64_t>(kPiece, length));
    uint32_t checksum = 0;
    for (uint64_t done = 0; done < length;) {
      const auto part = std::span(piece).first(std::min<uint64_t>(kPiece, length - done));
      TRY_VOID(image.read(slot.dump_offset + from + done, part));
      TRY_VOID(file.write(to + done, part));
      checksum = format::crc32(part, checksum);
      done += part.size();
      if (progress && progress(done, length) == ProgressAnswer::Cancel)
        return failure(ErrorKind::System, fmt::format("{}: cancelled, nothing was written", path.string()));
    }
    return checksum;
  }

  tl::unexpected<Error> refuse(ErrorKind kind, const std::string& why) const {
    return failure(kind, fmt::format("{}: slot {}: {}", image.name(), slot.index, why));
  }
};

// The guest that runs on this image has put something newer there since its header was read.
bool is_overwritten(const ByteSource& image, const Slot& slot) {
  format::SlotHeader now;
  return image.read(slot.offset, writable_bytes_of(now)) &&
         (now.sequence != slot.header.sequence || now.state != slot.header.state);
}

Result<uint64_t> extract_whole(const Extraction& extraction, OutputFile& file, Trust trust) {
  const format::SlotHeader& header = extraction.slot.header;
  const uint32_t checksum = TRY(extraction.copy(file, 0, header.stored_length, 0));
  if (checksum != header.dump_checksum && is_overwritten(extraction.image, extraction.slot))
    return extraction.refuse(ErrorKind::Unavailable, "the guest has crashed again and written over it; pull again");
  if (checksum != header.dump_checksum && trust == Trust::WholeOnly)
    return extraction.refuse(ErrorKind::BadInput,
                             fmt::format("the dump fails its checksum ({:08x}, its header says {:08x}): the image is "
                                         "damaged; pull it with force to look at what is left",
                                         checksum, header.dump_checksum));
  return header.stored_length;
}

// The frames that the guest finished. Behind them may stand frames of an older dump in the same slot; they do not
// start where the new ones end, except by chance.
Result<uint64_t> extract_cut_short(const Extraction& extraction, OutputFile& file) {
  auto capacity = TRY(open_subrange(std::shared_ptr<const ByteSource>(std::shared_ptr<void>(), &extraction.image),
                                    extraction.slot.dump_offset, extraction.slot.dump_capacity,
                                    fmt::format("{} slot {}", extraction.image.name(), extraction.slot.index)));
  FrameWalk walk = TRY(walk_frames(*capacity));
  // The last one may have its start from the new dump and its end from the older one.
  for (size_t index = 0; index < walk.frames.size(); ++index)
    if (!expand_frame(*capacity, walk.frames[index], index)) walk.frames.resize(index);
  if (walk.frames.empty())
    return extraction.refuse(ErrorKind::NotFound, "the guest ended before it had written anything of its dump");
  MendedStart start = TRY(mend_cut_dump(*capacity, walk.frames));
  TRY_VOID(file.write(0, start.bytes));
  uint64_t written = start.bytes.size();
  const uint64_t rest = start.replaced < walk.frames.size() ? walk.frames[start.replaced].compressed_offset : 0;
  const uint64_t end = walk.frames.back().compressed_offset + walk.frames.back().compressed_size;
  if (rest != 0) {
    TRY(extraction.copy(file, rest, end - rest, written));
    written += end - rest;
  }
  start.frames.insert(start.frames.end(), walk.frames.begin() + static_cast<ptrdiff_t>(start.replaced),
                      walk.frames.end());
  const std::vector<uint8_t> table = make_seek_table(start.frames);
  TRY_VOID(file.write(written, table));
  return written + table.size();
}

}  // namespace

Result<uint64_t> extract_slot(const DiskImage& image, const Slot& slot, const std::filesystem::path& path, Trust trust,
                              Existing existing, const Progress& progress) {
  const Extraction extraction{*image.bytes(), slot, path, progress};
  switch (slot.condition) {
    case SlotCondition::Empty:
      return extraction.refuse(ErrorKind::NotFound, "is empty");
    case SlotCondition::Damaged:
      return extraction.refuse(ErrorKind::BadInput, slot.problem);
    case SlotCondition::CutShort:
      if (trust == Trust::WholeOnly)
        return extraction.refuse(
            ErrorKind::Unavailable,
            "the dump was cut short: the guest ended while it wrote; pull it with force to get what "
            "is there");
      break;
    case SlotCondition::Partial:
    case SlotCondition::Complete:
      if (slot.header.stored_length == 0)
        return extraction.refuse(ErrorKind::NotFound, "holds a text record and no dump");
      break;
  }
  OutputFile file = TRY(OutputFile::create(path, existing));
  const uint64_t written = slot.condition == SlotCondition::CutShort ? TRY(extract_cut_short(extraction, file))
                                                                     : TRY(extract_whole(extraction, file, trust));
  TRY_VOID(file.synchronize());  // the slot may be released right after this
  TRY_VOID(file.commit());
  return written;
}

}  // namespace mortem::snapshot
