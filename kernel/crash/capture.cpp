#include "kernel/crash/capture.h"

#include "kernel/arch/x86_64/cpu.h"
#include "kernel/arch/x86_64/interrupts.h"
#include "kernel/crash/checked_memory.h"
#include "kernel/crash/page_walk.h"
#include "kernel/library/log.h"

namespace kernel {

namespace {

using namespace mortem::format;

// Intel SDM vol. 4, chapter 2.
constexpr uint32_t kApicBase = 0x1B, kPat = 0x277, kEfer = 0xC0000080, kStar = 0xC0000081, kLstar = 0xC0000082,
                   kCstar = 0xC0000083, kFmask = 0xC0000084, kFsBase = 0xC0000100, kGsBase = 0xC0000101,
                   kKernelGsBase = 0xC0000102, kTscAux = 0xC0000103;

struct [[gnu::packed]] DescriptorTable {
  uint16_t limit;
  uint64_t base;
};

bool has_tsc_aux() {
  uint32_t a = 0x80000001, b, c = 0, d;
  asm volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
  return (d & (1u << 27)) != 0;  // RDTSCP
}

// A system segment's descriptor: 16 bytes in the GDT (Intel SDM vol. 3, figure 7-4).
SegmentRegister system_segment(uint16_t selector, const DescriptorTable& gdt) {
  SegmentRegister segment{};
  segment.selector = selector;
  uint64_t words[2];
  const uint64_t offset = selector & ~7u;
  if (offset == 0 || offset + sizeof words - 1 > gdt.limit) return segment;
  if (!read_kernel(words, reinterpret_cast<const void*>(gdt.base + offset), sizeof words)) return segment;
  segment.base = ((words[0] >> 16) & 0xFFFFFF) | ((words[0] >> 56) & 0xFF) << 24 | (words[1] & 0xFFFFFFFF) << 32;
  segment.attributes = static_cast<uint16_t>((words[0] >> 40) & 0xFFFF);
  segment.limit = static_cast<uint32_t>((words[0] & 0xFFFF) | ((words[0] >> 32) & 0xF0000));
  if ((segment.attributes & 0x8000) != 0) segment.limit = segment.limit << 12 | 0xFFF;
  return segment;
}

#define READ_REGISTER(name)                           \
  [] {                                                \
    uint64_t value;                                   \
    asm volatile("mov %%" name ", %0" : "=r"(value)); \
    return value;                                     \
  }()

void machine_registers(MachineRegisters& to) {
  to.tsc = read_tsc();
  to.cr0 = READ_REGISTER("cr0");
  to.cr2 = read_cr2();
  to.cr3 = read_cr3();
  to.cr4 = READ_REGISTER("cr4");
  to.cr8 = READ_REGISTER("cr8");
  to.efer = read_msr(kEfer);
  to.star = read_msr(kStar);
  to.lstar = read_msr(kLstar);
  to.cstar = read_msr(kCstar);
  to.fmask = read_msr(kFmask);
  to.fs_base = read_msr(kFsBase);
  to.gs_base = read_msr(kGsBase);
  to.kernel_gs_base = read_msr(kKernelGsBase);
  to.apic_base = read_msr(kApicBase);
  to.pat = read_msr(kPat);
  to.tsc_aux = has_tsc_aux() ? read_msr(kTscAux) : 0;
  to.dr0 = READ_REGISTER("dr0");
  to.dr1 = READ_REGISTER("dr1");
  to.dr2 = READ_REGISTER("dr2");
  to.dr3 = READ_REGISTER("dr3");
  to.dr6 = READ_REGISTER("dr6");
  to.dr7 = READ_REGISTER("dr7");
  to.xcr0 = g_cpu.xcr0;
  DescriptorTable gdt, idt;
  asm volatile("sgdt %0" : "=m"(gdt));
  asm volatile("sidt %0" : "=m"(idt));
  to.gdtr = {gdt.base, gdt.limit, 0};
  to.idtr = {idt.base, idt.limit, 0};
  uint16_t task, local;
  asm volatile("str %0" : "=r"(task));
  asm volatile("sldt %0" : "=r"(local));
  to.tr = system_segment(task, gdt);
  to.ldtr = system_segment(local, gdt);
}

void general_registers(CrashState& state) {
  GeneralRegisters& general = state.machine.general;
  general = state.frame.registers();
  general.fs_base = state.machine.fs_base;
  general.gs_base = get_user_gs_base();  // the kernel itself uses no gs (entry.S)
  general.ds = READ_REGISTER("ds") & 0xFFFF;
  general.es = READ_REGISTER("es") & 0xFFFF;
  general.fs = READ_REGISTER("fs") & 0xFFFF;
  general.gs = READ_REGISTER("gs") & 0xFFFF;
}

void current_thread(CrashState& state) {
  state.thread_address = g_current_thread;
  state.thread_id = kKernelThreadId;
  state.thread_known = false;
  Thread thread;
  if (state.thread_address == nullptr || !read_kernel(thread, static_cast<const Thread*>(state.thread_address))) return;
  state.thread_id = thread.id;
  __builtin_memcpy(state.thread_name, thread.name, sizeof state.thread_name);
  state.thread_name[sizeof state.thread_name - 1] = 0;
  state.thread_known = true;
}

}  // namespace

void capture_registers(CrashState& state) {
  state.machine.fs_base = read_msr(kFsBase);
  state.machine.gs_base = read_msr(kGsBase);
  state.machine.kernel_gs_base = read_msr(kKernelGsBase);
  state.machine.cr3 = read_cr3();
  general_registers(state);
  g_crash_page_walker.set_root(state.machine.cr3);
  state.thread_id = kKernelThreadId;
  state.log_written = g_log_ring.written;
}

void capture_moment(CrashState& state, void* extended_state) {
  if (extended_state != nullptr) {
    __builtin_memset(extended_state, 0, g_cpu.xsave_size);  // XSAVE leaves out parts of its header
    save_extended_state(extended_state);
    state.extended_state = extended_state;
    state.extended_state_size = g_cpu.xsave_size;
    state.extended_state_is_xsave = g_cpu.xsave;
  }
  machine_registers(state.machine);
  if (state.cr2 != 0) state.machine.cr2 = state.cr2;
  state.machine_known = true;
  current_thread(state);
  state.uptime_ns = monotonic_ns();
  state.wall_clock_ns = wall_clock_ns();
}

}  // namespace kernel
