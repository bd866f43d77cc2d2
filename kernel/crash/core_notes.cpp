#include "kernel/crash/core_notes.h"

#include "kernel/crash/checked_memory.h"
#include "kernel/crash/dump_plan.h"
#include "kernel/crash/linux_notes.h"
#include "kernel/crash/modules.h"
#include "kernel/crash/note_writer.h"
#include "kernel/crash/open_files.h"
#include "kernel/crash/version.h"
#include "kernel/library/log.h"
#include "snapshot/format/guest_description.h"

namespace kernel {

namespace {

using namespace mortem::format;

constexpr uint32_t kNoteVersion = 1;

void copy_text(char* to, size_t capacity, const char* from) {
  size_t i = 0;
  for (; i + 1 < capacity && from[i] != 0; ++i) to[i] = from[i];
  for (; i < capacity; ++i) to[i] = 0;
}

uint32_t type(NoteType kind) {
  return static_cast<uint32_t>(kind);
}

template <typename Note>
bool whole(NoteWriter& notes, NoteType kind, Note& note) {
  note.header = {kNoteVersion, sizeof note};
  return notes.note(kNoteOwner, type(kind), &note, sizeof note);
}

bool begin(NoteWriter& notes, NoteType kind, uint64_t content) {
  const NoteHeader header{kNoteVersion, static_cast<uint32_t>(sizeof(NoteHeader) + content)};
  return notes.begin(kNoteOwner, type(kind), sizeof header + content) && notes.append(&header, sizeof header);
}

bool reason_note(NoteWriter& notes, const NoteContext& context) {
  const CrashState& state = context.state;
  ReasonNote note{};
  note.kind = state.reason.kind;
  note.level = context.level;
  note.thread = state.thread_address != nullptr ? state.thread_id : 0;
  note.signal = state.reason.signal;
  note.signal_code = state.reason.signal_code;
  note.exit_status = state.reason.exit_status;
  if (state.frame.vector != kNoTrapVector && !state.frame.is_syscall()) {
    note.known |= kReasonHasTrap;
    note.trap_vector = static_cast<uint32_t>(state.frame.vector);
    note.trap_error_code = state.frame.error_code;
  }
  if (state.reason.has_fault_address) {
    note.known |= kReasonHasFaultAddress;
    note.fault_address = state.reason.fault_address;
  }
  if (state.reason.goes_on) note.known |= kReasonHandledByApp;
  if (state.reason.can_be_resumed) note.known |= kReasonCanBeResumed;
  copy_text(note.message, sizeof note.message, state.message);
  return whole(notes, NoteType::Reason, note);
}

bool identity_note(NoteWriter& notes, const CrashState& state) {
  IdentityNote note{};
  GuestDescription guest;
  if (read_physical(&guest, kGuestDescriptionAddress, sizeof guest))
    for (size_t i = 0; i < sizeof note.boot_id; ++i) note.boot_id[i] = guest.boot_id[i];
  for (size_t i = 0; i < sizeof note.disk_id; ++i) note.disk_id[i] = state.disk_id[i];
  note.disk_generation = state.sequence;
  note.wall_clock_ns = state.wall_clock_ns;
  note.uptime_ns = state.uptime_ns;
  note.memory_bytes = ram_page_count() * kPageSize;
  note.resident_bytes = (ram_page_count() - free_page_count()) * kPageSize;
  copy_text(note.kernel_version, sizeof note.kernel_version, kKernelVersion);
  return whole(notes, NoteType::Identity, note);
}

bool machine_note(NoteWriter& notes, const CrashState& state) {
  if (!state.machine_known) return true;
  MachineRegistersNote note{};
  note.thread = state.thread_id;
  note.in_kernel = state.in_kernel ? 1 : 0;
  note.registers = state.machine;
  return whole(notes, NoteType::MachineRegisters, note);
}

bool occurrence_note(NoteWriter& notes, const CrashState& state) {
  OccurrenceNote note{};
  note.signature = state.signature;
  note.occurrence = state.occurrence;
  return whole(notes, NoteType::Occurrence, note);
}

bool ring_note(NoteWriter& notes, NoteType kind, const LogRing& where, uint64_t written) {
  LogRing ring;
  const bool usable = read_kernel(ring, &where) && ring.size != 0 && ring.size <= (16 << 20);
  const uint64_t length = !usable ? 0 : written < ring.size ? written : ring.size;
  if (!begin(notes, kind, length)) return false;
  for (uint64_t at = written - length; at < written;) {
    char part[256];
    const uint64_t offset = at % ring.size;
    uint64_t size = ring.size - offset;
    if (size > written - at) size = written - at;
    if (size > sizeof part) size = sizeof part;
    if (!read_kernel(part, ring.bytes + offset, size))
      for (uint64_t i = 0; i < size; ++i) part[i] = '?';  // the text is lost, its length is promised already
    if (!notes.append(part, size)) return false;
    at += size;
  }
  return notes.end();
}

bool modules_note(NoteWriter& notes) {
  uint64_t length = 0;
  for (ModuleReader modules; modules.next();) length += modules.entry().entry_length;
  if (!begin(notes, NoteType::Modules, length)) return false;
  for (ModuleReader modules; modules.next();) {
    ModuleEntry entry = modules.entry();
    size_t path_length = 0;
    while (modules.path()[path_length] != 0) ++path_length;
    entry.path_length = static_cast<uint16_t>(path_length);
    const uint64_t content = sizeof entry + entry.id_length + path_length;
    if (!notes.append(&entry, sizeof entry) || !notes.append(modules.id().data(), entry.id_length) ||
        !notes.append(modules.path(), path_length) || !notes.append_zeros(entry.entry_length - content))
      return false;
  }
  return notes.end();
}

class PageMapWriter final : public PieceVisitor {
 public:
  explicit PageMapWriter(NoteWriter& notes) : notes_(notes) {}
  bool visit(const DumpPiece& piece) override { return notes_.append(&piece.entry, sizeof piece.entry); }

