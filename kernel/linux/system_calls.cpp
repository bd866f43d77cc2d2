// The system's own names and settings, and what is asked of a machine that is not there.
#include "kernel/linux/app.h"
#include "kernel/linux/calls.h"
#include "kernel/linux/files.h"
#include "kernel/linux/identity.h"

namespace kernel::linux {
namespace {

constexpr size_t kLongestHostName = 64;  // __NEW_UTS_LEN
struct Names {                           // struct new_utsname
  char system[kLongestHostName + 1], node[kLongestHostName + 1], release[kLongestHostName + 1],
      version[kLongestHostName + 1], machine[kLongestHostName + 1], domain[kLongestHostName + 1];
};
Names g_names{"Linux", "mortem", "6.1.0-mortem", "#1 Mortem", "x86_64", "(none)"};

bool may(int capability) {
  return (g_identity.capabilities.effective >> capability & 1) != 0;
}
constexpr int kAdministration = 21;  // CAP_SYS_ADMIN

Result<uint64_t> set_name(char (&name)[kLongestHostName + 1], const Arguments& argument) {
  if (!may(kAdministration)) return Error::NotPermitted;
  const int length = argument.number(1);
  if (length < 0 || static_cast<size_t>(length) > kLongestHostName) return Error::Invalid;
  char wanted[kLongestHostName + 1] = {};
  TRY(copy_from_user(wanted, argument[0], static_cast<size_t>(length)));
  __builtin_memcpy(name, wanted, sizeof wanted);
  return 0;
}

}  // namespace

MORTEM_CALL(uname) {
  TRY(write_user(argument[0], g_names));
  return 0;
}
MORTEM_CALL(sethostname) {
  return set_name(g_names.node, argument);
}
MORTEM_CALL(setdomainname) {
  return set_name(g_names.domain, argument);
}

// personality(2): kept and answered. What would change how memory is laid out changes nothing any more.
MORTEM_CALL(personality) {
  static uint32_t personality = 0;
  constexpr uint32_t kOnlyAsk = 0xFFFFFFFF;
  const auto wanted = static_cast<uint32_t>(argument[0]);
  const uint32_t old = personality;
  if (wanted != kOnlyAsk) personality = wanted;
  return old;
}

// The wall clock is set once, at boot; nobody sets it here.
MORTEM_CALL(settimeofday) {
  return Error::NotPermitted;
}
MORTEM_CALL(clock_settime) {
  constexpr int kRealtime = 0;
  if (argument.number(0) != kRealtime) return Error::Invalid;
  TRY(read_user_duration(argument[1]));
  return Error::NotPermitted;
}

// A processor without memory protection keys, for programs (pkeys(7)).
MORTEM_CALL(pkey_alloc) {
  constexpr uint64_t kRights = 3;
  if (argument[0] != 0 || (argument[1] & ~kRights) != 0) return Error::Invalid;
  return Error::NoSpace;
}
MORTEM_CALL(pkey_free) {
  return Error::Invalid;
}
MORTEM_CALL(pkey_mprotect) {
  if (argument.number(3) != -1) return Error::Invalid;
  return call_mprotect(argument);
}

// Programs ask for it at each start and do without; a line in the log would only worry people.
MORTEM_CALL(io_uring_setup) {
  return Error::NoSyscall;
}

// No file system here moves pages into or out of a pipe: EINVAL, on which programs read and write instead (splice(2)).
MORTEM_CALL(splice) {
  OpenFile* from = TRY(open_file(argument.number(0)));
  OpenFile* to = TRY(open_file(argument.number(2)));
  if (argument[4] == 0) return 0;
  return from->can_read() && to->can_write() ? Error::Invalid : Error::BadDescriptor;
}
MORTEM_CALL(tee) {
  TRY(open_file(argument.number(0)));
  TRY(open_file(argument.number(1)));
  return argument[2] == 0 ? Result<uint64_t>(0) : Error::Invalid;
}
MORTEM_CALL(vmsplice) {
  TRY(open_file(argument.number(0)));
  return Error::Invalid;
}

// I/O priorities: taken and remembered; nobody is preferred for them (ioprio_set(2)).
namespace {

int g_io_priority = 0;
constexpr int kWhoProcess = 1, kWhoUser = 3;

Result<void> check_io_subject(const Arguments& argument) {
  if (argument.number(0) < kWhoProcess || argument.number(0) > kWhoUser) return Error::Invalid;
  if (argument.number(0) == kWhoProcess && argument.number(1) != 0 &&
      find_thread(static_cast<uint32_t>(argument[1])) == nullptr)
    return Error::NoProcess;
  return {};
}

}  // namespace

MORTEM_CALL(ioprio_get) {
  TRY(check_io_subject(argument));
  return static_cast<uint64_t>(g_io_priority);
}
MORTEM_CALL(ioprio_set) {
  constexpr int kClassShift = 13, kIdleClass = 3, kNoClass = 0;
  const int which = argument.number(2) >> kClassShift, level = argument.number(2) & 0x1FFF;
  if (which < kNoClass || which > kIdleClass || (which == kNoClass && level != 0)) return Error::Invalid;
  constexpr int kLevels = 8;
  if (which != kIdleClass && level >= kLevels) return Error::Invalid;
  TRY(check_io_subject(argument));
  g_io_priority = argument.number(2);
  return 0;
}

}  // namespace kernel::linux
