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

struct TargetRegion {  // of memory, mapped as a whole in one way
  uint64_t start = 0, end = 0;
  uint32_t flags = 0;            // PF_*
  uint64_t file_offset = 0;      // of a mapped file
  std::string path;              // of a mapped file; empty: none, or unknown
  bool is_another_view = false;  // of pages that are held as another region
};

using snapshot::CoreModule;

class Target {
 public:
  virtual ~Target() = default;
  virtual const std::string& name() const = 0;
  virtual const std::vector<TargetThread>& threads() const = 0;
  virtual Result<format::GeneralRegisters> registers(uint32_t thread) const = 0;
  virtual const std::vector<CoreModule>& modules() const = 0;
  // Number of bytes read from `address` on; 0: not there. Never zeros for the unknown.
  virtual Result<size_t> read_memory(uint64_t address, std::span<uint8_t> to) const = 0;
  // What is mapped and held, by address, without overlap.
  virtual const std::vector<TargetRegion>& regions() const = 0;
  // The XSAVE area in standard format, or FXSAVE's 512 bytes; empty: unknown.
  virtual std::span<const uint8_t> extended_state(uint32_t thread) const = 0;
  virtual std::span<const uint8_t> signal_information(uint32_t thread) const = 0;  // siginfo_t; empty: unknown
  virtual int stop_signal(uint32_t thread) const = 0;                              // 0: none
  // What the notes of a core say besides; of a live guest, as far as a debugger can know it.
  virtual const snapshot::CoreFile& core() const = 0;
};

enum class Scope {
  Guest,  // the program and the kernel: a thread that crashed in the kernel has its registers there
  App,    // the program alone, as it would see itself
};

// A dump or any ELF core. It must outlive the target.
Result<std::unique_ptr<Target>> open_core_target(const snapshot::CoreFile& core, Scope scope = Scope::Guest);

}  // namespace mortem::inspector
