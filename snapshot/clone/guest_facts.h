// What a guest says of itself, read out of bare RAM by its description block: threads, mappings, modules, log.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "snapshot/clone/cpu_state.h"
#include "snapshot/clone/guest_memory.h"
#include "snapshot/format/guest_description.h"
#include "snapshot/format/registers.h"
#include "snapshot/open_files.h"
#include "snapshot/result.h"

namespace mortem::snapshot {

struct GuestThread {
  uint32_t id = 0;
  std::string name;
  bool is_current = false;  // runs, or ran last and the CPU waits on its stack
  bool registers_known = false;
  format::GeneralRegisters registers{};  // of the app
  std::vector<uint8_t> extended_state;   // as the CPU stores it: XSAVE, or FXSAVE of 512 bytes
  uint64_t switch_frame = 0;             // where it goes on in the kernel (format::KernelContext); 0: unknown
};

struct GuestArea {
  uint64_t start = 0, end = 0, file_offset = 0;
  uint32_t flags = 0;  // PageMapFlags
  format::GuestAreaKind kind{};
  std::string path;        // of a file, else empty
  bool in_memory = false;  // a file that lives in memory
};

struct GuestFacts {
  format::GuestDescription description{};
  std::vector<GuestThread> threads;  // the current one first
  uint32_t current_thread = 0;       // 0: none of the app's
  bool in_kernel = false;            // the CPU is
  std::vector<GuestArea> areas;
  std::vector<uint8_t> modules;  // ModuleEntry bytes
  std::vector<uint64_t> auxiliary_vector;
  OpenFileTableBytes open_files;
  std::string command_line, kernel_log, standard_error, standard_output;
  uint64_t uptime_ns = 0;
  int64_t wall_clock_ns = 0;
};

// Sets the memory's page table to the CPU's.
Result<GuestFacts> read_guest_facts(GuestMemory& memory, const CpuState& cpu, const std::string& where);

}  // namespace mortem::snapshot
