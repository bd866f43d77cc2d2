#include "snapshot/image_target.h"

#include <fmt/format.h>

#include <charconv>

namespace mortem::snapshot {

std::optional<ImageTarget> image_target(const std::string& text) {
  std::error_code ignored;
  ImageTarget target{text, std::nullopt};
  const size_t mark = text.rfind('#');
  if (mark != std::string::npos && !std::filesystem::exists(text, ignored)) {
    uint32_t slot = 0;
    const char* end = text.data() + text.size();
    const auto read = std::from_chars(text.data() + mark + 1, end, slot);
    if (read.ec != std::errc() || read.ptr != end) return std::nullopt;
    target = {text.substr(0, mark), slot};
  }
  if (!DiskImage::looks_like(target.image)) return std::nullopt;
  return target;
}

Result<Slot> chosen_slot(const ImageTarget& target, const DumpSlots& slots) {
  if (!target.slot) {
    if (const Slot* newest = slots.newest()) return *newest;
    return failure(
        ErrorKind::NotFound,
        fmt::format("{}: a disk image without a dump: mortem pull --list shows its slots", target.image.string()));
  }
  for (const Slot& slot : slots.slots)
    if (slot.index == *target.slot && slot.has_dump()) return slot;
  return failure(ErrorKind::NotFound, fmt::format("{}: slot {} holds no whole dump: mortem pull --list shows its slots",
                                                  target.image.string(), *target.slot));
}

Result<std::unique_ptr<CoreFile>> open_image_target(const ImageTarget& target) {
  const DiskImage image = TRY(DiskImage::open_any(target.image));
  const DumpSlots slots = TRY(read_dump_slots(image));
  return open_slot_dump(image, TRY(chosen_slot(target, slots)));
}

}  // namespace mortem::snapshot
