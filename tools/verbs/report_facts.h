// What a crash report says, and how as text.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "inspector/analysis/disassembly.h"
#include "inspector/analysis/goroutines.h"
#include "inspector/analysis/reason.h"
#include "inspector/analysis/signature.h"
#include "inspector/analysis/stack.h"
#include "inspector/symbols/source_text.h"
#include "snapshot/dump_info.h"

namespace mortem::tools {

struct CrashedCode {
  std::vector<uint8_t> bytes;  // at the pc; empty: not in the dump and not in a file
  std::vector<inspector::Instruction> instructions;
};

struct ReportMapping {
  uint64_t start, end;
  uint32_t flags;
  std::string path;
};

// Everything the report says, before it is text or JSON.
struct ReportFacts {
  const snapshot::CoreFile& core;
  snapshot::DumpInfo info;
  inspector::CrashReason reason;
  inspector::CrashSignature signature;
  std::optional<inspector::Frame> source_frame;   // where the source stops making sense
  std::optional<inspector::SourceLines> source;   // around it; none: not here
  std::optional<inspector::Goroutine> goroutine;  // that the crashed thread runs
  size_t goroutines = 0;                          // in all; 0: no Go program, or not to be found
  std::vector<inspector::Stack> stacks;           // the crashed thread first, if one crashed
  std::optional<format::GeneralRegisters> registers;
  CrashedCode code;
  std::vector<ReportMapping> around_fault;
  std::vector<nlohmann::ordered_json> modules;
  std::vector<std::string> error_lines, output_lines, log_lines, missing;
};

std::string report_text(const ReportFacts& facts);

// Words of both forms, text and JSON.
std::string protection_text(uint32_t flags);      // of a segment's: "r-x"
bool is_partial(const snapshot::DumpInfo& info);  // its writer fell back to less than everything, or was cut short
std::string when_text(int64_t nanoseconds);       // since 1970

}  // namespace mortem::tools
