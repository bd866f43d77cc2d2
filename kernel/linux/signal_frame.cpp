// The frame of a signal handler, as x86-64 Linux lays it out (arch/x86/include/asm/sigframe.h, uapi/asm/sigcontext.h):
// debuggers and unwinders know it by heart.
#include "kernel/arch/x86_64/cpu.h"
#include "kernel/arch/x86_64/entry.h"
#include "kernel/arch/x86_64/user_access.h"
#include "kernel/linux/app.h"
#include "kernel/linux/signals.h"
#include "kernel/memory/heap.h"

namespace kernel::linux {
namespace {

struct SignalContext {  // struct sigcontext
  uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
  uint64_t rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, rflags;
  uint16_t cs, gs, fs, ss;
  uint64_t error_code, trap_number, old_mask, cr2;
  uint64_t extended_state;  // user address
  uint64_t reserved[8];
};
static_assert(sizeof(SignalContext) == 256);

struct UserContext {  // struct ucontext
  uint64_t flags, link;
  AlternateStack stack;
  SignalContext context;
  uint64_t mask;
};
static_assert(sizeof(UserContext) == 304);

struct SignalFrame {  // struct rt_sigframe
  uint64_t return_address;
  UserContext user_context;
  SignalInformation information;
};
static_assert(sizeof(SignalFrame) == 440);

constexpr uint64_t kHasExtendedState = 1, kHasStackSegment = 2, kStrictStackSegment = 4;  // UC_*
constexpr uint64_t kRedZone = 128;                                                        // AMD64 psABI 3.2.2
constexpr int32_t kStackOnStack = 1, kStackDisable = 2, kStackAutoDisarm = INT32_MIN;     // SS_*
constexpr uint64_t kLeastStack = 2048;                                                    // MINSIGSTKSZ

// struct _fpx_sw_bytes, at byte 464 of the FXSAVE image.
struct ExtendedStateDescription {
  uint32_t magic;          // FP_XSTATE_MAGIC1
  uint32_t extended_size;  // with the second magic word
  uint64_t features;
  uint32_t state_size;
  uint32_t padding[7];
};
static_assert(sizeof(ExtendedStateDescription) == 48);
constexpr uint32_t kMagicFirst = 0x46505853, kMagicSecond = 0x46505845;
constexpr size_t kDescriptionOffset = 464;

// Flags that sigreturn takes from the frame (Linux: FIX_EFLAGS).
constexpr uint64_t kRestoredFlags = 0x50DD5;  // AC OF DF TF SF ZF AF PF CF RF

// A 64-byte aligned kernel copy of the extended state.
class StateBuffer {
 public:
  StateBuffer() : memory_(heap_allocate(g_cpu.xsave_size + 128)) {}
  ~StateBuffer() { heap_free(memory_); }
  StateBuffer(const StateBuffer&) = delete;
  StateBuffer& operator=(const StateBuffer&) = delete;
  bool failed() const { return memory_ == nullptr; }
  uint8_t* bytes() const {
    return reinterpret_cast<uint8_t*>((reinterpret_cast<uint64_t>(memory_) + 63) & ~uint64_t{63});
  }

