// What this machine's processor can do: a guest that ran under KVM goes on only where all of that is.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace mortem::tools {

struct HostProcessor {
  std::string model;
  std::string flags;  // as the kernel names them, a blank between two
};
std::optional<HostProcessor> host_processor();  // proc_cpuinfo(5)

// Those of `wanted` that are not in `there`; both as HostProcessor has them. What says nothing of the instructions a
// guest may use (bugs, power, virtualization) is left out.
std::vector<std::string> missing_flags(const std::string& wanted, const std::string& there);

}  // namespace mortem::tools