 private:
  NoteWriter& notes_;
};

bool page_map_note(NoteWriter& notes, const NoteContext& context) {
  if (!begin(notes, NoteType::PageMap, context.page_map_entries * sizeof(PageMapEntry))) return false;
  PageMapWriter writer(notes);
  return walk_dump(context.state, context.level, writer) && notes.end();
}

bool fill(ThreadName& entry, const ThreadState& thread) {
  entry.thread = thread.id;
  for (size_t i = 0; i < sizeof thread.name; ++i) entry.name[i] = thread.name[i];
  return true;
}
bool fill(KernelContext& entry, const ThreadState& thread) {
  entry.thread = thread.id;
  entry.switch_frame = thread.switch_frame;
  return thread.switch_frame != 0;
}

// An entry for each thread that fill() has one of.
template <typename Entry>
class ThreadEntryWriter final : public ThreadVisitor {
 public:
  explicit ThreadEntryWriter(NoteWriter* notes) : notes_(notes) {}
  bool visit(const ThreadState& thread) override {
    Entry entry{};
    if (!fill(entry, thread)) return true;
    ++count_;
    return notes_ == nullptr || notes_->append(&entry, sizeof entry);
  }
  uint64_t count() const { return count_; }

 private:
  NoteWriter* notes_;
  uint64_t count_ = 0;
};

template <typename Entry>
bool threads_note(NoteWriter& notes, NoteType kind, const CrashState& state) {
  ThreadEntryWriter<Entry> counter(nullptr);
  for_each_thread(state, counter);
  if (!begin(notes, kind, counter.count() * sizeof(Entry))) return false;
  ThreadEntryWriter<Entry> writer(&notes);
  return for_each_thread(state, writer) && notes.end();
}

template <typename Write>
bool table_note(NoteWriter& notes, NoteType kind, ByteSink& to, Write write) {
  CountingSink counter;
  return write(counter) && begin(notes, kind, counter.count()) && write(to) && notes.end();
}

}  // namespace

bool write_notes(const NoteContext& context, ByteSink& to) {
  NoteWriter notes(to);
  return write_linux_notes(context.state, notes) &&  //
         reason_note(notes, context) &&              //
         identity_note(notes, context.state) &&      //
         machine_note(notes, context.state) &&       //
         modules_note(notes) &&                      //
         threads_note<ThreadName>(notes, NoteType::ThreadNames, context.state) &&
         threads_note<KernelContext>(notes, NoteType::KernelContexts, context.state) &&
         occurrence_note(notes, context.state) &&  //
         ring_note(notes, NoteType::StandardError, g_error_ring, g_error_ring.written) &&
         ring_note(notes, NoteType::StandardOutput, g_output_ring, g_output_ring.written) &&
         ring_note(notes, NoteType::KernelLog, g_log_ring, context.state.log_written) &&
         page_map_note(notes, context) && table_note(notes, NoteType::DescriptorTable, to, write_descriptor_table) &&
         table_note(notes, NoteType::SocketTable, to, write_socket_table);
}

}  // namespace kernel
