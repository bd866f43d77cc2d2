#include "kernel/crash/signature.h"

#include "kernel/crash/checked_memory.h"
#include "kernel/crash/frame_pointer_walk.h"
#include "kernel/crash/modules.h"
#include "kernel/crash/page_walk.h"

namespace kernel {

namespace {

// Deep enough to tell callers of a helper apart, not so deep that the loop above them does.
constexpr size_t kFrames = 8;
// Code without frame pointers (most of a distribution's libraries) ends the chain at once: then the first return
// addresses that stand on the stack take its place. Stale ones among them are the same on each run too.
constexpr size_t kFewFrames = 3, kStackWords = 128, kStackHits = 4;

// FNV-1a, 64 bits.
class Hash {
 public:
  void bytes(const void* from, size_t size) {
    const auto* at = static_cast<const uint8_t*>(from);
    for (size_t i = 0; i < size; ++i) value_ = (value_ ^ at[i]) * 0x100000001B3;
  }
  template <typename T>
  void number(T value) {
    bytes(&value, sizeof value);
  }
  uint64_t value() const { return value_ != 0 ? value_ : 1; }

 private:
  uint64_t value_ = 0xCBF29CE484222325;
};

void add_place(Hash& hash, uint64_t address) {
  ModuleReader module;
  if (!find_module(address, module)) return hash.number(uint8_t{0});  // code made at run time is nowhere twice
  if (module.entry().id_length != 0)
    hash.bytes(module.id().data(), module.id().size());
  else
    hash.bytes(module.path(), __builtin_strlen(module.path()));
  hash.number(address - module.entry().load_bias);
}

// Behind a call instruction: E8 rel32, or FF with /2 in its second byte (2 to 7 bytes long).
bool is_return_address(uint64_t address) {
  uint8_t before[7];
  if (!read_virtual(before, address - sizeof before)) return false;
  if (before[2] == 0xE8) return true;
  for (size_t length = 2; length <= 7; ++length)
    if (before[7 - length] == 0xFF && (before[8 - length] >> 3 & 7) == 2) return true;
  return false;
}

void add_stack(Hash& hash, uint64_t stack_pointer) {
  size_t hits = 0;
  for (size_t index = 0; index < kStackWords && hits < kStackHits; ++index) {
    uint64_t word;
    ModuleReader module;
    if (!read_virtual(word, (stack_pointer & ~uint64_t{7}) + index * 8)) return;
    // A program's data points into its data, where the bytes before are addresses of this boot: that is no call.
    if (!find_module(word, module) || !is_code(word) || !is_return_address(word)) continue;
    add_place(hash, word);
    ++hits;
  }
}

}  // namespace

uint64_t crash_signature(const CrashState& state) {
  Hash hash;
  hash.number(state.reason.kind);
  hash.number(state.reason.signal);
  hash.number(state.reason.exit_status);
  hash.number(state.in_kernel);
  FramePointerWalk walk(state.frame.rip, state.frame.rbp);
  size_t frames = 0;
  do {
    add_place(hash, walk.pc());
    ++frames;
  } while (frames < kFrames && walk.next());
  if (frames < kFewFrames) add_stack(hash, state.frame.rsp);
  return hash.value();
}

}  // namespace kernel
