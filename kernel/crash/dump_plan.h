// What of the guest's memory a dump of some level holds: a walk that gives the same pieces in the same order each time
// (the moment stands still), so that headers, page map and content can be written one after the other without keeping
// a list. The pieces are the entries of the PageMap note; those that are Stored make the PT_LOADs.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernel/crash/crash_state.h"

namespace kernel {

// Anonymous memory that was never touched is zero: it is written as such (gdb shows zeros, compressed it costs
// nothing) unless one run of it, or all of it, is large: then it stays out and the page map says Untouched.
inline constexpr uint64_t kLargestStoredZeroRun = 16 << 20;
inline constexpr uint64_t kStoredZeroBudget = 256 << 20;
// What level Registers keeps of each stack, from the red zone below the stack pointer on upwards.
inline constexpr uint64_t kStackWindow = 256 << 10;
inline constexpr uint64_t kNoPhysical = ~uint64_t{0};

inline constexpr uint64_t kNoContent = ~uint64_t{0};

// A page that stands at several addresses is Stored at the first and an Alias at the others; those of the app have
// PT_LOADs all the same, which lead to the same bytes of the file.
struct DumpPiece {
  mortem::format::PageMapEntry entry;
  uint64_t content;  // where its bytes are, from the start of the dump's content; kNoContent: it has no PT_LOAD
  uint32_t region;   // pieces of one mapping have the same number: only they may share a PT_LOAD
};

class PieceVisitor {
 public:
  virtual bool visit(const DumpPiece& piece) = 0;  // false: stop

 protected:
  ~PieceVisitor() = default;
};

// False: the visitor stopped it.
bool walk_dump(const CrashState& state, mortem::format::DumpLevel level, PieceVisitor& visitor);

// Joins pieces with content to PT_LOADs. Call finish() after the walk.
struct DumpSegment {
  uint64_t address, size;
  uint64_t physical;  // kNoPhysical: not contiguous, or untouched
  uint64_t content;   // as the pieces'
  uint32_t flags;     // PageMapFlags
};
class SegmentVisitor : public PieceVisitor {
 public:
  bool visit(const DumpPiece& piece) final;
  bool finish() { return flush(); }

 protected:
  ~SegmentVisitor() = default;
  virtual bool piece(const DumpPiece& piece) { return (void)piece, true; }
  virtual bool segment(const DumpSegment& segment) = 0;

 private:
  bool flush();
  DumpSegment open_{};
  uint32_t region_ = 0;
  bool is_open_ = false;
};

}  // namespace kernel
