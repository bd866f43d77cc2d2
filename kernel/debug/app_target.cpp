// What the server asks about the app: threads, memory, breakpoints, facts.
#include "kernel/debug/app_target.h"

#include "kernel/arch/x86_64/cpu.h"
#include "kernel/arch/x86_64/cpuid.h"
#include "kernel/arch/x86_64/user_access.h"
#include "kernel/debug/breakpoints.h"
#include "kernel/debug/signal_filter.h"
#include "kernel/debug/syscall_filter.h"
#include "kernel/task/address_space.h"

namespace kernel::debug {

using linux::AppThread;

namespace {

int64_t piece(std::span<const uint8_t> whole, uint64_t offset, std::span<uint8_t> to) {
  if (offset >= whole.size()) return 0;
  const size_t size = whole.size() - offset < to.size() ? whole.size() - offset : to.size();
  __builtin_memcpy(to.data(), whole.data() + offset, size);
  return static_cast<int64_t>(size);
}

std::string_view name_of(const MemoryArea& area) {
  switch (area.kind) {
    case AreaKind::File:
      return area.path != nullptr ? std::string_view(area.path, __builtin_strlen(area.path)) : "";
    case AreaKind::Stack:
      return "[stack]";
    case AreaKind::Heap:
      return "[heap]";
    case AreaKind::Vdso:
      return "[vdso]";
    case AreaKind::Vvar:
      return "[vvar]";
    case AreaKind::Anonymous:
      break;
  }
  return "";
}

Watch watch_of(gdbstub::BreakpointKind kind) {
  switch (kind) {
    case gdbstub::BreakpointKind::WriteWatch:
      return Watch::Write;
    case gdbstub::BreakpointKind::AccessWatch:
      return Watch::Access;
    default:
      return Watch::Execute;
  }
}

}  // namespace

gdbstub::Description AppTarget::description() {
  const AppThread* first = linux::first_thread();
  return {.process = kProcessId,
          .parent = 1,
          .name = first != nullptr ? std::string_view(first->name) : std::string_view(),
          .xcr0 = g_cpu.xsave ? g_cpu.xcr0 : 0,
          .avx_offset = g_cpu.avx ? cpuid(0xD, 2).ebx : 576,
          .hardware_breakpoints = true,
          .hardware_watchpoints = true,
          .watchpoint_count = 4,
          .signal_information = true,
          .auxiliary_vector = true,
          .executable_path = true,
          .files = true,
          .memory_regions = true,
          .catches_system_calls = true,
          .passes_signals = true};
}

gdbstub::ThreadId AppTarget::next_thread(gdbstub::ThreadId after) {
  const AppThread* thread = linux::first_thread();
  if (after != 0) {
    while (thread != nullptr && thread->id != after) thread = linux::next_thread(*thread);
    if (thread != nullptr) thread = linux::next_thread(*thread);
  }
  return thread != nullptr ? thread->id : 0;
}

size_t AppTarget::thread_name(gdbstub::ThreadId id, std::span<char> name) {
  const AppThread* thread = linux::find_thread(id);
  if (thread == nullptr) return 0;
  const size_t length = __builtin_strlen(thread->name), size = length < name.size() ? length : name.size();
  __builtin_memcpy(name.data(), thread->name, size);
  return size;
}

size_t AppTarget::read_memory(uint64_t address, std::span<uint8_t> to) {
  return read_app_memory(address, to);
}

size_t AppTarget::write_memory(uint64_t address, std::span<const uint8_t> from) {
  return write_app_memory(address, from);
}

bool AppTarget::memory_region(uint64_t address, gdbstub::MemoryRegion& region) {
  region = {};
  const AreaList& areas = address_space().areas;
  const size_t index = areas.first_ending_after(address);
  if (index >= areas.size() || areas.at(index).start > address) {
    region.start = index == 0 ? 0 : areas.at(index - 1).end;
    region.size = (index < areas.size() ? areas.at(index).start : 0) - region.start;  // the last hole ends at 2^64
    return true;
  }
  const MemoryArea& area = areas.at(index);
  region.start = area.start;
  region.size = area.end - area.start;
  region.mapped = true;
  region.readable = (area.protection & kProtectRead) != 0;
  region.writable = (area.protection & kProtectWrite) != 0;
  region.executable = (area.protection & kProtectExecute) != 0;
  const std::string_view name = name_of(area);
  const size_t length = name.size() < sizeof region.name - 1 ? name.size() : sizeof region.name - 1;
  __builtin_memcpy(region.name, name.data(), length);
  return true;
}

gdbstub::Outcome AppTarget::insert_breakpoint(gdbstub::BreakpointKind kind, uint64_t address, uint64_t size) {
  // x86 has no register for reads alone.
  if (kind == gdbstub::BreakpointKind::ReadWatch) return gdbstub::Outcome::NotSupported;
  if (kind != gdbstub::BreakpointKind::Software && address >= kUserEnd) return gdbstub::Outcome::Failed;
  const Result<void> done = kind == gdbstub::BreakpointKind::Software
                                ? insert_software_breakpoint(address)
                                : insert_debug_register(watch_of(kind), address, size);
  return done ? gdbstub::Outcome::Done : gdbstub::Outcome::Failed;
}

gdbstub::Outcome AppTarget::remove_breakpoint(gdbstub::BreakpointKind kind, uint64_t address, uint64_t size) {
  if (kind == gdbstub::BreakpointKind::ReadWatch) return gdbstub::Outcome::NotSupported;
  if (kind == gdbstub::BreakpointKind::Software)
    remove_software_breakpoint(address);
  else
    remove_debug_register(watch_of(kind), address, size);
  return gdbstub::Outcome::Done;
}

int64_t AppTarget::read_siginfo(gdbstub::ThreadId id, uint64_t offset, std::span<uint8_t> to) {
  const AppThread* thread = linux::find_thread(id);
  if (thread == nullptr || !thread->debug.parked || !thread->debug.has_information) return -1;
  return piece({reinterpret_cast<const uint8_t*>(&thread->debug.information), sizeof thread->debug.information}, offset,
               to);
}

int64_t AppTarget::write_siginfo(gdbstub::ThreadId id, uint64_t offset, std::span<const uint8_t> from) {
  AppThread* thread = linux::find_thread(id);
  if (thread == nullptr || !thread->debug.parked || !thread->debug.has_information) return -1;
  linux::SignalInformation& information = thread->debug.information;
  if (offset > sizeof information || from.size() > sizeof information - offset) return -1;
  __builtin_memcpy(reinterpret_cast<uint8_t*>(&information) + offset, from.data(), from.size());
  return static_cast<int64_t>(from.size());
}

int64_t AppTarget::read_auxiliary_vector(uint64_t offset, std::span<uint8_t> to) {
  const auto words = auxiliary_vector();
  return piece({reinterpret_cast<const uint8_t*>(words.data()), words.size_bytes()}, offset, to);
}

int64_t AppTarget::executable_path(std::span<char> to) {
  return files_.read_link("/proc/self/exe", to);
}

void AppTarget::catch_syscalls(const gdbstub::SyscallFilter& filter) {
  set_caught_syscalls(filter.enabled, filter.numbers);
}

void AppTarget::pass_signals(gdbstub::SignalSet signals) {
  set_passed_signals(signals);
}

}  // namespace kernel::debug
