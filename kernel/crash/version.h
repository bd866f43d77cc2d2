// What dumps and the crash report call this kernel; its exact build is its build id.
#pragma once

namespace kernel {

inline constexpr char kKernelVersion[] = "Mortem 0.1 x86_64";

}  // namespace kernel
