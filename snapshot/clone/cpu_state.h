// One x86 processor out of QEMU's saved state (target/i386/machine.c: vmstate_x86_cpu).
#pragma once

#include <cstdint>
#include <vector>

#include "snapshot/clone/device_states.h"
#include "snapshot/format/registers.h"
#include "snapshot/result.h"

namespace mortem::snapshot {

struct CpuState {
  format::MachineRegisters registers{};
  std::vector<uint8_t> extended_state;  // an XSAVE area in the standard format, up to AVX
  bool halted = false;
  uint64_t tsc = 0;  // as the guest would have read it
};

Result<CpuState> read_cpu_state(const DeviceStates& states, const std::string& where);

}  // namespace mortem::snapshot
