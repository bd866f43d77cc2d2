// setuid and its kin, groups, capabilities.
#include "kernel/library/command_line.h"
#include "kernel/linux/app.h"
#include "kernel/linux/calls.h"
#include "kernel/linux/identity.h"

namespace kernel::linux {

Identity g_identity;

namespace {

constexpr int kSetGroup = 6, kSetUser = 7;  // CAP_SETGID, CAP_SETUID
constexpr uint32_t kUnchanged = ~0u;

bool has_capability(int capability) {
  return (g_identity.capabilities.effective >> capability & 1) != 0;
}

// capabilities(7), "Effect of user ID changes on capabilities".
void adjust_capabilities(const Identifiers& old) {
  const Identifiers& now = g_identity.user;
  Capabilities& capabilities = g_identity.capabilities;
  const bool was_root = old.real == 0 || old.effective == 0 || old.saved == 0;
  const bool is_root = now.real == 0 || now.effective == 0 || now.saved == 0;
  if (was_root && !is_root && !g_identity.keeps_capabilities) capabilities.permitted = capabilities.effective = 0;
  if (old.effective == 0 && now.effective != 0) capabilities.effective = 0;
  if (old.effective != 0 && now.effective == 0) capabilities.effective = capabilities.permitted;
}

enum class IdentityKind : uint8_t { User, Group };

Identifiers& identifiers(IdentityKind kind) {
  return kind == IdentityKind::User ? g_identity.user : g_identity.group;
}
bool is_privileged(IdentityKind kind) {
  return has_capability(kind == IdentityKind::User ? kSetUser : kSetGroup);
}

void change(IdentityKind kind, const Identifiers& wanted) {
  const Identifiers old = identifiers(kind);
  identifiers(kind) = wanted;
  if (kind == IdentityKind::User) adjust_capabilities(old);
}

bool is_one_of(uint32_t id, const Identifiers& ids) {
  return id == ids.real || id == ids.effective || id == ids.saved;
}

Result<uint64_t> set_one(IdentityKind kind, uint32_t id) {
  if (id == kUnchanged) return Error::Invalid;
  Identifiers wanted = identifiers(kind);
  if (is_privileged(kind))
    wanted.real = wanted.saved = id;
  else if (id != wanted.real && id != wanted.saved)
    return Error::NotPermitted;
  wanted.effective = wanted.file_system = id;
  change(kind, wanted);
  return 0;
}

Result<uint64_t> set_two(IdentityKind kind, uint32_t real, uint32_t effective) {
  const Identifiers old = identifiers(kind);
  Identifiers wanted = old;
  if (real != kUnchanged) {
    if (!is_privileged(kind) && real != old.real && real != old.effective) return Error::NotPermitted;
    wanted.real = real;
  }
  if (effective != kUnchanged) {
    if (!is_privileged(kind) && !is_one_of(effective, old)) return Error::NotPermitted;
    wanted.effective = effective;
  }
  if (real != kUnchanged || (effective != kUnchanged && effective != old.real)) wanted.saved = wanted.effective;
  wanted.file_system = wanted.effective;
  change(kind, wanted);
  return 0;
}

Result<uint64_t> set_three(IdentityKind kind, uint32_t real, uint32_t effective, uint32_t saved) {
  const Identifiers old = identifiers(kind);
  for (const uint32_t id : {real, effective, saved})
    if (id != kUnchanged && !is_privileged(kind) && !is_one_of(id, old)) return Error::NotPermitted;
  Identifiers wanted = old;
  if (real != kUnchanged) wanted.real = real;
  if (effective != kUnchanged) wanted.effective = effective;
  if (saved != kUnchanged) wanted.saved = saved;
  wanted.file_system = wanted.effective;
  change(kind, wanted);
  return 0;
}

Result<uint64_t> get_three(const Identifiers& ids, const Arguments& argument) {
  TRY(write_user(argument[0], ids.real));
  TRY(write_user(argument[1], ids.effective));
  TRY(write_user(argument[2], ids.saved));
  return 0;
}

// The old one is the answer, whatever happens (setfsuid(2)).
uint64_t set_file_system(IdentityKind kind, uint32_t id) {
  Identifiers& ids = identifiers(kind);
  const uint32_t old = ids.file_system;
  if (id != kUnchanged && (is_privileged(kind) || is_one_of(id, ids) || id == old)) ids.file_system = id;
  return old;
}

uint32_t number(const Arguments& argument, int index) {
  return static_cast<uint32_t>(argument[index]);
}

}  // namespace

bool identity_initialize() {
  const char* text = setting("user");
  if (text == nullptr) return true;
  uint64_t ids[2] = {0, 0};
  int count = 0;
  for (; count < 2; ++count) {
    if (*text < '0' || *text > '9') return false;
    for (; *text >= '0' && *text <= '9'; ++text) {
      ids[count] = ids[count] * 10 + static_cast<uint64_t>(*text - '0');
      if (ids[count] >= kUnchanged) return false;
    }
    if (*text == 0) break;
    if (*text++ != ':') return false;
  }
  if (*text != 0) return false;
  if (count == 0) ids[1] = ids[0];
  const auto user = static_cast<uint32_t>(ids[0]), group = static_cast<uint32_t>(ids[1]);
  g_identity.group = {group, group, group, group};
  change(IdentityKind::User, {user, user, user, user});
  return true;
}

MORTEM_CALL(getuid) {
  return g_identity.user.real;
}
MORTEM_CALL(geteuid) {
  return g_identity.user.effective;
}
MORTEM_CALL(getgid) {
  return g_identity.group.real;
}
MORTEM_CALL(getegid) {
  return g_identity.group.effective;
}
MORTEM_CALL(getresuid) {
  return get_three(g_identity.user, argument);
}
MORTEM_CALL(getresgid) {
  return get_three(g_identity.group, argument);
}
MORTEM_CALL(setuid) {
  return set_one(IdentityKind::User, number(argument, 0));
}
MORTEM_CALL(setgid) {
  return set_one(IdentityKind::Group, number(argument, 0));
}
MORTEM_CALL(setreuid) {
  return set_two(IdentityKind::User, number(argument, 0), number(argument, 1));
}
MORTEM_CALL(setregid) {
  return set_two(IdentityKind::Group, number(argument, 0), number(argument, 1));
}
MORTEM_CALL(setresuid) {
  return set_three(IdentityKind::User, number(argument, 0), number(argument, 1), number(argument, 2));
}
MORTEM_CALL(setresgid) {
  return set_three(IdentityKind::Group, number(argument, 0), number(argument, 1), number(argument, 2));
}
MORTEM_CALL(setfsuid) {
  return set_file_system(IdentityKind::User, number(argument, 0));
}
MORTEM_CALL(setfsgid) {
  return set_file_system(IdentityKind::Group, number(argument, 0));
}

MORTEM_CALL(getgroups) {
  const int room = argument.number(0);
  if (room < 0) return Error::Invalid;
  if (room == 0) return g_identity.group_count;
  if (static_cast<size_t>(room) < g_identity.group_count) return Error::Invalid;
  TRY(copy_to_user(argument[1], g_identity.groups, g_identity.group_count * sizeof(uint32_t)));
  return g_identity.group_count;
}
MORTEM_CALL(setgroups) {
  if (!has_capability(kSetGroup)) return Error::NotPermitted;
  const uint32_t count = number(argument, 0);
  constexpr uint32_t kMostOnLinux = 65536;
  if (count > kMostOnLinux) return Error::Invalid;
  if (count > kMaximumGroups) return Error::NoMemory;
  uint32_t groups[kMaximumGroups];
  TRY(copy_from_user(groups, argument[1], count * sizeof(uint32_t)));
  for (uint32_t index = 0; index < count; ++index)
    if (groups[index] == kUnchanged) return Error::Invalid;
  __builtin_memcpy(g_identity.groups, groups, count * sizeof(uint32_t));
  g_identity.group_count = count;
  return 0;
}

namespace {

struct CapabilityHeader {  // cap_user_header_t
  uint32_t version;
  int32_t process;
};
struct CapabilityWord {  // cap_user_data_t: 32 capabilities
  uint32_t effective, permitted, inheritable;
};

// How many words a version has; Invalid: the program is told which version there is.
Result<size_t> word_count(uint64_t user_header, const CapabilityHeader& header) {
  constexpr uint32_t kVersion1 = 0x19980330, kVersion2 = 0x20071026, kVersion3 = 0x20080522;
  if (header.version == kVersion1) return size_t{1};
  if (header.version == kVersion2 || header.version == kVersion3) return size_t{2};
  TRY(write_user(user_header, kVersion3));
  return Error::Invalid;
}

bool is_subset(uint64_t set, uint64_t of) {
  return (set & ~of) == 0;
}

}  // namespace

MORTEM_CALL(capget) {
  const auto header = TRY(read_user<CapabilityHeader>(argument[0]));
  auto words = word_count(argument[0], header);
  if (words.is_error())
    return argument[1] == 0 && words.error() == Error::Invalid ? Result<uint64_t>(0) : words.error();
  if (header.process < 0) return Error::Invalid;
  if (header.process != 0 && find_thread(static_cast<uint32_t>(header.process)) == nullptr) return Error::NoProcess;
  if (argument[1] == 0) return 0;
  const Capabilities& now = g_identity.capabilities;
  CapabilityWord out[2];
  for (int word = 0; word < 2; ++word)
    out[word] = {static_cast<uint32_t>(now.effective >> 32 * word), static_cast<uint32_t>(now.permitted >> 32 * word),
                 static_cast<uint32_t>(now.inheritable >> 32 * word)};
  TRY(copy_to_user(argument[1], out, words.value() * sizeof(CapabilityWord)));
  return 0;
}

MORTEM_CALL(capset) {
  const auto header = TRY(read_user<CapabilityHeader>(argument[0]));
  const size_t words = TRY(word_count(argument[0], header));
  if (header.process != 0 && header.process != static_cast<int32_t>(current().id)) return Error::NotPermitted;
  CapabilityWord in[2] = {};
  TRY(copy_from_user(in, argument[1], words * sizeof(CapabilityWord)));
  Capabilities wanted{0, 0, 0};
  for (int word = 0; word < 2; ++word) {
    wanted.effective |= uint64_t{in[word].effective} << 32 * word;
    wanted.permitted |= uint64_t{in[word].permitted} << 32 * word;
    wanted.inheritable |= uint64_t{in[word].inheritable} << 32 * word;
  }
  wanted.effective &= kAllCapabilities;
  wanted.permitted &= kAllCapabilities;
  wanted.inheritable &= kAllCapabilities;
  const Capabilities& old = g_identity.capabilities;
  if (!is_subset(wanted.permitted, old.permitted) || !is_subset(wanted.effective, wanted.permitted) ||
      !is_subset(wanted.inheritable, old.inheritable | g_identity.bounding))
    return Error::NotPermitted;
  g_identity.capabilities = wanted;
  return 0;
}

}  // namespace kernel::linux
