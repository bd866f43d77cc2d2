// prctl(2): what a program sets about itself and may ask for again.
#include "kernel/linux/app.h"
#include "kernel/linux/calls.h"
#include "kernel/linux/identity.h"
#include "kernel/linux/signals.h"

namespace kernel::linux {
namespace {

enum ProcessControl : int {  // linux/prctl.h
  kSetDeathSignal = 1,
  kGetDeathSignal = 2,
  kGetDumpable = 3,
  kSetDumpable = 4,
  kGetKeepCapabilities = 7,
  kSetKeepCapabilities = 8,
  kSetName = 15,
  kGetName = 16,
  kGetSecureComputing = 21,
  kReadBounding = 23,
  kDropBounding = 24,
  kGetSecureBits = 27,
  kSetTimerSlack = 29,
  kGetTimerSlack = 30,
  kSetChildSubreaper = 36,
  kGetChildSubreaper = 37,
  kSetNoNewPrivileges = 38,
  kGetNoNewPrivileges = 39,
  kGetThreadIdAddress = 40,
  kSetTransparentHugePagesOff = 41,
  kGetTransparentHugePagesOff = 42,
  kAmbientCapabilities = 47,
};

constexpr uint64_t kDefaultTimerSlack = 50'000;
struct Settings {
  int death_signal = 0;  // the parent is init, which stays
  int dumpable = 1;
  bool no_new_privileges = false, subreaper = false, huge_pages_off = false;
  uint64_t timer_slack_ns = kDefaultTimerSlack;
};
Settings g_settings;

Result<uint64_t> set_name(uint64_t user_name) {
  char name[sizeof current().name] = {};
  for (size_t index = 0; index < sizeof name - 1; ++index) {
    name[index] = TRY(read_user<char>(user_name + index));
    if (name[index] == 0) break;
  }
  __builtin_memcpy(current().name, name, sizeof name);
  return 0;
}

bool is_capability(uint64_t number) {
  return number <= static_cast<uint64_t>(kLastCapability);
}

// There are none: nothing is inheritable (capabilities(7)).
Result<uint64_t> ambient(const Arguments& argument) {
  constexpr uint64_t kIsSet = 1, kRaise = 2, kLower = 3, kClearAll = 4;
  if (argument[4] != 0) return Error::Invalid;
  if (argument[1] == kClearAll) return argument[2] == 0 && argument[3] == 0 ? Result<uint64_t>(0) : Error::Invalid;
  if (argument[1] < kIsSet || argument[1] > kLower || !is_capability(argument[2]) || argument[3] != 0)
    return Error::Invalid;
  return argument[1] == kRaise ? Result<uint64_t>(Error::NotPermitted) : 0;
}

bool has_no_more(const Arguments& argument, int from) {
  for (int index = from; index < 5; ++index)
    if (argument[index] != 0) return false;
  return true;
}

}  // namespace

MORTEM_CALL(prctl) {
  switch (argument.number(0)) {
    case kSetName:
      return set_name(argument[1]);
    case kGetName:
      TRY(copy_to_user(argument[1], current().name, sizeof current().name));
      return 0;
    case kSetDeathSignal:
      if (argument[1] > kSignalCount) return Error::Invalid;
      g_settings.death_signal = argument.number(1);
      return 0;
    case kGetDeathSignal:
      TRY(write_user(argument[1], g_settings.death_signal));
      return 0;
    case kGetDumpable:
      return static_cast<uint64_t>(g_settings.dumpable);
    case kSetDumpable:
      if (argument[1] > 1) return Error::Invalid;
      g_settings.dumpable = argument.number(1);
      return 0;
    case kGetKeepCapabilities:
      return g_identity.keeps_capabilities ? 1 : 0;
    case kSetKeepCapabilities:
      if (argument[1] > 1) return Error::Invalid;
      g_identity.keeps_capabilities = argument[1] == 1;
      return 0;
    case kGetSecureComputing:
    case kGetSecureBits:
      return 0;
    case kReadBounding:
      return is_capability(argument[1]) ? Result<uint64_t>(g_identity.bounding >> argument[1] & 1) : Error::Invalid;
    case kDropBounding: {
      constexpr int kSetPermittedCapabilities = 8;  // CAP_SETPCAP
      if ((g_identity.capabilities.effective >> kSetPermittedCapabilities & 1) == 0) return Error::NotPermitted;
      if (!is_capability(argument[1])) return Error::Invalid;
      g_identity.bounding &= ~(uint64_t{1} << argument[1]);
      return 0;
    }
    case kSetTimerSlack:
      g_settings.timer_slack_ns = static_cast<int64_t>(argument[1]) <= 0 ? kDefaultTimerSlack : argument[1];
      return 0;
    case kGetTimerSlack:
      return g_settings.timer_slack_ns;
    case kSetChildSubreaper:
      g_settings.subreaper = argument[1] != 0;
      return 0;
    case kGetChildSubreaper:
      TRY(write_user(argument[1], static_cast<int32_t>(g_settings.subreaper)));
      return 0;
    case kSetNoNewPrivileges:
      if (argument[1] != 1 || !has_no_more(argument, 2)) return Error::Invalid;
      g_settings.no_new_privileges = true;
      return 0;
    case kGetNoNewPrivileges:
      if (!has_no_more(argument, 1)) return Error::Invalid;
      return g_settings.no_new_privileges ? 1 : 0;
    case kGetThreadIdAddress:
      TRY(write_user(argument[1], current().clear_child_tid));
      return 0;
    case kSetTransparentHugePagesOff:
      if (!has_no_more(argument, 2)) return Error::Invalid;
      g_settings.huge_pages_off = argument[1] != 0;
      return 0;
    case kGetTransparentHugePagesOff:
      if (!has_no_more(argument, 1)) return Error::Invalid;
      return g_settings.huge_pages_off ? 1 : 0;
    case kAmbientCapabilities:
      return ambient(argument);
    default:
      return Error::Invalid;  // PR_SET_VMA_ANON_NAME too, as on a Linux without it
  }
}

}  // namespace kernel::linux
