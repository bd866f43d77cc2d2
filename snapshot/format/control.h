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
  Ready = 1,       // the app's first instruction is about to run; no payload
  ExitStatus = 2,  // ControlExitStatus; the app called exit_group
  WaitsForDebugger = 4,  // UTF-8, one line: the signal that would have ended the app (`--on-crash gdb`)
  Crash = 3,       // ControlCrash, then the UTF-8 one-line reason (rest of the payload)
  WantsInput = 5,        // the app reads or polls its standard input for the first time; no payload
  // host → guest
  DumpNow = 16,
  Terminate = 17,  // SIGTERM to the app
  TraceOn = 18,
  TraceOff = 19,
  YouAreAClone = 20,
};

struct ControlHeader {
  uint32_t length;  // bytes of payload after this header
  uint16_t version; // 1
  ControlType type;
};
static_assert(sizeof(ControlHeader) == 8);

struct ControlExitStatus {
  int32_t status;  // as waitpid's WEXITSTATUS: 0–255
};

inline constexpr uint32_t kNoSlot = ~0u;

struct ControlCrash {
  uint32_t reason_kind;   // ReasonKind
  int32_t signal;         // 0: none
  int32_t exit_status;    // of an exit that was dumped
  uint32_t slot;          // kNoSlot: no dump was written; the reason line says why
  uint64_t stored_length; // bytes
  uint32_t level;         // DumpLevel
  uint32_t occurrence;    // the how-manieth crash of this kind on its disk, 0: not known
};
static_assert(sizeof(ControlCrash) == 32);

}  // namespace mortem::format
