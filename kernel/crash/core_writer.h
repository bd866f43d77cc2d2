// Streams the guest as an ELF core (ELF gABI; x86-64): header, program headers, notes, then the content of the
// PT_LOADs.
//
// Two passes over the same plan: the first counts, so that every offset is known before the first byte goes out.
#pragma once

#include <cstdint>

#include "kernel/crash/byte_sink.h"
#include "kernel/crash/crash_state.h"
#include "kernel/crash/deadline.h"

namespace kernel {

enum class CoreResult : uint8_t {
  Written,
  SinkFailed,  // the sink knows why
  Unreadable,  // a page could not be read
  TooLate,     // the deadline passed
  Changed,     // the plan was not the same the second time: something moves in the guest
};

class CoreWriter {
 public:
  CoreWriter(const CrashState& state, mortem::format::DumpLevel level, Deadline deadline)
      : state_(state), level_(level), deadline_(deadline) {}

  CoreResult write(ByteSink& to);

 private:
  bool measure();
  bool headers(ByteSink& to);
  CoreResult content(ByteSink& to);

  const CrashState& state_;
  mortem::format::DumpLevel level_;
  Deadline deadline_;
  uint64_t segments_ = 0, entries_ = 0, content_bytes_ = 0;
  uint64_t notes_offset_ = 0, notes_bytes_ = 0, content_offset_ = 0;
};

}  // namespace kernel
