// Which accelerator a guest gets. KVM is probed before it is trusted: there are hosts whose KVM is made in software
// and lacks what a debugger needs. The probe boots our own kernel with `selftest=1` once for each kernel, QEMU and boot
// of the host, and takes three seconds at most.
#pragma once

#include <filesystem>
#include <string>

#include "snapshot/result.h"

namespace mortem::tools {

struct Accelerator {
  std::string name;  // tcg, kvm
  std::string why;   // of a fall-back to tcg: one line; empty: as asked for
};

// `wanted`: auto, tcg, kvm (no fall-back: an error says why it cannot be had).
Result<Accelerator> choose_accelerator(const std::string& wanted, const std::filesystem::path& qemu,
                                       const std::filesystem::path& kernel, const std::string& kernel_id);

// What the selftest's console says: empty if KVM is good, else why not.
std::string judge_selftest(const std::string& console, bool timed_out);

}  // namespace mortem::tools
