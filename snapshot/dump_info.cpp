#include "snapshot/dump_info.h"

#include <fmt/format.h>

#include <csignal>
#include <cstring>

#include "snapshot/cut_dump.h"
#include "snapshot/little_endian.h"

namespace mortem::snapshot {
namespace {

DumpInfo::Identity identity_of(const format::IdentityNote& note) {
  DumpInfo::Identity identity;
  identity.boot_id = hexadecimal(note.boot_id);
  identity.disk_id = hexadecimal(note.disk_id);
  identity.disk_generation = note.disk_generation;
  if (note.wall_clock_ns != 0) identity.wall_clock_ns = note.wall_clock_ns;
  identity.uptime_ns = note.uptime_ns;
  identity.memory_bytes = note.memory_bytes;
  identity.resident_bytes = note.resident_bytes;
  identity.kernel_version = note.kernel_version;
  return identity;
}

DumpInfo::Reason reason_of(const format::ReasonNote& note) {
  DumpInfo::Reason reason;
  reason.kind = reason_kind_text(note.kind);
  reason.level = dump_level_text(note.level);
  if (note.thread != 0) reason.thread = note.thread;
  if (note.signal != 0) {
    reason.signal = note.signal;
    reason.signal_name = signal_name(note.signal);
    reason.signal_code = note.signal_code;
  }
  if (note.kind == format::ReasonKind::Exit) reason.exit_status = note.exit_status;
  if (note.known & format::kReasonHasTrap) {
    reason.trap_vector = note.trap_vector;
    reason.trap_error_code = note.trap_error_code;
  }
  if (note.known & format::kReasonHasFaultAddress) reason.fault_address = note.fault_address;
  reason.message = note.message;
  return reason;
}

// Of a core that has no reason note: what its siginfo tells (Linux include/uapi/asm-generic/siginfo.h).
std::optional<DumpInfo::Reason> reason_of_foreign(const CoreFile& core) {
  const auto number = load<int32_t>(core.siginfo(), 0), code = load<int32_t>(core.siginfo(), 8);
  const int signal = number ? *number : core.threads().empty() ? 0 : core.threads().front().signal;
  if (signal == 0) return std::nullopt;
  DumpInfo::Reason reason;
  reason.kind = reason_kind_text(format::ReasonKind::Signal);
  reason.signal = signal;
  reason.signal_name = signal_name(signal);
  if (!core.threads().empty()) reason.thread = core.threads().front().id;
  if (code) reason.signal_code = *code;
  // si_addr is there if the processor raised it, and then not for SI_KERNEL (a general protection fault).
  const bool has_address =
      signal == SIGSEGV || signal == SIGBUS || signal == SIGILL || signal == SIGFPE || signal == SIGTRAP;
  if (has_address && code && *code > 0 && *code < SI_KERNEL) reason.fault_address = load<uint64_t>(core.siginfo(), 16);
  return reason;
}

}  // namespace

DumpInfo gather_dump_info(const CoreFile& core) {
  DumpInfo info;
  info.name = core.name();
  info.expanded_bytes = core.bytes().size();
  for (const CoreNote& note : core.notes()) info.made_by_mortem |= note.owner == format::kNoteOwner;
  if (const auto note = core.identity()) info.identity = identity_of(*note);
  if (const auto note = core.reason())
    info.reason = reason_of(*note);
  else
    info.reason = reason_of_foreign(core);
  info.program_name = core.program_name();
  info.command_line = core.command_line();

  const auto reason = core.reason();
  const bool nothing_crashed = reason && reason->kind == format::ReasonKind::OnDemand;
  for (const CoreThread& thread : core.threads()) {
    const bool crashed = !nothing_crashed && info.reason && info.reason->thread == thread.id;
    info.threads.push_back({thread.id, thread.name, crashed, thread.registers.rip, thread.registers.rsp,
                            !thread.floating_point.empty(), !thread.extended_state.empty()});
  }
  for (const CoreModule& module : core.modules())
    info.modules.push_back({module_kind_text(module.kind), module.path, module_id_kind_text(module.id_kind),
                            hexadecimal(module.id), module.load_bias, module.start, module.end});
  info.segments = core.segments();
  for (const CoreSegment& segment : info.segments) {
    ++info.memory.segments;
    info.memory.mapped_bytes += segment.memory_size;
    info.memory.stored_bytes += segment.file_size;
  }
  for (const format::PageMapEntry& entry : core.page_map())
    info.memory.page_map_bytes[page_map_kind_text(entry.kind)] += entry.length;
  info.kernel_log_bytes = core.kernel_log().size();
  info.notes = core.notes();
  return info;
}

std::string hexadecimal(std::span<const uint8_t> bytes) {
  std::string text;
  for (uint8_t byte : bytes) text += fmt::format("{:02x}", byte);
  return text;
}

std::string signal_name(int signal) {
  if (const char* name = sigabbrev_np(signal)) return fmt::format("SIG{}", name);
  return fmt::format("signal {}", signal);
}

const char* reason_kind_text(format::ReasonKind kind) {
  switch (kind) {
    case format::ReasonKind::None:
      return "none";
    case format::ReasonKind::Signal:
      return "signal";
    case format::ReasonKind::Exit:
      return "exit";
    case format::ReasonKind::KernelPanic:
      return "kernel panic";
    case format::ReasonKind::DoubleFault:
      return "double fault";
    case format::ReasonKind::NonMaskableInterrupt:
      return "non-maskable interrupt";
    case format::ReasonKind::OnDemand:
      return "on demand";
  }
  return "unknown";
}

const char* dump_level_text(format::DumpLevel level) {
  if (level == kLevelCutShort) return "cut short";
  switch (level) {
    case format::DumpLevel::None:
      return "none";
    case format::DumpLevel::TextOnly:
      return "text only";
    case format::DumpLevel::Registers:
      return "registers";
    case format::DumpLevel::AppOnly:
      return "app only";
    case format::DumpLevel::Full:
      return "full";
  }
  return "unknown";
}

const char* module_kind_text(format::ModuleKind kind) {
  switch (kind) {
    case format::ModuleKind::Program:
      return "program";
    case format::ModuleKind::Interpreter:
      return "interpreter";
    case format::ModuleKind::Library:
      return "library";
    case format::ModuleKind::Vdso:
      return "vdso";
    case format::ModuleKind::Kernel:
      return "kernel";
  }
  return "unknown";
}

const char* module_id_kind_text(format::ModuleIdKind kind) {
  switch (kind) {
    case format::ModuleIdKind::None:
      return "none";
    case format::ModuleIdKind::GnuBuildId:
      return "gnu build id";
    case format::ModuleIdKind::GoBuildId:
      return "go build id";
    case format::ModuleIdKind::Sha256:
      return "sha256";
  }
  return "unknown";
}

const char* page_map_kind_text(format::PageMapKind kind) {
  switch (kind) {
    case format::PageMapKind::Stored:
      return "stored";
    case format::PageMapKind::Alias:
      return "alias";
    case format::PageMapKind::Reserved:
      return "reserved";
    case format::PageMapKind::Untouched:
      return "untouched";
    case format::PageMapKind::Dropped:
      return "dropped";
    case format::PageMapKind::Device:
      return "device";
  }
  return "unknown";
}

}  // namespace mortem::snapshot
