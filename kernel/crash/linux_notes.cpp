#include "kernel/crash/linux_notes.h"

#include "kernel/crash/checked_memory.h"

namespace kernel {

namespace {

using namespace mortem::format;

// include/uapi/linux/elf.h
constexpr uint32_t kNtPrStatus = 1;
constexpr uint32_t kNtFpRegSet = 2;
constexpr uint32_t kNtPrPsInfo = 3;
constexpr uint32_t kNtAuxv = 6;
constexpr uint32_t kNtX86XState = 0x202;
constexpr uint32_t kNtFile = 0x46494C45;
constexpr uint32_t kNtSigInfo = 0x53494749;
constexpr char kCore[] = "CORE";
constexpr char kLinux[] = "LINUX";

constexpr size_t kFxsaveSize = 512;  // user_fpregs_struct is the FXSAVE area
constexpr size_t kLargestExtendedState = 16 << 10;
constexpr size_t kLongestPath = 4096;  // PATH_MAX
constexpr size_t kMaximumAuxv = 128;   // values

int signal_of(const CrashState& state) {
  return state.reason.kind == ReasonKind::Signal ? state.reason.signal : 0;
}

bool extended_state_readable(const void* area, size_t size) {
  uint8_t probe[64];
  for (size_t at = 0; at < size; at += sizeof probe)
    if (!read_kernel(probe, static_cast<const uint8_t*>(area) + at, sizeof probe)) return false;
  return true;
}

bool pr_status(const CrashState& state, const ThreadState& thread, bool has_floating_point, NoteWriter& notes) {
  PrStatus status{};
  if (thread.crashed) {
    // The signal belongs to the thread that got it; the others have none.
    status.si_signo = signal_of(state);
    status.si_code = signal_of(state) != 0 ? state.reason.signal_code : 0;
    status.cursig = static_cast<int16_t>(signal_of(state));
  }
  status.sigpend = thread.pending_signals;
  status.sighold = thread.blocked_signals;
  status.pid = static_cast<int32_t>(thread.id);
  status.registers = thread.registers;
  status.fpvalid = has_floating_point ? 1 : 0;
  return notes.note(kCore, kNtPrStatus, &status, sizeof status);
}

bool pr_psinfo(const CrashState& state, NoteWriter& notes) {
  PrPsInfo info{};
  info.sname = 'R';
  info.pid = static_cast<int32_t>(kProcessId);
  for (size_t i = 0; i + 1 < sizeof info.filename && state.thread_known; ++i) info.filename[i] = state.thread_name[i];
  read_kernel_string(info.arguments, sizeof info.arguments, command_line());
  return notes.note(kCore, kNtPrPsInfo, &info, sizeof info);
}

bool sig_info(const CrashState& state, NoteWriter& notes) {
  if (signal_of(state) == 0) return true;  // no signal: nothing that gdb should show as one
  uint8_t info[sizeof g_fatal_siginfo];
  if (!read_kernel(info, g_fatal_siginfo, sizeof info)) return true;
  return notes.note(kCore, kNtSigInfo, info, sizeof info);
}

bool auxv(NoteWriter& notes) {
  const std::span<const uint64_t> vector = auxiliary_vector();
  static uint64_t copy[kMaximumAuxv];
  if (vector.empty() || vector.size() > kMaximumAuxv || !read_kernel(copy, vector.data(), vector.size_bytes()))
    return true;
  return notes.note(kCore, kNtAuxv, copy, vector.size_bytes());
}

// NT_FILE: count and page size, then start, end and offset (in pages) of each mapping, then their paths.
class FileMappings {
 public:
  template <typename Visit>
  static bool each(Visit visit) {
    for (size_t index = 0; index < area_count(); ++index) {
      MemoryArea area;
      // Files that live in memory are nowhere else: a debugger would look for them in vain.
      if (!read_kernel(area, &area_at(index)) || area.path == nullptr || area.memory != nullptr) continue;
      static char path[kLongestPath];
      if (!read_kernel_string(path, sizeof path, area.path)) continue;
      size_t length = 1;
      while (path[length - 1] != 0) ++length;
      if (!visit(area, path, length)) return false;
    }
    return true;
  }
};

bool file_mappings(NoteWriter& notes) {
  uint64_t count = 0, size = 2 * sizeof(uint64_t);
  FileMappings::each([&](const MemoryArea&, const char*, size_t length) {
    ++count;
    size += 3 * sizeof(uint64_t) + length;
    return true;
  });
  if (count == 0) return true;
  const uint64_t head[2] = {count, kPageSize};
  if (!notes.begin(kCore, kNtFile, size) || !notes.append(head, sizeof head)) return false;
  const bool ranges = FileMappings::each([&](const MemoryArea& area, const char*, size_t) {
    const uint64_t range[3] = {area.start, area.end, area.file_offset / kPageSize};
    return notes.append(range, sizeof range);
  });
  if (!ranges) return false;
  const bool paths = FileMappings::each(
      [&](const MemoryArea&, const char* path, size_t length) { return notes.append(path, length); });
  return paths && notes.end();
}

bool append_extended_state(const void* area, size_t size, NoteWriter& notes) {
  uint8_t part[64];
  for (size_t at = 0; at < size; at += sizeof part) {
    if (!read_kernel(part, static_cast<const uint8_t*>(area) + at, sizeof part)) return false;
    const size_t length = size - at < sizeof part ? size - at : sizeof part;
    if (!notes.append(part, length)) return false;
  }
  return true;
}

bool floating_point(const CrashState& state, const ThreadState& thread, NoteWriter& notes) {
  if (!notes.begin(kCore, kNtFpRegSet, kFxsaveSize) ||
      !append_extended_state(thread.extended_state, kFxsaveSize, notes) || !notes.end())
    return false;
  if (!state.extended_state_is_xsave) return true;
  const size_t size = state.extended_state_size;
  return notes.begin(kLinux, kNtX86XState, size) && append_extended_state(thread.extended_state, size, notes) &&
         notes.end();
}

class ThreadNotes final : public ThreadVisitor {
 public:
  ThreadNotes(const CrashState& state, NoteWriter& notes) : state_(state), notes_(notes) {}

  bool visit(const ThreadState& thread) override {
    if (!thread.registers_known) return true;  // named in ThreadNames; zeros would be a lie
    const size_t size = state_.extended_state_size;
    const bool has_floating_point = thread.extended_state != nullptr && size >= kFxsaveSize &&
                                    size <= kLargestExtendedState &&
                                    extended_state_readable(thread.extended_state, size);
    if (!pr_status(state_, thread, has_floating_point, notes_)) return false;
    if (thread.crashed &&
        !(pr_psinfo(state_, notes_) && sig_info(state_, notes_) && auxv(notes_) && file_mappings(notes_)))
      return false;
    return !has_floating_point || floating_point(state_, thread, notes_);
  }

 private:
  const CrashState& state_;
  NoteWriter& notes_;
};

}  // namespace

bool write_linux_notes(const CrashState& state, NoteWriter& notes) {
  ThreadNotes threads(state, notes);
  return for_each_thread(state, threads);
}

}  // namespace kernel
