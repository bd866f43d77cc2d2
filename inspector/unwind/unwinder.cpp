#include "inspector/unwind/unwinder.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <set>

namespace mortem::inspector {
namespace {

constexpr size_t kScanWords = 64;             // how far up the stack a return address is looked for
constexpr uint64_t kLargestFrame = 16 << 20;  // a frame pointer beyond is taken for a value that is none

class Unwinder {
 public:
  Unwinder(const FrameRegisters& registers, ModuleImages& modules, MemoryCache& memory)
      : registers_(registers), modules_(modules), memory_(memory) {}

  UnwoundStack run(size_t frame_limit, KeepRegisters keep, FirstFrame first) {
    frame_.pc = registers_.pc();
    frame_.interrupted = first == FirstFrame::Interrupted;
    while (true) {
      if (result_.frames.size() >= frame_limit) {
        result_.end = fmt::format("frame limit of {}", frame_limit);
        break;
      }
      const bool more = find_caller();
      result_.frames.push_back(frame_);
      if (keep == KeepRegisters::Yes) result_.registers.push_back(registers_);
      if (!more) break;
      frame_ = next_;
      registers_ = caller_;
    }
    return std::move(result_);
  }

 private:
  // Fills in the rest of `frame_`, then `next_` and `caller_`; false: the stack ends here, result_.end says why.
  bool find_caller() {
    next_ = {};
    reason_.clear();
    if (frame_.interrupted && !modules_.is_executable(frame_.pc)) return by_pushed_return_address();
    bool finished = false;
    if (by_call_frame_information(&finished)) return true;
    if (finished) return false;
    if (by_frame_pointer() || by_scan()) return true;
    result_.end = reason_;
    return false;
  }

  // The program jumped to where there is no code: the call that did so left its return address on top of the stack.
  // gdb assumes the same; here a call instruction has to stand before it.
  bool by_pushed_return_address() {
    const auto word = memory_.read_word(registers_.sp());
    if (!word || !modules_.is_return_address(*word)) {
      result_.end = fmt::format("no code at {:#x} and no return address on top of the stack", frame_.pc);
      return false;
    }
    caller_ = registers_;
    caller_.forget_call_clobbered();
    return accept(*word, registers_.sp() + 8, Trust::Scan);
  }

  bool by_call_frame_information(bool* finished) {
    const UnwindRow* row = modules_.unwind_row(frame_.lookup());
    // A return address at the first instruction of a signal trampoline was put there by the kernel, with no call
    // before it (psABI: the byte before belongs to another function or to none).
    // Nor can a call end where a function begins: Go's runtime makes threads that it interrupts call its functions.
    if (!frame_.interrupted)
      if (const UnwindRow* at_pc = modules_.unwind_row(frame_.pc); at_pc && (at_pc->signal_frame || !row)) {
        row = at_pc;
        frame_.interrupted = true;
      }
    if ((!row || !row->signal_frame) && by_signal_return()) return true;
    if (!row) {
      reason_ = fmt::format("no unwind information for {:#x}", frame_.pc);
      return false;
    }
    std::string missing;
    const auto unwound = apply_row(*row, registers_, memory_, &missing);
    if (!unwound) {
      reason_ = missing;
      return false;
    }
    frame_.cfa = unwound->cfa;
    frame_.signal_frame = row->signal_frame;
    *finished = true;
    if (unwound->outermost || unwound->caller.pc() == 0) {
      result_.end = "thread start";
      return false;
    }
    // Only a signal changes to another stack; without one, a frame that does not grow would be met again for ever.
    // An interrupted frame that rests on rbp says nothing by its stack pointer: that may be what the program destroyed.
    const bool sp_matters = !frame_.interrupted || row->cfa.kind == UnwindRule::Kind::IsExpression ||
                            row->cfa.number == FrameRegisters::kRsp;
    if (!row->signal_frame && sp_matters && unwound->caller.sp() <= registers_.sp()) {
      result_.end =
          fmt::format("the frame at {:#x} gives its caller the stack pointer {:#x}, which is not above its own",
                      frame_.pc, unwound->caller.sp());
      return false;
    }
    if (row->signal_frame && !seen_.insert({frame_.pc, registers_.sp()}).second) {
      result_.end = fmt::format("the signal frame at {:#x} is met again", registers_.sp());
      return false;
    }
    caller_ = unwound->caller;
    next_.pc = caller_.pc();
    next_.trust = Trust::Cfi;
    next_.interrupted = row->signal_frame || modules_.is_called_by_interrupt(frame_.lookup());
    return true;
  }

