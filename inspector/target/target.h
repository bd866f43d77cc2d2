// Whatever can be asked for threads, registers and memory: a dump, a core, a clone, a live stub. The rest of the
// inspector knows only this.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "snapshot/core_file.h"
#include "snapshot/result.h"

namespace mortem::inspector {

struct TargetThread {
  uint32_t id = 0;
  std::string name;      // empty: unknown
  bool crashed = false;  // the one this target is about
  bool in_kernel = false;
};

using snapshot::CoreModule;

class Target {
 public:
  virtual ~Target() = default;
  virtual const std::string& name() const = 0;
  virtual const std::vector<TargetThread>& threads() const = 0;
  virtual Result<format::GeneralRegisters> registers(uint32_t thread) const = 0;
  // NT_FPREGSET, the 512 bytes of FXSAVE (Intel SDM vol. 1, table 10-2); empty: not known.
  virtual std::vector<uint8_t> floating_point(uint32_t) const { return {}; }
  virtual const std::vector<CoreModule>& modules() const = 0;
  // Number of bytes read from `address` on; 0: not there. Never zeros for the unknown.
  virtual Result<size_t> read_memory(uint64_t address, std::span<uint8_t> to) const = 0;
};

// A dump or any ELF core.
Result<std::unique_ptr<Target>> open_core_target(const snapshot::CoreFile& core);

}  // namespace mortem::inspector
