#include "kernel/crash/dump_run.h"

#include <new>

#include "kernel/crash/checked_memory.h"
#include "kernel/crash/core_writer.h"
#include "kernel/crash/crash_again.h"
#include "kernel/crash/polled_disk.h"
#include "kernel/crash/report.h"
#include "kernel/crash/reserve.h"
#include "kernel/drivers/console_port.h"
#include "kernel/drivers/control_port.h"
#include "kernel/library/log.h"
#include "kernel/memory/physical.h"
#include "snapshot/format/guest_description.h"

namespace kernel {

namespace {

using namespace mortem::format;

PolledDisk g_disk;
alignas(DumpSlot) uint8_t g_slot_storage[sizeof(DumpSlot)];
DumpSlot* g_slot = nullptr;
const CrashReserve* g_from = nullptr;
const CrashState* g_state = nullptr;
std::span<const char> g_text;
Deadline g_deadline;
uint64_t g_started_ns = 0;

// What became of it.
bool g_attempted = false;  // an attempt began: the disk must be opened anew for the next one
DumpDone g_done = DumpDone::No;
DumpLevel g_level = DumpLevel::None;
const char* g_why_not = "the crash path did not get that far";
const char* g_why_less = nullptr;  // why the dump is not full

void no_dump(const char* why) {
  g_why_not = why;
  g_done = DumpDone::Yes;
}

const char* sentence(CoreResult result, const SeekableCompressor& compressor) {
  switch (result) {
    case CoreResult::Written:
      break;
    case CoreResult::SinkFailed:
      switch (compressor.failure()) {
        case SeekableCompressor::Failure::None:
          break;
        case SeekableCompressor::Failure::Sink:
          return g_slot->error();
        case SeekableCompressor::Failure::Compression:
          return "the compressor failed";
        case SeekableCompressor::Failure::TableFull:
          return "the seek table is full";
      }
      return g_slot->error();
    case CoreResult::Unreadable:
      return "a page was not readable";
    case CoreResult::TooLate:
      return "it took too long";
    case CoreResult::Changed:
      return "memory was not the same twice";
  }
  return "";
}

const char* counted() {
  static char sentence[96];
  format_text(sentence, sizeof sentence, "it is crash %lu of a kind whose first dump is in slot %u",
              static_cast<unsigned long>(g_slot->occurrence()), g_slot->first_of_kind());
  return sentence;
}

bool start_slot() {
  DumpSlot::Start start{};
  start.wall_clock_ns = g_state->wall_clock_ns;
  start.reason_kind = static_cast<uint32_t>(g_state->reason.kind);
  start.text = g_text;
  GuestDescription guest;
  if (read_physical(&guest, kGuestDescriptionAddress, sizeof guest))
    __builtin_memcpy(start.boot_id, guest.boot_id, sizeof start.boot_id);
  return g_slot->start(start);
}

// Each level leaves time for the ones below it.
Deadline level_deadline(DumpLevel level) {
  switch (level) {
    case DumpLevel::Full:
      return g_deadline.share_of(g_started_ns, 70);
    case DumpLevel::AppOnly:
      return g_deadline.share_of(g_started_ns, 85);
    default:
      return g_deadline.share_of(g_started_ns, 95);
  }
}

}  // namespace

void dump_forget() {
  g_slot = nullptr;
  g_from = nullptr;
  g_state = nullptr;
  g_attempted = false;
  g_done = DumpDone::No;
  g_level = DumpLevel::None;
  g_why_not = "the crash path did not get that far";
  g_why_less = nullptr;
}

void dump_open(CrashState& state, std::span<const char> text, Deadline deadline) {
  g_state = &state;
  g_text = text;
  g_deadline = deadline;
  g_started_ns = crash_clock_ns();
  g_from = crash_reserve();
  if (g_from == nullptr) return no_dump("nothing was prepared for a dump at boot");
  if (!g_from->has_disk) return no_dump("there is no disk");
  if (g_from->partition.slot_count == 0) return no_dump(g_from->no_partition);
  if (!g_disk.open(g_from->disk, g_from->disk_pages, deadline)) return no_dump(g_disk.error());
  g_slot = new (g_slot_storage) DumpSlot(g_disk, g_from->partition, g_from->slot_buffers[0], g_from->slot_buffers[1]);
  switch (g_slot->choose(state.signature, state.wall_clock_ns)) {
    case DumpSlot::Choice::DiskFailed:
      return no_dump(g_disk.error());
    case DumpSlot::Choice::Counted:
      state.occurrence = g_slot->occurrence();
      return no_dump(counted());
    case DumpSlot::Choice::NoneFree:
      return no_dump("no free dump slot: all of them hold dumps; take those out with `mortem pull --release`");
    case DumpSlot::Choice::Found:
      break;
  }
  __builtin_memcpy(state.disk_id, g_from->partition.disk_id, sizeof state.disk_id);
  state.sequence = g_slot->sequence();
  state.occurrence = g_slot->occurrence();
}

void dump_write(DumpLevel level) {
  if (g_slot == nullptr) return no_dump(g_why_not);
  if (g_attempted && !g_disk.open(g_from->disk, g_from->disk_pages, g_deadline)) return no_dump(g_disk.error());
  g_attempted = true;
  // A disk that takes not even the header will not take less of a dump either.
  if (!start_slot()) return no_dump(g_slot->error());
  if (level == DumpLevel::TextOnly) {
    if (!g_slot->finish_text_only()) return no_dump(g_slot->error());
    g_level = level;
    g_done = DumpDone::Yes;
    return;
  }
  // `mortem image create` adds 1/32 of the memory for what is no page of it.
  const uint64_t slot_size = g_from->partition.slot_size;
  const bool has_room = slot_size - slot_size / 32 > ram_page_count() * kPageSize;
  SeekableCompressor compressor(g_from->compressor, *g_slot, has_room);
  CoreWriter writer(*g_state, level, level_deadline(level));
  const CoreResult result = writer.write(compressor);
  if (result != CoreResult::Written || !compressor.finish()) {
    g_why_less = sentence(result == CoreResult::Written ? CoreResult::SinkFailed : result, compressor);
    return;
  }
  if (!g_slot->finish(level, compressor.content_bytes())) {
    g_why_less = g_slot->error();
    return;
  }
  g_level = level;
  g_done = DumpDone::Yes;
}

DumpDone dump_done() {
  return g_done;
}

void dump_say_where(TextWriter::LineOutput output) {
  TextWriter text({}, output);
  text.text("dump: ");
  if (g_level == DumpLevel::None) {
    text.text("none: ").text(g_why_not);
  } else {
    text.text("slot ").decimal(g_slot->number()).text(", ").decimal(g_slot->stored_length()).text(" bytes (");
    text.text(level_name(g_level)).text(")");
    if (g_level != DumpLevel::Full && g_why_less != nullptr) text.text(": ").text(g_why_less);
    if (g_slot->occurrence() > 1) text.text(", crash ").decimal(g_slot->occurrence()).text(" of its kind");
  }
  text.end_line();
}

void dump_tell_host(const CrashState& state) {
  if (!console_ports_restart()) return;
  static uint8_t message[sizeof(ControlCrash) + 2 * kMessageCapacity];
  ControlCrash crash{};
  crash.reason_kind = static_cast<uint32_t>(state.reason.kind);
  crash.signal = state.reason.signal;
  crash.exit_status = state.reason.exit_status;
  crash.slot = g_level == DumpLevel::None ? kNoSlot : g_slot->number();
  crash.stored_length = g_level == DumpLevel::None ? 0 : g_slot->stored_length();
  crash.level = static_cast<uint32_t>(g_level);
  crash.occurrence = state.occurrence < ~uint32_t{0} ? static_cast<uint32_t>(state.occurrence) : ~uint32_t{0};
  __builtin_memcpy(message, &crash, sizeof crash);
  size_t used = sizeof crash;
  const auto append = [&](const char* text) {
    for (; *text != 0 && used < sizeof message; ++text) message[used++] = static_cast<uint8_t>(*text);
  };
  append(state.message);
  if (g_level == DumpLevel::None) {
    append("; no dump: ");
    append(g_why_not);
  }
  control_send(state.reason.goes_on ? ControlType::Snapshot : ControlType::Crash, {message, used});
}

}  // namespace kernel
