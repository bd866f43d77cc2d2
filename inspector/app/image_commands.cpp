// Dumps in a disk image: which there are, another one of them, and a copy of one as a file.
#include <fmt/chrono.h>
#include <fmt/format.h>

#include "inspector/app/workspace.h"
#include "snapshot/dump_info.h"
#include "snapshot/image_target.h"

namespace mortem::inspector::app {
namespace {

// Read by a job: an image may be far away.
struct SlotList {
  std::mutex mutex;
  std::string image;
  bool begun = false;
  std::vector<Suggestion> slots;
};

std::string slot_text(const snapshot::Slot& slot) {
  std::string text = fmt::format("slot {}", slot.index);
  if (slot.header.wall_clock_ns != 0)
    text += fmt::format("  {:%Y-%m-%d %H:%M:%S} UTC",
                        fmt::gmtime(static_cast<std::time_t>(slot.header.wall_clock_ns / 1000000000)));
  return text;
}

Result<void> read_slots(const std::string& image, SlotList& to) {
  const auto disk = TRY(snapshot::DiskImage::open_any(image));
  const auto slots = TRY(snapshot::read_dump_slots(disk));
  const std::lock_guard lock(to.mutex);
  for (const snapshot::Slot& slot : slots.slots)
    if (slot.has_dump())
      to.slots.push_back({slot_text(slot), slot.text.substr(0, slot.text.find('\n')), std::to_string(slot.index)});
  return {};
}

// Looked at once for each target: menus ask in every frame.
const std::optional<snapshot::ImageTarget>& image_of(const Workspace& workspace) {
  static std::string asked;
  static std::optional<snapshot::ImageTarget> known;
  const std::string now = workspace.session ? workspace.session->target() : std::string();
  if (now != asked) {
    asked = now;
    known = now.empty() ? std::nullopt : snapshot::image_target(now);
  }
  return known;
}

std::string no_image(const Workspace& workspace) {
  return image_of(workspace) ? "" : "what is open is no dump in a disk image";
}

std::vector<Suggestion> suggest_slots(Workspace& workspace, const std::shared_ptr<SlotList>& list) {
  const auto& target = image_of(workspace);
  if (!target) return {};
  const std::lock_guard lock(list->mutex);
  if (list->image != target->image) {
    list->image = target->image;
    list->begun = false;
    list->slots.clear();
  }
  if (!std::exchange(list->begun, true))
    workspace.jobs.start("dumps in " + list->image,
                         [image = list->image, list](JobControl&) { return read_slots(image, *list); });
  return list->slots;
}

Result<void> pull_dump(Workspace& workspace, const std::string& file) {
  const auto& target = image_of(workspace);
  if (!target) return failure(ErrorKind::Unsupported, no_image(workspace));
  workspace.jobs.start("pull to " + file, [target = *target, file](JobControl& job) -> Result<void> {
    const auto disk = TRY(snapshot::DiskImage::open_any(target.image));
    const auto slots = TRY(snapshot::read_dump_slots(disk));
    const auto slot = TRY(snapshot::chosen_slot(target, slots));
    const uint64_t bytes = TRY(snapshot::extract_slot(disk, slot, file, snapshot::Trust::WholeOnly,
                                                      snapshot::Existing::Keep, job.progress_function()));
    job.tell(fmt::format("{} bytes are in {}", bytes, file));
    return {};
  });
  return {};
}

void add_image_commands(Workspace& workspace) {
  const auto list = std::make_shared<SlotList>();
  const auto unavailable = [&workspace] { return no_image(workspace); };
  workspace.commands.add(
      {.name = "image.dump",
       .menu = "File",
       .title = "Another dump of this image",
       .argument = "Number of its slot",
       .run = [&workspace](const std::string& slot) -> Result<void> {
         const auto& target = image_of(workspace);
         if (!target) return failure(ErrorKind::Unsupported, no_image(workspace));
         workspace.command("file.open", fmt::format("{}#{}", target->image.string(), slot));
         return {};
       },
       .unavailable = unavailable,
       .suggest = [&workspace, list](const std::string&) { return suggest_slots(workspace, list); }});
  workspace.commands.add({.name = "image.pull",
                          .menu = "File",
                          .title = "Save this dump as a file",
                          .argument = "The new file",
                          .run = [&workspace](const std::string& file) { return pull_dump(workspace, file); },
                          .unavailable = unavailable,
                          .typed_first = true});
}

const CommandRegistration image_commands(add_image_commands);

}  // namespace
}  // namespace mortem::inspector::app
