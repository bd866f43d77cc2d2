// Who the program is: user and group ids and capabilities, as credentials(7) and capabilities(7) have them. They are
// kept and answered so that programs that give up root, or insist on not being root, do what they do; no file is
// refused for them. One identity for all threads, which is what the C libraries make of Linux's one a thread.
#pragma once

#include <cstddef>
#include <cstdint>

namespace kernel::linux {

inline constexpr size_t kMaximumGroups = 64;
inline constexpr int kLastCapability = 40;  // CAP_CHECKPOINT_RESTORE, the last of Linux 6.1
inline constexpr uint64_t kAllCapabilities = (uint64_t{1} << (kLastCapability + 1)) - 1;

struct Identifiers {
  uint32_t real = 0, effective = 0, saved = 0, file_system = 0;
};
struct Capabilities {
  uint64_t effective = kAllCapabilities, permitted = kAllCapabilities, inheritable = 0;
};
struct Identity {
  Identifiers user, group;
  uint32_t groups[kMaximumGroups] = {};
  size_t group_count = 0;
  Capabilities capabilities;
  uint64_t bounding = kAllCapabilities;
  bool keeps_capabilities = false;  // PR_SET_KEEPCAPS
};
extern Identity g_identity;

// The setting user=UID[:GID]; false: it is no such thing.
bool identity_initialize();

}  // namespace kernel::linux
