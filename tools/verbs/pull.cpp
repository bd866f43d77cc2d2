// mortem pull
#include <fmt/format.h>

#include <ctime>
#include <memory>
#include <optional>

#include "snapshot/dump_info.h"
#include "snapshot/slots.h"
#include "tools/interrupt.h"
#include "tools/output.h"
#include "tools/progress_bar.h"
#include "tools/qemu/dump_collector.h"
#include "tools/qemu/instance.h"
#include "tools/verbs.h"
#include "tools/verbs/stack_facts.h"

namespace mortem::tools {

namespace fs = std::filesystem;
using snapshot::Slot;
using snapshot::SlotCondition;

namespace {

struct PullOptions {
  std::string source, output;
  int slot = -1;
  bool list = false, release = false, force = false, json = false;
};

// An image's file, or the image of a guest that runs or was killed.
Result<fs::path> image_of(const std::string& source) {
  std::error_code ignored;
  if (fs::exists(source, ignored) || !is_instance_name(source)) return fs::path(source);
  auto instance = find_instance(source);
  if (instance) return instance->facts.image;
  for (const RunningInstance& one : TRY(instances_with_dumps()))
    if (one.facts.name == source) return one.facts.image;
  return failure(ErrorKind::NotFound, source + ": no such file, and no guest of that name is running");
}

std::string local_time(int64_t nanoseconds) {
  if (nanoseconds == 0) return "unknown";
  const time_t seconds = time_t(nanoseconds / 1'000'000'000);
  tm parts{};
  char text[64];
  if (!localtime_r(&seconds, &parts) || strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &parts) == 0) return "unknown";
  return text;
}

std::string first_line(const std::string& text) {
  return printable(text.substr(0, text.find('\n')));
}

nlohmann::ordered_json slot_json(const snapshot::DumpSlots& slots, const Slot& slot) {
  nlohmann::ordered_json row = {{"slot", slot.index}, {"state", snapshot::slot_condition_text(slot.condition)}};
  if (slot.condition == SlotCondition::Damaged) row["problem"] = printable(slot.problem);
  if (slot.has_dump()) {
    row["sequence"] = slot.header.sequence;
    row["bytes"] = slot.header.stored_length;
    row["expanded_bytes"] = slot.header.expanded_length;
    if (slot.header.wall_clock_ns) row["wall_clock_ns"] = slot.header.wall_clock_ns;
    row["reason"] = snapshot::reason_kind_text(format::ReasonKind(slot.header.reason_kind));
    row["level"] = snapshot::dump_level_text(slot.header.level);
    if (slot.kind.signature != 0) {
      row["kind"] = fmt::format("{:016x}", slot.kind.signature);
      row["number_of_kind"] = slot.kind.number;
      row["crashes_of_kind"] = slots.crashes_of_kind(slot);
    }
  }
  if (!slot.text.empty()) row["text"] = printable(first_line(slot.text));
  return row;
}

int list(const fs::path& image, const snapshot::DumpSlots& slots, bool json) {
  if (json) {
    auto rows = nlohmann::ordered_json::array();
    for (const Slot& slot : slots.slots) rows.push_back(slot_json(slots, slot));
    print_json("pull-list",
               {{"image", printable(image.string())}, {"slot_bytes", slots.header.slot_size}, {"slots", rows}});
    return kDone;
  }
  std::string table = fmt::format("{:>4}  {:10}  {:19}  {:>10}  {:9}  {:>9}  {}\n", "SLOT", "STATE", "TIME", "SIZE",
                                  "LEVEL", "CRASH", "REASON");
  for (const Slot& slot : slots.slots) {
    const bool dump = slot.has_dump();
    const std::string line = first_line(slot.text);
    std::string reason = slot.condition == SlotCondition::Damaged                  ? printable(slot.problem)
                         : !line.empty() && slot.condition != SlotCondition::Empty ? line
                         : dump ? snapshot::reason_kind_text(format::ReasonKind(slot.header.reason_kind))
                                : "";
    std::string row = fmt::format(
        "{:>4}  {:10}  {:19}  {:>10}  {:9}  {:>9}  {}", slot.index, snapshot::slot_condition_text(slot.condition),
        dump ? local_time(slot.header.wall_clock_ns) : "", dump ? human_size(slot.header.stored_length) : "",
        dump ? snapshot::dump_level_text(slot.header.level) : "",
        dump && slot.kind.signature != 0 ? fmt::format("{} of {}", slot.kind.number, slots.crashes_of_kind(slot)) : "",
        reason);
    row.erase(row.find_last_not_of(' ') + 1);
    table += row + "\n";
  }
  write_stdout(table);
  return kDone;
}

// All that its guest could write of a crash: no dump, but the slot must not stay full for ever.
int pull_text_record(const fs::path& image, const Slot& slot, const PullOptions& options) {
  if (!options.json) write_stdout(printable_lines(slot.text));
  note(fmt::format("{}: slot {} holds no dump, only this text record", image.string(), slot.index));
  if (options.release)
    if (auto released = snapshot::release_slot(image, slot); !released) return fail(released.error());
  return kProblem;
}

// The one that is asked for, or the newest; null with a line on stderr when there is nothing to pull.
const Slot* choose(const fs::path& image, const snapshot::DumpSlots& slots, const PullOptions& options) {
  if (options.slot >= 0) {
    const Slot& slot = slots.slots[size_t(options.slot)];
    if (slot.has_dump() || (options.force && slot.condition == SlotCondition::CutShort)) return &slot;
    if (slot.condition == SlotCondition::CutShort)
      note(fmt::format("{}: the dump in slot {} was cut short; --force pulls what is whole of it", image.string(),
                       slot.index));
    else if (slot.condition == SlotCondition::Damaged)
      note(fmt::format("{}: slot {} is damaged: {}", image.string(), slot.index, printable(slot.problem)));
    else
      note(fmt::format("{}: no dump in slot {}", image.string(), slot.index));
    return nullptr;
  }
  if (const Slot* newest = slots.newest()) return newest;
  for (const Slot& slot : slots.slots) {
    if (slot.condition == SlotCondition::CutShort) {
      if (options.force) return &slot;
      note(fmt::format("{}: no whole dump; the one in slot {} was cut short, --force pulls what is whole of it",
                       image.string(), slot.index));
      return nullptr;
    }
    if (slot.condition == SlotCondition::Damaged) {
      note(fmt::format("{}: no whole dump; slot {} is damaged: {}", image.string(), slot.index,
                       printable(slot.problem)));
      return nullptr;
    }
  }
  note(image.string() + ": no dump in its slots");
  return nullptr;
}

// What became of the wish to release it: a slot that its guest has written again meanwhile is not ours to release, and
// the dump that was asked for is out.
Result<bool> release(const fs::path& image, const Slot& slot) {
  auto released = snapshot::release_slot(image, slot);
  if (released) return true;
  if (released.error().kind != ErrorKind::Unavailable) return tl::unexpected(released.error());
  note(released.error().message);
  return false;
}

// Sets `overwritten`, if it is not null, instead of an error about it.
int pull_once(const PullOptions& options, const fs::path& image_path, bool* overwritten) {
  const fs::path* image = &image_path;
  auto disk = snapshot::DiskImage::open_any(*image);
  if (!disk) return fail(disk.error());
  auto slots = snapshot::read_dump_slots(*disk);
  if (!slots) return fail(slots.error());
  if (options.slot >= 0 && size_t(options.slot) >= slots->slots.size())
    return fail(fmt::format("--slot {}: {} has slots 0 to {}", options.slot, image->string(), slots->slots.size() - 1));
  if (options.list) return list(*image, *slots, options.json);

  const Slot* text = nullptr;
  for (const Slot& one : slots->slots)
    if (one.is_text_only() && (options.slot < 0 ? !slots->newest() : options.slot == int(one.index))) text = &one;
  if (text) return pull_text_record(*image, *text, options);
  const Slot* slot = choose(*image, *slots, options);
  if (!slot) return kProblem;
  const fs::path output =
      options.output.empty() ? free_dump_name(image->stem().string() + ".core.zst") : fs::path(options.output);
  auto bytes =
      snapshot::extract_slot(*disk, *slot, output, options.force ? snapshot::Trust::Force : snapshot::Trust::WholeOnly,
                             snapshot::Existing::Keep, progress_bar("pulling"));
  if (!bytes) {
    if (bytes.error().kind == ErrorKind::Unavailable && slot->condition != SlotCondition::CutShort && overwritten) {
      *overwritten = true;
      return kFailed;
    }
    // Of a dump that was cut short before it had any content there is nothing that its slot could be kept for.
    const bool nothing = slot->condition == SlotCondition::CutShort &&
                         (bytes.error().kind == ErrorKind::NotFound || bytes.error().kind == ErrorKind::Unavailable);
    if (nothing && options.force && options.release)
      if (auto released = snapshot::release_slot(*image, *slot); !released) note(released.error().message);
    return fail(bytes.error());
  }
  bool released = false;
  if (options.release) {
    auto done = release(*image, *slot);
    if (!done) return fail(done.error());
    released = *done;
  }
  if (options.json) {
    auto facts = slot_json(*slots, *slot);
    facts["image"] = printable(image->string());
    facts["dump"] = printable(output.string());
    facts["written_bytes"] = *bytes;
    facts["released"] = released;
    print_json("pull", facts);
  } else {
    write_stdout(fmt::format("{}: {} from slot {}{}; next: mortem report {}\n", output.string(), human_size(*bytes),
                             slot->index, released ? ", which is free again" : "", shell_quoted(output.string())));
  }
  return kDone;
}

int pull(const PullOptions& options) {
  catch_interrupts();
  auto image = image_of(options.source);
  if (!image) return fail(image.error());
  constexpr int kRounds = 5;  // a guest that crashes again and again may write over what is being read
  for (int round = 1;; ++round) {
    bool overwritten = false;
    const int status = pull_once(options, *image, round < kRounds ? &overwritten : nullptr);
    if (!overwritten) return status;
  }
}

void add_pull(Commands& commands) {
  CLI::App* verb = commands.add(nullptr, "pull", "Take a dump out of an image",
                                "The image may belong to a guest that runs. The dump is written whole or not at all.\n"
                                "Examples:\n"
                                "  mortem pull server.img --list\n"
                                "  mortem pull server.img -o crash.core.zst --release\n"
                                "  mortem pull web --slot 1");
  auto options = std::make_shared<PullOptions>();
  verb->add_option("SOURCE", options->source,
                   "Raw disk image, or the name of a guest (also of one that mortem ps says was killed)")
      ->required();
  verb->add_option("-o,--output", options->output, "File to write; must not be there yet (default: IMAGE.core.zst)");
  verb->add_option("--slot", options->slot, "Which slot, from 0 (default: the newest dump)")
      ->check(CLI::NonNegativeNumber);
  verb->add_flag("--list", options->list, "Show all slots, write nothing");
  verb->add_flag("--release", options->release, "Make room in the slot once the dump is safe");
  verb->add_flag("--force", options->force, "Also what is left of a dump that was cut short or damaged");
  verb->add_flag("--json", options->json, "Print facts as JSON");
  commands.on(verb, [options] { return pull(*options); });
}

const VerbRegistration pull_registration{40, {"pull"}, add_pull};

}  // namespace

}  // namespace mortem::tools
