#include <algorithm>
#include <cstring>

#include "gdbstub/register_file.h"
#include "inspector/app/model/open_state.h"

namespace mortem::inspector::app {
namespace {

std::vector<uint8_t> bytes_of(uint64_t value, size_t size) {
  std::vector<uint8_t> bytes(size);
  std::memcpy(bytes.data(), &value, std::min(size, sizeof value));
  return bytes;
}

uint64_t general_at(const format::GeneralRegisters& general, uint16_t offset) {
  uint64_t value;
  std::memcpy(&value, reinterpret_cast<const char*>(&general) + offset, sizeof value);
  return value;
}

// In the order in which people write them, not in that of Linux's structure.
constexpr const char* kOrder[] = {"rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp",     "rsp",     "r8",
                                  "r9",  "r10", "r11", "r12", "r13", "r14", "r15",     "rip",     "eflags",
                                  "cs",  "ss",  "ds",  "es",  "fs",  "gs",  "fs_base", "gs_base", "orig_rax"};

RegisterSet general_set(const OpenState& state, const format::GeneralRegisters& general, const FrameRegisters* frame) {
  RegisterSet set{"General", {}};
  for (const char* name : kOrder) {
    const auto description = std::find_if(format::kGeneralRegisters.begin(), format::kGeneralRegisters.end(),
                                          [&](const auto& one) { return std::strcmp(one.name, name) == 0; });
    if (description == format::kGeneralRegisters.end()) continue;
    RegisterFacts facts;
    facts.name = name;
    std::optional<uint64_t> value = general_at(general, description->offset);
    // Of a frame that called: what its callees saved. Segments are the thread's.
    const int number = description->dwarf_number;
    if (frame && number >= 0 && number < static_cast<int>(FrameRegisters::kCount))
      value = frame->get(static_cast<unsigned>(number));
    else if (frame && (facts.name == "eflags" || facts.name == "orig_rax"))
      value.reset();
    if (value) facts.bytes = bytes_of(*value, description->size);
    if (value && description->size == 8 && range_at(state.ranges, *value)) facts.place = state.labels->text(*value);
    set.registers.push_back(std::move(facts));
  }
  return set;
}

// By gdb's numbers (gdb/features/i386/64bit-*.xml).
RegisterSet numbered_set(const gdbstub::RegisterFile& file, const char* name, size_t first, size_t end) {
  RegisterSet set{name, {}};
  for (size_t number = first; number < end; ++number) {
    const gdbstub::RegisterLayout& layout = gdbstub::kRegisterLayout[number];
    RegisterFacts facts;
    facts.name = layout.name;
    if (layout.index >= 0) facts.name += std::to_string(layout.index);
    facts.bytes.resize(layout.size);
    if (!file.read(number, facts.bytes)) facts.bytes.clear();
    set.registers.push_back(std::move(facts));
  }
  return set;
}

// ymm registers are two halves in two components: as one, low half first.
RegisterSet avx_set(const RegisterSet& low, const RegisterSet& high) {
  RegisterSet set{"AVX", {}};
  for (size_t index = 0; index < 16; ++index) {
    RegisterFacts facts;
    facts.name = "ymm" + std::to_string(index);
    const auto& a = low.registers[index].bytes;
    const auto& b = high.registers[index].bytes;
    if (!a.empty() && !b.empty()) {
      facts.bytes = a;
      facts.bytes.insert(facts.bytes.end(), b.begin(), b.end());
    }
    set.registers.push_back(std::move(facts));
  }
  return set;
}

RegisterSet machine_set(const format::MachineRegisters& machine) {
  RegisterSet set{"Machine", {}};
  auto add = [&](const char* name, uint64_t value) {
    RegisterFacts facts;
    facts.name = name;
    facts.bytes = bytes_of(value, sizeof value);
    set.registers.push_back(std::move(facts));
  };
  add("cr0", machine.cr0), add("cr2", machine.cr2), add("cr3", machine.cr3), add("cr4", machine.cr4);
  add("cr8", machine.cr8), add("efer", machine.efer), add("star", machine.star), add("lstar", machine.lstar);
  add("cstar", machine.cstar), add("fmask", machine.fmask), add("kernel_gs_base", machine.kernel_gs_base);
  add("apic_base", machine.apic_base), add("pat", machine.pat), add("tsc", machine.tsc), add("xcr0", machine.xcr0);
  add("dr0", machine.dr0), add("dr1", machine.dr1), add("dr2", machine.dr2), add("dr3", machine.dr3);
  add("dr6", machine.dr6), add("dr7", machine.dr7), add("gdtr", machine.gdtr.base), add("idtr", machine.idtr.base);
  add("tr", machine.tr.selector), add("ldtr", machine.ldtr.selector);
  return set;
}

}  // namespace

std::vector<RegisterSet> read_registers(const OpenState& state, uint32_t thread, const Stack* stack, size_t frame) {
  const auto general = state.target->registers(thread);
  if (!general) return {};
  const FrameRegisters* registers = nullptr;
  FrameRegisters none;
  const size_t physical = stack && frame < stack->frames.size() ? stack->frames[frame].physical : frame;
  if (physical > 0) registers = stack && physical < stack->registers.size() ? &stack->registers[physical] : &none;
  std::vector<RegisterSet> sets = {general_set(state, *general, registers)};
  if (registers) return sets;  // vector registers are saved by nobody: those of callers are not known
  const auto& threads = state.target->threads();
  const auto one = std::find_if(threads.begin(), threads.end(), [&](const auto& each) { return each.id == thread; });
  const bool in_kernel = one != threads.end() && one->in_kernel;
  const auto area = state.target->extended_state(thread);
  if (!in_kernel && !area.empty()) {
    constexpr size_t kFirstX87 = 24, kFirstSse = 40, kEndSse = 57, kLegacyArea = 576, kHighHalves = 256;
    gdbstub::RegisterFile file;
    file.extended_size = std::min(area.size(), file.extended.size());
    std::copy_n(area.begin(), file.extended_size, file.extended.begin());
    file.avx_offset = kLegacyArea;  // in the standard format (Intel SDM vol. 1, 13.4.3)
    file.has_avx = area.size() >= kLegacyArea + kHighHalves;
    sets.push_back(numbered_set(file, "x87", kFirstX87, kFirstSse));
    sets.push_back(numbered_set(file, "SSE", kFirstSse, kEndSse));
    if (file.has_avx)
      sets.push_back(avx_set(
          sets.back(), numbered_set(file, "high halves", gdbstub::kFirstAvxRegister, gdbstub::kFirstAvxRegister + 16)));
  }
  const auto machine = state.core->machine_registers();
  if (machine && machine->thread == thread) sets.push_back(machine_set(machine->registers));
  return sets;
}

}  // namespace mortem::inspector::app
