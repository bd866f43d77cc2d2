// What a replayed guest is at the moment: which thread runs and where, read out of its memory. Nothing runs for it.
#pragma once

#include <cstdint>
#include <optional>

#include "snapshot/clone/guest_facts.h"
#include "snapshot/clone/guest_memory.h"
#include "snapshot/result.h"
#include "tools/replay/replay_machine.h"

namespace mortem::tools {

// Places in the kernel's code, as addresses of its file.
struct KernelPlaces {
  uint64_t trap_stubs = 0, trap_common = 0, trap_end = 0;  // every entry by an interrupt or a fault
  uint64_t syscall_entry = 0, syscall_end = 0;
  uint64_t interrupt_return = 0, syscall_return = 0;  // the instructions that lead back to the program
  uint64_t crash = 0;                                 // where every crash comes through
  static Result<KernelPlaces> find(const std::filesystem::path& kernel);
};

struct CrashAt {
  int signal = 0;
  bool goes_on = false;
};

class ReplayGuest {
 public:
  static Result<ReplayGuest> of(ReplayMachine& machine);

  // The machine has moved.
  Result<void> look();
  bool in_user() const { return (cpu_.registers.general.cs & 3) == 3; }
  uint64_t program_counter() const { return cpu_.registers.general.rip; }
  const snapshot::CpuState& processor() const { return cpu_; }
  uint32_t current_thread() const;  // 0: none of the program's
  // The program's registers as a debugger is shown them now; nothing: they are not known.
  std::optional<format::GeneralRegisters> registers_of(uint32_t thread);
  Result<const snapshot::GuestFacts*> facts();
  const snapshot::GuestMemory& memory() const { return memory_; }

  // Run-time addresses.
  uint64_t place(uint64_t in_file) const { return in_file + recording_.kernel_base; }
  const KernelPlaces& places() const { return places_; }
  bool is_entering_kernel() const;           // between the first instruction of the kernel and the saved registers
  bool comes_from_user() const;              // at trap_common or syscall_entry: the program was interrupted
  uint64_t instructions_since_user() const;  // there
  bool returns_to_user() const;              // at one of the two returns
  CrashAt crash() const;                     // at `crash`

 private:
  ReplayGuest(ReplayMachine& machine, KernelPlaces places);
  ReplayMachine& machine_;
  const Recording& recording_;
  KernelPlaces places_;
  snapshot::GuestMemory memory_;
  snapshot::CpuState cpu_;
  std::optional<snapshot::GuestFacts> facts_;
};

}  // namespace mortem::tools