 private:
  void* memory_;
};

bool is_on(const AlternateStack& stack, uint64_t rsp) {
  if ((stack.flags & kStackAutoDisarm) != 0) return false;
  return stack.size != 0 && rsp > stack.start && rsp - stack.start <= stack.size;
}

Result<uint64_t> save_state(uint64_t& stack_pointer) {
  StateBuffer buffer;
  if (buffer.failed()) return Error::NoMemory;
  const uint64_t trailer = g_cpu.xsave ? sizeof kMagicSecond : 0;
  stack_pointer = (stack_pointer - g_cpu.xsave_size - trailer) & ~uint64_t{63};
  save_extended_state(buffer.bytes());
  ExtendedStateDescription description{};
  if (g_cpu.xsave)
    description = {.magic = kMagicFirst,
                   .extended_size = g_cpu.xsave_size + uint32_t{sizeof kMagicSecond},
                   .features = g_cpu.xcr0,
                   .state_size = g_cpu.xsave_size,
                   .padding = {}};
  __builtin_memcpy(buffer.bytes() + kDescriptionOffset, &description, sizeof description);
  TRY(copy_to_user(stack_pointer, buffer.bytes(), g_cpu.xsave_size));
  if (g_cpu.xsave) TRY(write_user(stack_pointer + g_cpu.xsave_size, kMagicSecond));
  return stack_pointer;
}

// The bits that MXCSR has on this processor (Intel SDM vol. 1, 11.6.6).
uint32_t known_mxcsr_bits(uint8_t* buffer) {
  static uint32_t known = 0;
  if (known != 0) return known;
  constexpr size_t kMaskOffset = 28;
  save_extended_state(buffer);
  __builtin_memcpy(&known, buffer + kMaskOffset, sizeof known);
  if (known == 0) known = 0xFFBF;
  return known;
}

// What the program wrote into its frame must not make XRSTOR fault in the kernel (Intel SDM vol. 1, 13.8): what would
// is an error.
Result<void> restore_state(uint64_t address) {
  StateBuffer buffer;
  if (buffer.failed()) return Error::NoMemory;
  uint8_t* bytes = buffer.bytes();
  const uint32_t known_bits = known_mxcsr_bits(bytes);
  if (address == 0) {
    initial_extended_state(bytes);
    restore_extended_state(bytes);
    return {};
  }
  if (address % 64 != 0 && g_cpu.xsave) return Error::Fault;
  constexpr size_t kLegacySize = 512, kHeaderSize = 64;
  TRY(copy_from_user(bytes, address, kLegacySize));
  ExtendedStateDescription description;
  __builtin_memcpy(&description, bytes + kDescriptionOffset, sizeof description);
  if (g_cpu.xsave) {
    uint32_t second = 0;
    const bool whole = description.magic == kMagicFirst && description.state_size == g_cpu.xsave_size &&
                       copy_from_user(&second, address + g_cpu.xsave_size, sizeof second) && second == kMagicSecond;
    __builtin_memset(bytes + kLegacySize, 0, g_cpu.xsave_size - kLegacySize);
    uint64_t features = 3;
    if (whole) {
      TRY(copy_from_user(bytes + kLegacySize, address + kLegacySize, g_cpu.xsave_size - kLegacySize));
      __builtin_memcpy(&features, bytes + kLegacySize, sizeof features);
      if ((features & ~g_cpu.xcr0) != 0) return Error::Fault;
      uint64_t reserved[2];  // XCOMP_BV, and eight bytes behind it
      __builtin_memcpy(reserved, bytes + kLegacySize + sizeof features, sizeof reserved);
      if ((reserved[0] | reserved[1]) != 0) return Error::Fault;
    }
    __builtin_memset(bytes + kLegacySize, 0, kHeaderSize);
    __builtin_memcpy(bytes + kLegacySize, &features, sizeof features);
  }
  uint32_t mxcsr;
  constexpr size_t kMxcsrOffset = 24;
  __builtin_memcpy(&mxcsr, bytes + kMxcsrOffset, sizeof mxcsr);
  if ((mxcsr & ~known_bits) != 0) return Error::Fault;
  restore_extended_state(bytes);
  return {};
}

void fill_context(SignalContext& to, const TrapFrame& from) {
  to.r8 = from.r8, to.r9 = from.r9, to.r10 = from.r10, to.r11 = from.r11;
  to.r12 = from.r12, to.r13 = from.r13, to.r14 = from.r14, to.r15 = from.r15;
  to.rdi = from.rdi, to.rsi = from.rsi, to.rbp = from.rbp, to.rbx = from.rbx;
  to.rdx = from.rdx, to.rax = from.rax, to.rcx = from.rcx, to.rsp = from.rsp;
  to.rip = from.rip, to.rflags = from.rflags;
  to.cs = g_last_trap.code_segment != 0 ? g_last_trap.code_segment : static_cast<uint16_t>(from.cs);
  to.ss = g_last_trap.code_segment != 0 ? g_last_trap.stack_segment : static_cast<uint16_t>(from.ss);
  to.error_code = g_last_trap.error_code, to.trap_number = g_last_trap.vector, to.cr2 = g_last_trap.cr2;
}

}  // namespace

Result<void> push_signal_frame(TrapFrame& frame, const SignalInformation& information, const SignalAction& action) {
  // x86-64 Linux has no return trampoline of its own either: no restorer, no frame.
  if ((action.flags & kActionRestorer) == 0) return Error::Fault;
  AppThread& thread = current();
  uint64_t stack_pointer = frame.rsp - kRedZone;
  if ((action.flags & kActionOnStack) != 0 && thread.alternate_stack.size != 0 &&
      !is_on(thread.alternate_stack, frame.rsp))
    stack_pointer = thread.alternate_stack.start + thread.alternate_stack.size;
  else if (is_on(thread.alternate_stack, frame.rsp) &&
           !is_on(thread.alternate_stack, stack_pointer - sizeof(SignalFrame)))
    return Error::Fault;  // an alternate stack that is full ends the program rather than what lies below it

  SignalFrame out{};
  out.user_context.context.extended_state = TRY(save_state(stack_pointer));
  stack_pointer = ((stack_pointer - sizeof(SignalFrame)) & ~uint64_t{15}) - 8;
  out.return_address = action.restorer;
  out.user_context.flags = kHasStackSegment | kStrictStackSegment | (g_cpu.xsave ? kHasExtendedState : 0);
  out.user_context.stack = thread.alternate_stack;
  if (thread.alternate_stack.size != 0 && (thread.alternate_stack.flags & kStackAutoDisarm) == 0)
    out.user_context.stack.flags = is_on(thread.alternate_stack, frame.rsp) ? kStackOnStack : 0;
  fill_context(out.user_context.context, frame);
  out.user_context.mask = thread.mask_is_saved ? thread.saved_mask : thread.blocked_signals;
  out.user_context.context.old_mask = out.user_context.mask;
  out.information = information;
  TRY(copy_to_user(stack_pointer, &out, sizeof out));

  thread.mask_is_saved = false;
  if ((thread.alternate_stack.flags & kStackAutoDisarm) != 0) thread.alternate_stack = {};
  StateBuffer fresh;
  if (fresh.failed()) return Error::NoMemory;
  initial_extended_state(fresh.bytes());
  restore_extended_state(fresh.bytes());
  constexpr uint64_t kDirectionTrapResume = 0x400 | 0x100 | 0x10000;
  frame.rdi = static_cast<uint64_t>(information.signal);
  frame.rsi = stack_pointer + offsetof(SignalFrame, information);
  frame.rdx = stack_pointer + offsetof(SignalFrame, user_context);
  frame.rax = 0;
  frame.rsp = stack_pointer;
  frame.rip = action.handler;
  frame.cs = kUserCode;
  frame.ss = kUserData;
  frame.rflags &= ~kDirectionTrapResume;
  if (frame.is_syscall()) frame.error_code = ~uint64_t{0};
  return {};
}

namespace {

// The selectors of a frame, as Linux would load them. What IRETQ would refuse ends in a general protection fault of the
// program (Intel SDM vol. 2, IRET), whose registers here stay those that it can go on with. A program of 32 bits is
// refused as well.
Result<void> check_segments(const UserContext& in) {
  constexpr uint16_t kPrivilege = 3;
  const uint16_t code = in.context.cs | kPrivilege, stack = in.context.ss | kPrivilege;
  const bool is_bad_code = code != kUserCode;
  const bool is_bad_stack = stack != kUserData && (in.flags & kStrictStackSegment) != 0;  // else Linux mends it
  if (!is_bad_code && !is_bad_stack) return {};
  constexpr uint64_t kGeneralProtection = 13;
  constexpr uint16_t kLocalTable = 4;  // for such a stack Linux has a way back of its own, which loses the error code
  const uint16_t refused = (stack & kLocalTable) != 0 ? 0 : is_bad_code ? code : stack;
  g_last_trap = {kGeneralProtection, static_cast<uint64_t>(refused & ~kPrivilege), 0, code, stack};
  return Error::Fault;
}

}  // namespace

Result<void> pop_signal_frame(TrapFrame& frame) {
  const auto in = TRY(read_user<UserContext>(frame.rsp));  // the handler's `ret` took the return address
  const SignalContext& from = in.context;
  if (from.rip >= kUserEnd) return Error::Fault;  // IRETQ would fault in the kernel
  set_blocked_signals(in.mask);
  frame.r8 = from.r8, frame.r9 = from.r9, frame.r10 = from.r10, frame.r11 = from.r11;
  frame.r12 = from.r12, frame.r13 = from.r13, frame.r14 = from.r14, frame.r15 = from.r15;
  frame.rdi = from.rdi, frame.rsi = from.rsi, frame.rbp = from.rbp, frame.rbx = from.rbx;
  frame.rdx = from.rdx, frame.rax = from.rax, frame.rcx = from.rcx, frame.rsp = from.rsp;
  frame.rip = from.rip;
  frame.rflags = (frame.rflags & ~kRestoredFlags) | (from.rflags & kRestoredFlags);
  frame.cs = kUserCode;
  frame.ss = kUserData;
  frame.error_code = ~uint64_t{0};
  TRY(restore_state(from.extended_state));
  // Linux: restore_altstack; an unusable one is left as it is.
  AlternateStack stack = in.stack;
  const int32_t mode = stack.flags & ~kStackAutoDisarm;
  const bool is_usable = mode == kStackDisable || ((mode == 0 || mode == kStackOnStack) && stack.size >= kLeastStack);
  if (is_usable && !is_on(current().alternate_stack, frame.rsp)) {
    if (mode == kStackDisable)
      stack = {};
    else
      stack.flags &= kStackAutoDisarm;
    current().alternate_stack = stack;
  }
  return check_segments(in);
}

}  // namespace kernel::linux
