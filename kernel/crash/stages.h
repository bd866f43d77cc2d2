// The order of the crash path, and what is left to try when a stage traps: never the same stage again.
#pragma once

#include <cstdint>

namespace kernel {

enum class CrashStage : uint8_t {
  Capture,
  ResetDevices,
  Report,
  Signature,
  OpenDisk,
  DumpFull,
  DumpApp,
  DumpRegisters,
  TextOnly,
  SayWhere,
  TellHost,
  Leave,
};

enum class DumpDone : uint8_t { No, Yes };  // Yes: nothing is left to write (a dump is there, or there can be none)

constexpr CrashStage stage_after(CrashStage stage, DumpDone done) {
  if (stage >= CrashStage::OpenDisk && stage < CrashStage::SayWhere && done == DumpDone::Yes)
    return CrashStage::SayWhere;
  return stage == CrashStage::Leave ? stage : static_cast<CrashStage>(static_cast<uint8_t>(stage) + 1);
}

// A trap while the disk was opened: there is no dump. In Leave: nothing is left to do but to try it again.
constexpr CrashStage stage_after_trap(CrashStage stage, DumpDone done) {
  if (stage == CrashStage::OpenDisk) return CrashStage::SayWhere;
  return stage_after(stage, done);
}

// For tests of the crash path itself: each of these stages (bit n: stage n) traps once.
void crash_provoke(uint32_t stages);

constexpr const char* stage_name(CrashStage stage) {
  switch (stage) {
    case CrashStage::Capture:
      return "capture";
    case CrashStage::ResetDevices:
      return "device-reset";
    case CrashStage::Report:
      return "report";
    case CrashStage::Signature:
      return "signature";
    case CrashStage::OpenDisk:
      return "disk";
    case CrashStage::DumpFull:
      return "full-dump";
    case CrashStage::DumpApp:
      return "app-only-dump";
    case CrashStage::DumpRegisters:
      return "registers-dump";
    case CrashStage::TextOnly:
      return "text-record";
    case CrashStage::SayWhere:
      return "result-line";
    case CrashStage::TellHost:
      return "host-message";
    case CrashStage::Leave:
      return "reboot";
  }
  return "unknown";
}

}  // namespace kernel
