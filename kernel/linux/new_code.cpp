#include "kernel/linux/new_code.h"

#include "kernel/arch/x86_64/cpu.h"
#include "kernel/library/command_line.h"
#include "kernel/library/log.h"
#include "kernel/linux/signals.h"
#include "kernel/task/address_space.h"

namespace kernel::linux {
namespace {

enum class Policy : uint8_t { Allow, Refuse, Crash };
Policy g_policy = Policy::Allow;

bool is_executable(uint64_t address) {
  const MemoryArea* area = address_space().areas.find(address);
  return area != nullptr && (area->protection & kProtectExecute) != 0;
}

bool follows_call(uint64_t address) {
  uint8_t before[7];
  if (!is_executable(address) || copy_from_user(before, address - sizeof before, sizeof before).is_error())
    return false;
  if (before[2] == 0xE8) return true;       // call rel32
  for (const size_t length : {2, 3, 6, 7})  // call through a register or memory: FF /2
    if (before[7 - length] == 0xFF && (before[8 - length] >> 3 & 7) == 2) return true;
  return false;
}

// Who called the C library's function that made the call: the first word of the stack that is a return address. Where
// there is none, the instruction that made the call.
uint64_t caller_of(const TrapFrame& frame) {
  constexpr uint64_t kWords = 32;
  for (uint64_t word = 0; word < kWords; ++word) {
    auto value = read_user<uint64_t>(frame.rsp + word * sizeof(uint64_t));
    if (value.is_error()) break;
    if (follows_call(value.value())) return value.value();
  }
  return frame.rip;
}

// The file that the code at `address` is of.
const char* file_of(uint64_t address) {
  const MemoryArea* area = address_space().areas.find(address);
  return area != nullptr && area->path != nullptr ? area->path : "no file";
}

// True the first time that it is asked about a place; when too many places ask, not at all any more.
class OncePerPlace {
 public:
  bool operator()(uint64_t place) {
    for (size_t index = 0; index < count_; ++index)
      if (places_[index] == place) return false;
    if (count_ == kMaximum) return false;
    places_[count_++] = place;
    return true;
  }

 private:
  static constexpr size_t kMaximum = 64;
  uint64_t places_[kMaximum] = {};
  size_t count_ = 0;
};
OncePerPlace g_said_both, g_said_new;

// Does the range hold anything that is not just so already?
bool is_change(uint64_t start, uint64_t length, uint8_t protection) {
  if (start == 0) return true;
  const AreaList& areas = address_space().areas;
  for (size_t index = areas.first_ending_after(start); index < areas.size() && areas.at(index).start < start + length;
       ++index) {
    const uint8_t now = areas.at(index).protection;
    if ((now & kProtectExecute) == 0) return true;
    if ((protection & kProtectWrite) != 0 && (now & kProtectWrite) == 0) return true;
  }
  return false;
}

}  // namespace

void begin_code_watch(const Inode* program) {
  const char* policy = setting("new-code");
  g_policy = setting_is("new-code", "refuse")  ? Policy::Refuse
             : setting_is("new-code", "crash") ? Policy::Crash
                                               : Policy::Allow;
  if (policy != nullptr && g_policy == Policy::Allow && !setting_is("new-code", "allow"))
    log(LogLevel::Warning, "new-code=%s: not allow, refuse or crash: it is allowed", policy);
  if (g_policy == Policy::Allow) return;
  if (!g_cpu.nx) {
    log(LogLevel::Warning, "new-code=%s: this processor executes all that it can read (no NX): it is allowed", policy);
    g_policy = Policy::Allow;
    return;
  }
  address_space().starting_file = program;
}

Result<void> check_new_code(const Arguments& argument, const char* call, uint64_t start, uint64_t length,
                            uint8_t protection) {
  if ((protection & kProtectExecute) == 0 || !is_change(start, length, protection)) return {};
  const bool is_both = (protection & kProtectWrite) != 0;
  const bool is_new = g_policy != Policy::Allow && address_space().starting_file == nullptr;
  if (!is_both && !is_new) return {};
  const uint64_t caller = caller_of(argument.frame);
  if (is_both && g_said_both(caller))
    log(LogLevel::Warning, "security: %s of %lu KiB that are writable and executable at once, asked for at %#lx (%s)",
        call, length / 1024, caller, file_of(caller));
  if (!is_new) return {};
  static char message[160];
  format_text(message, sizeof message, "new code: %s of %lu KiB as executable, asked for at %#lx (%.60s)", call,
              length / 1024, caller, file_of(caller));
  if (g_policy == Policy::Crash) {
    SignalInformation information;
    information.signal = kSigSys;
    information.code = 1;  // SYS_SECCOMP: a call that a policy forbids
    information.address = argument.frame.rip;
    log(LogLevel::Warning, "security: %s: the program ends (new-code=crash)", message);
    end_by_signal(information, message, argument.frame);
  }
  if (g_said_new(caller)) log(LogLevel::Warning, "security: %s: refused with EACCES (new-code=refuse)", message);
  return Error::AccessDenied;
}

}  // namespace kernel::linux
