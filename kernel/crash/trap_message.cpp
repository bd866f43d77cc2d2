#include "kernel/crash/trap_message.h"

#include "kernel/crash/text.h"

namespace kernel {

namespace {
constexpr uint64_t kNonMaskable = 2, kDoubleFault = 8, kPageFault = 14;
}

// Intel SDM vol. 3, table 6-1.
const char* trap_name(uint64_t vector) {
  switch (vector) {
    case 0:
      return "divide error";
    case 1:
      return "debug exception";
    case 2:
      return "NMI";
    case 3:
      return "breakpoint";
    case 4:
      return "overflow";
    case 5:
      return "bound range exceeded";
    case 6:
      return "invalid opcode";
    case 7:
      return "device not available";
    case 8:
      return "double fault";
    case 10:
      return "invalid TSS";
    case 11:
      return "segment not present";
    case 12:
      return "stack-segment fault";
    case 13:
      return "general protection";
    case 14:
      return "page fault";
    case 16:
      return "x87 floating-point error";
    case 17:
      return "alignment check";
    case 18:
      return "machine check";
    case 19:
      return "SIMD floating-point exception";
    default:
      return "no name";
  }
}

void describe_kernel_trap(const TrapFrame& frame, uint64_t cr2, std::span<char> to) {
  // A line of its own, in a record of its own; the newline becomes the NUL.
  char line[TextWriter::kColumns + 8];
  TextWriter text({line, sizeof line}, nullptr);
  const char* const place = frame.from_user() ? "" : " in the kernel";
  if (frame.vector == kNonMaskable) {
    text.text("stopped from outside by an NMI");
  } else if (frame.vector == kPageFault) {
    // Intel SDM vol. 3, figure 4-12: the bits of the error code.
    const bool present = (frame.error_code & 1) != 0, write = (frame.error_code & 2) != 0;
    const bool execute = (frame.error_code & 16) != 0;
    text.text("page fault").text(place).text(": ").text(execute ? "execution of" : write ? "write to" : "read of");
    text.text(present ? " a protected address 0x" : " an unmapped address 0x").hex(cr2);
  } else {
    text.text(trap_name(frame.vector)).text(place).text(" (trap ").decimal(frame.vector).text(", error code 0x");
    text.hex(frame.error_code).text(")");
  }
  text.end_line();
  size_t i = 0;
  for (; i + 1 < to.size() && i < text.record_length() && line[i] != '\n'; ++i) to[i] = line[i];
  if (!to.empty()) to[i] = 0;
}

CrashReason reason_of_kernel_trap(const TrapFrame& frame, uint64_t cr2, const char* message) {
  using mortem::format::ReasonKind;
  CrashReason reason{};
  reason.kind = frame.vector == kDoubleFault   ? ReasonKind::DoubleFault
                : frame.vector == kNonMaskable ? ReasonKind::NonMaskableInterrupt
                                               : ReasonKind::KernelPanic;
  reason.has_fault_address = frame.vector == kPageFault;
  reason.fault_address = reason.has_fault_address ? cr2 : 0;
  reason.message = message;
  return reason;
}

}  // namespace kernel