  // The end of a signal's handler without call frame information (Go's, musl's): `mov rax, 15; syscall`. The kernel put
  // the registers into the ucontext that the stack pointer is at (Linux, arch/x86/include/uapi/asm/sigcontext.h).
  bool by_signal_return() {
    static constexpr std::array<uint8_t, 9> kLong = {0x48, 0xC7, 0xC0, 0x0F, 0, 0, 0, 0x0F, 0x05};
    static constexpr std::array<uint8_t, 7> kShort = {0xB8, 0x0F, 0, 0, 0, 0x0F, 0x05};
    std::array<uint8_t, 9> code{};
    const size_t got = modules_.read_code(frame_.pc, code);
    const bool is_it = (got == kLong.size() && code == kLong) ||
                       (got >= kShort.size() && std::equal(kShort.begin(), kShort.end(), code.begin()));
    if (!is_it || !modules_.is_executable(frame_.pc)) return false;
    // DWARF numbers of the registers in the order of struct sigcontext.
    static constexpr uint8_t kOrder[] = {8, 9, 10, 11, 12, 13, 14, 15, 5, 4, 6, 3, 1, 0, 2, 7, 16};
    constexpr uint64_t kRegisters = 40;  // of struct ucontext
    FrameRegisters before;
    for (size_t index = 0; index < std::size(kOrder); ++index) {
      const auto word = memory_.read_word(registers_.sp() + kRegisters + 8 * index);
      if (!word) return false;
      before.set(kOrder[index], *word);
    }
    if (!seen_.insert({frame_.pc, registers_.sp()}).second) return false;
    caller_ = before;
    frame_.signal_frame = frame_.interrupted = true;
    next_.pc = before.pc();
    next_.trust = Trust::Cfi;
    next_.interrupted = true;
    return true;
  }

  // push rbp; mov rbp, rsp: the caller's rbp at [rbp], the return address above it.
  bool by_frame_pointer() {
    const auto pointer = registers_.get(FrameRegisters::kRbp);
    if (!pointer || *pointer % 8 != 0 || *pointer < registers_.sp() || *pointer - registers_.sp() > kLargestFrame)
      return false;
    const auto saved = memory_.read_word(*pointer), word = memory_.read_word(*pointer + 8);
    if (!saved || !word || !modules_.is_return_address(*word)) return false;
    if (*saved != 0 && *saved <= *pointer) return false;  // the chain leads upwards; 0 is its end
    caller_ = {};
    caller_.set(FrameRegisters::kRbp, *saved);
    return accept(*word, *pointer + 16, Trust::FramePointer);
  }

  bool by_scan() {
    const uint64_t start = (registers_.sp() + 7) & ~uint64_t{7};
    for (uint64_t address = start; address < start + kScanWords * 8; address += 8) {
      const auto word = memory_.read_word(address);
      if (!word) return false;
      if (!modules_.is_return_address(*word)) continue;
      const auto pointer = registers_.get(FrameRegisters::kRbp);
      caller_ = {};
      // A frame without a frame pointer of its own leaves its caller's in place.
      if (pointer && *pointer > address) caller_.set(FrameRegisters::kRbp, *pointer);
      return accept(*word, address + 8, Trust::Scan);
    }
    return false;
  }

  bool accept(uint64_t pc, uint64_t sp, Trust trust) {
    caller_.set(FrameRegisters::kRip, pc);
    caller_.set(FrameRegisters::kRsp, sp);
    frame_.cfa = sp;
    next_.pc = pc;
    next_.trust = trust;
    return true;
  }

  FrameRegisters registers_, caller_;
  ModuleImages& modules_;
  MemoryCache& memory_;
  UnwoundStack result_;
  PhysicalFrame frame_, next_;
  std::string reason_;
  std::set<std::pair<uint64_t, uint64_t>> seen_;  // signal frames: pc and stack pointer
};

}  // namespace

UnwoundStack unwind(const FrameRegisters& registers, ModuleImages& modules, MemoryCache& memory, size_t frame_limit,
                    KeepRegisters keep, FirstFrame first) {
  return Unwinder(registers, modules, memory).run(frame_limit, keep, first);
}

}  // namespace mortem::inspector
