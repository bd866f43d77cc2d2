// A dump named by the disk image that it is in: "export.vmdk", its newest one, or "export.vmdk#2", that of slot 2.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "snapshot/slots.h"

namespace mortem::snapshot {

struct ImageTarget {
  std::filesystem::path image;
  std::optional<uint32_t> slot;  // nothing: the newest dump
};

// Nothing: the text names no disk image.
std::optional<ImageTarget> image_target(const std::string& text);
// Of those slots; the error says what is there instead.
Result<Slot> chosen_slot(const ImageTarget& target, const DumpSlots& slots);
// The dump where it is: nothing of it is read before it is asked for.
Result<std::unique_ptr<CoreFile>> open_image_target(const ImageTarget& target);

}  // namespace mortem::snapshot
