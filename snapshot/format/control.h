// The control port: length-prefixed messages between a guest and `mortem run`, over the virtio-console port
// named kControlPortName. Each message is a ControlHeader and `length` bytes of payload; unknown types are skipped.
#pragma once

#include <cstdint>

namespace mortem::format {

inline constexpr const char* kControlPortName = "org.mortem.control";
inline constexpr const char* kStubPortName = "org.mortem.gdb";
// The bytes of the app's standard input, nothing else; the host's end of it closed is their end. There only where the
// host has an input to give.
inline constexpr const char* kInputPortName = "org.mortem.stdin";
inline constexpr uint32_t kMaximumControlPayload = 4096;

enum class ControlType : uint16_t {
  // guest → host
  Ready = 1,             // the app's first instruction is about to run; no payload
  ExitStatus = 2,        // ControlExitStatus; the app called exit_group
  WaitsForDebugger = 4,  // UTF-8, one line: the signal that would have ended the app (`--on-crash gdb`)
  Crash = 3,             // ControlCrash, then the UTF-8 one-line reason (rest of the payload)
  WantsInput = 5,        // the app reads or polls its standard input for the first time; no payload
  ClockReport = 6,       // ControlClockReport, the answer to WatchClockEnd
  CloneReady = 7,        // the answer to YouAreAClone; no payload
  Snapshot = 8,          // as Crash; the program goes on
  WhatAmI = 9,           // from a dump that goes on in a recording, where the port keeps nothing for later: wants GoOn
  StandsStill = 10,      // the answer to HoldStill; no payload
  WroteAgain = 11,       // the answer to WriteAgain; uint32_t: its number
  Taken = 12,            // from a UART, after each message of the host's: there is room for the next; no payload
  // host → guest
  DumpNow = 16,
  Terminate = 17,  // SIGTERM to the app
  TraceOn = 18,
  TraceOff = 19,
  YouAreAClone = 20,   // ControlClone
  WatchClock = 21,     // from now on look at the clock every millisecond; no payload
  WatchClockEnd = 22,  // and stop that
  GoOn = 23,           // as YouAreAClone, in the 16 bytes that a UART holds; int64_t: its wall_clock_ns
  HoldStill = 24,      // to a recorded guest: loop, with interrupts off, until LetGo or for a second; no payload
  LetGo = 25,          // no payload
  WriteAgain = 26,     // ControlWriteAgain, then as many ControlPages as there are
};

struct ControlHeader {
  uint32_t length;   // bytes of payload after this header
  uint16_t version;  // 1
  ControlType type;
};
static_assert(sizeof(ControlHeader) == 8);

struct ControlExitStatus {
  int32_t status;  // as waitpid's WEXITSTATUS: 0–255
};

inline constexpr uint32_t kNoSlot = ~0u;

struct ControlCrash {
  uint32_t reason_kind;    // ReasonKind
  int32_t signal;          // 0: none
  int32_t exit_status;     // of an exit that was dumped
  uint32_t slot;           // kNoSlot: no dump was written; the reason line says why
  uint64_t stored_length;  // bytes
  uint32_t level;          // DumpLevel
  uint32_t occurrence;     // the how-manieth crash of this kind on its disk, 0: not known
};
static_assert(sizeof(ControlCrash) == 32);

// What the guest saw of its own clock between WatchClock and WatchClockEnd: a look that came late was kept from coming,
// by the guest itself or because it stood still. A clock that stands still with the guest (QEMU's TCG) does not show
// that time.
struct ControlClockReport {
  uint64_t largest_gap_ns;  // between two looks
  uint64_t looks;
  uint64_t watched_ns;
};
static_assert(sizeof(ControlClockReport) == 24);

// Throw the TLB away, then write to each of these pages what stands there; not to those that are free. It makes a QEMU
// see what it would miss (tools/qemu/unseen_writes.h).
struct ControlWriteAgain {
  uint32_t number;
};
struct ControlPages {
  uint32_t first, count;  // page frames
};
static_assert(sizeof(ControlWriteAgain) == 4 && sizeof(ControlPages) == 8);

// To a copy of a running guest, before the first instruction of it runs.
inline constexpr uint32_t kCloneHoldsApp = 1;  // the app stops for a debugger at once
struct ControlClone {
  uint32_t flags;
  uint8_t hardware_address[6];  // of its network card; all zero: as it was
  uint8_t reserved[6];
  int64_t wall_clock_ns;  // since 1970; 0: it goes on from where it was
  uint8_t entropy[64];
};
static_assert(sizeof(ControlClone) == 88);

}  // namespace mortem::format
