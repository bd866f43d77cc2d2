#include "snapshot/clone/cpu_state.h"

#include <fmt/format.h>

#include <cstring>

#include "snapshot/clone/migration_format.h"

namespace mortem::snapshot {
namespace {

// Fields that are not there are counted once: QEMU's other versions may call them otherwise, and a made-up zero would
// be a wrong register.
class CpuReader {
 public:
  CpuReader(const DeviceStates& states, const DeviceState& cpu) : states_(states), cpu_(cpu) {}

  Result<CpuState> read(const std::string& where) {
    general();
    control();
    segments();
    extended();
    clock();
    if (!missing_.empty())
      return failure(
          ErrorKind::Unsupported,
          fmt::format("{}: its processor has no field {}: of a QEMU that is not read here", where, missing_));
    return std::move(state_);
  }

 private:
  uint64_t get(const char* name, size_t index = 0, const char* part = "") {
    const auto value = cpu_.number(name, index, part);
    if (!value && missing_.empty()) missing_ = name;
    return value.value_or(0);
  }

  void general() {
    format::GeneralRegisters& to = state_.registers.general;
    // Intel's numbers of the registers.
    uint64_t* const order[16] = {&to.rax, &to.rcx, &to.rdx, &to.rbx, &to.rsp, &to.rbp, &to.rsi, &to.rdi,
                                 &to.r8,  &to.r9,  &to.r10, &to.r11, &to.r12, &to.r13, &to.r14, &to.r15};
    for (size_t index = 0; index < 16; ++index) *order[index] = get("env.regs", index);
    to.rip = get("env.eip");
    to.eflags = get("env.eflags");
    to.orig_rax = ~uint64_t{0};
  }

  void control() {
    format::MachineRegisters& to = state_.registers;
    to.cr0 = get("env.cr[0]"), to.cr2 = get("env.cr[2]"), to.cr3 = get("env.cr[3]"), to.cr4 = get("env.cr[4]");
    to.efer = get("env.efer"), to.star = get("env.star"), to.lstar = get("env.lstar"), to.cstar = get("env.cstar");
    to.fmask = get("env.fmask"), to.kernel_gs_base = get("env.kernelgsbase");
    to.pat = get("env.pat"), to.tsc_aux = get("env.tsc_aux"), to.xcr0 = get("env.xcr0");
    to.dr0 = get("env.dr", 0), to.dr1 = get("env.dr", 1), to.dr2 = get("env.dr", 2), to.dr3 = get("env.dr", 3);
    to.dr6 = get("env.dr", 6), to.dr7 = get("env.dr", 7);
    to.gdtr = {get("env.gdt", 0, "base"), uint32_t(get("env.gdt", 0, "limit")), 0};
    to.idtr = {get("env.idt", 0, "base"), uint32_t(get("env.idt", 0, "limit")), 0};
    to.tr = segment("env.tr", 0);
    to.ldtr = segment("env.ldt", 0);
    if (const DeviceState* apic = states_.find("apic")) {
      to.apic_base = apic->number("apicbase").value_or(0);
      to.cr8 = apic->number("tpr").value_or(0) >> 4;
    }
    if (const DeviceState* common = states_.find("cpu_common")) state_.halted = common->number("halted").value_or(0);
  }

  // QEMU keeps a descriptor's second word.
  format::SegmentRegister segment(const char* name, size_t index) {
    format::SegmentRegister to{};
    to.selector = uint16_t(get(name, index, "selector"));
    to.base = get(name, index, "base");
    to.limit = uint32_t(get(name, index, "limit"));
    to.attributes = uint16_t(get(name, index, "flags") >> 8);
    return to;
  }

  void segments() {
    format::GeneralRegisters& to = state_.registers.general;
    uint64_t* const selectors[6] = {&to.es, &to.cs, &to.ss, &to.ds, &to.fs, &to.gs};
    for (size_t index = 0; index < 6; ++index) *selectors[index] = get("env.segs", index, "selector");
    to.fs_base = state_.registers.fs_base = get("env.segs", 4, "base");
    to.gs_base = state_.registers.gs_base = get("env.segs", 5, "base");
  }

  template <typename T>
  void put(size_t offset, T value) {
    std::memcpy(state_.extended_state.data() + offset, &value, sizeof value);
  }

  // Intel SDM vol. 1, 10.5.1 and 13.4.
  void extended() {
    constexpr size_t kStatus = 2, kTags = 4, kMxcsr = 24, kMxcsrMask = 28, kX87 = 32, kXmm = 160, kXcr0 = 464,
                     kHeader = 512, kAvx = 576, kSize = kAvx + 256;
    constexpr uint64_t kAllOfThem = 7;
    const bool has_avx = (state_.registers.xcr0 & 4) != 0;
    state_.extended_state.assign(has_avx ? kSize : kAvx, 0);
    put(0, uint16_t(get("env.fpuc")));
    const auto status = uint16_t(get("env.fpus_vmstate"));
    put(kStatus, status);
    put(kTags, uint8_t(get("env.fptag_vmstate")));  // a bit for each register that is not empty, as FXSAVE has it
    put(kMxcsr, uint32_t(get("env.mxcsr")));
    put(kMxcsrMask, uint32_t{0xFFFF});
    for (size_t index = 0; index < 8; ++index) {
      // FXSAVE has them from the top of the stack on. Eight bytes of mantissa, two of sign and exponent.
      const size_t number = (index + ((status >> 11) & 7)) & 7;
      const auto bytes = cpu_.element("env.fpregs", number);
      if (bytes.size() != 10) {
        if (missing_.empty()) missing_ = "env.fpregs";
        continue;
      }
      put(kX87 + 16 * index, migration::big_endian(bytes.first(8)));
      put(kX87 + 16 * index + 8, uint16_t(migration::big_endian(bytes.subspan(8))));
    }
    for (size_t index = 0; index < 16; ++index) {
      put(kXmm + 16 * index, get("env.xmm_regs[0]", index, "_q_ZMMReg[0]"));
      put(kXmm + 16 * index + 8, get("env.xmm_regs[0]", index, "_q_ZMMReg[1]"));
      if (!has_avx) continue;
      put(kAvx + 16 * index, get("env.xmm_regs[1]", index, "_q_ZMMReg[2]"));
      put(kAvx + 16 * index + 8, get("env.xmm_regs[1]", index, "_q_ZMMReg[3]"));
    }
    put(kXcr0, state_.registers.xcr0 & kAllOfThem);  // as Linux notes it for debuggers
    put(kHeader, (has_avx ? kAllOfThem : 3) & state_.registers.xcr0);
  }

  // While a machine stands still its counter is an offset.
  void clock() {
    const DeviceState* timer = states_.find("timer");
    if (timer != nullptr) state_.tsc = timer->number("cpu_ticks_offset").value_or(0) + get("env.tsc_offset");
    state_.registers.tsc = state_.tsc;
  }

  const DeviceStates& states_;
  const DeviceState& cpu_;
  CpuState state_;
  std::string missing_;
};

}  // namespace

Result<CpuState> read_cpu_state(const DeviceStates& states, const std::string& where) {
  const DeviceState* cpu = states.find("cpu");
  if (cpu == nullptr) return failure(ErrorKind::BadInput, where + ": holds no processor");
  if (states.find("cpu", 1) != nullptr)
    return failure(ErrorKind::Unsupported, where + ": of a machine with more than one processor");
  return CpuReader(states, *cpu).read(where);
}

}  // namespace mortem::snapshot
