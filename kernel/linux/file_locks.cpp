#include "kernel/linux/file_locks.h"

#include "kernel/arch/x86_64/user_access.h"
#include "kernel/linux/calls.h"
#include "kernel/linux/files.h"
#include "kernel/memory/heap.h"
#include "kernel/task/process.h"
#include "kernel/task/wait.h"

namespace kernel::linux {
namespace {

enum class Kind : uint8_t { Flock, Record };                  // they do not see each other
enum class Type : int16_t { Read = 0, Write = 1, None = 2 };  // F_RDLCK, F_WRLCK, F_UNLCK

constexpr uint64_t kToTheEnd = INT64_MAX;  // OFFSET_MAX

struct Lock {
  const void* file;   // its inode; an open file without one stands for itself
  const void* owner;  // an OpenFile; null: the process
  Kind kind;
  Type type;
  uint64_t first, last;
  Lock* next = nullptr;
};
// Those of one owner on one file stand together, in order.
Lock* g_locks = nullptr;
constinit WaitQueue g_changed;  // a lock went or became weaker

const void* identity_of(OpenFile& file) {
  return file.inode() != nullptr ? static_cast<const void*>(file.inode()) : &file;
}

bool is_of_same_owner(const Lock& one, const Lock& other) {
  return one.file == other.file && one.kind == other.kind && one.owner == other.owner;
}

Lock* conflict_with(const Lock& wanted) {
  for (Lock* lock = g_locks; lock != nullptr; lock = lock->next)
    if (lock->file == wanted.file && lock->kind == wanted.kind && lock->owner != wanted.owner &&
        lock->first <= wanted.last && wanted.first <= lock->last &&
        (lock->type == Type::Write || wanted.type == Type::Write))
      return lock;
  return nullptr;
}

template <typename Condition>
void remove_locks(Condition condition) {
  bool any = false;
  for (Lock** at = &g_locks; *at != nullptr;) {
    Lock* lock = *at;
    if (!condition(*lock)) {
      at = &lock->next;
      continue;
    }
    *at = lock->next;
    destroy(lock);
    any = true;
  }
  if (any) g_changed.notify_all();
}

// Takes [wanted.first, wanted.last] out of what the owner has, and puts the lock there, joined with equal neighbours.
// `spare` and `half` are memory for it: an owner's lock may be cut in two.
void put(Lock* spare, Lock* half, const Lock& wanted) {
  Lock lock = wanted;
  for (Lock** at = &g_locks; *at != nullptr;) {
    Lock* old = *at;
    const bool touches = is_of_same_owner(*old, lock) &&
                         old->first <= (lock.last < kToTheEnd ? lock.last + 1 : lock.last) &&
                         lock.first <= (old->last < kToTheEnd ? old->last + 1 : old->last);
    if (!touches) {
      at = &old->next;
      continue;
    }
    if (old->type == lock.type) {  // one lock from both
      if (old->first < lock.first) lock.first = old->first;
      if (old->last > lock.last) lock.last = old->last;
    } else if (old->first < lock.first && old->last > lock.last) {  // its end becomes a lock of its own
      *half = *old;
      half->first = lock.last + 1;
      old->last = lock.first - 1;
      old->next = half;
      half = nullptr;
      at = &old->next;
      continue;
    } else if (old->first < lock.first) {
      if (old->last >= lock.first) old->last = lock.first - 1;
      at = &old->next;
      continue;
    } else if (old->last > lock.last) {
      if (old->first <= lock.last) old->first = lock.last + 1;
      at = &old->next;
      continue;
    }
    *at = old->next;
    destroy(old);
  }
  if (half != nullptr) destroy(half);
  if (lock.type == Type::None) {
    destroy(spare);
  } else {
    Lock** at = &g_locks;
    while (*at != nullptr && !is_of_same_owner(**at, lock)) at = &(*at)->next;
    while (*at != nullptr && is_of_same_owner(**at, lock) && (*at)->first < lock.first) at = &(*at)->next;
    *spare = lock;
    spare->next = *at;
    *at = spare;
  }
  g_changed.notify_all();
}

Result<uint64_t> set_lock(const Lock& wanted, LockWait wait) {
  while (wanted.type != Type::None && conflict_with(wanted) != nullptr) {
    if (wait == LockWait::No) return Error::Again;
    if (wait_on(g_changed, [&] { return conflict_with(wanted) == nullptr; }) == WaitResult::Signal)
      return Error::RestartSystem;
  }
  auto spare = make<Lock>(wanted), half = make<Lock>(wanted);
  if (spare.is_error() || half.is_error()) {
    constexpr auto kNoLocks = static_cast<Error>(37);  // ENOLCK
    if (!spare.is_error()) destroy(spare.value());
    if (!half.is_error()) destroy(half.value());
    return kNoLocks;
  }
  put(spare.value(), half.value(), wanted);
  return 0;
}

struct UserLock {  // struct flock
  int16_t type, whence;
  int32_t padding;
  int64_t start, length;
  int32_t process, more_padding;
};
static_assert(sizeof(UserLock) == 32);

// fs/locks.c's flock64_to_posix_lock, in the manual's words: fcntl(2), "Advisory record locking".
Result<Lock> read_lock(OpenFile& file, LockOwner owner, const UserLock& user) {
  int64_t start = user.start;
  constexpr int16_t kSet = 0, kCurrent = 1, kEnd = 2;
  if (user.whence == kCurrent || user.whence == kEnd) {
    int64_t base;
    if (user.whence == kCurrent) {
      auto position = file.seek(0, kCurrent);
      base = position.is_error() ? 0 : static_cast<int64_t>(position.value());
    } else {
      base = static_cast<int64_t>(TRY(file.status()).size);
    }
    if (__builtin_add_overflow(start, base, &start)) return Error::Overflow;
  } else if (user.whence != kSet) {
    return Error::Invalid;
  }
  if (start < 0) return Error::Invalid;
  int64_t last = INT64_MAX;
  if (user.length > 0) {
    if (__builtin_add_overflow(start, user.length - 1, &last)) return Error::Overflow;
  } else if (user.length < 0) {
    last = start - 1;
    start += user.length;
    if (start < 0) return Error::Invalid;
  }
  if (user.type < 0 || user.type > static_cast<int16_t>(Type::None)) return Error::Invalid;
  return Lock{identity_of(file),
              owner == LockOwner::Process ? nullptr : &file,
              Kind::Record,
              static_cast<Type>(user.type),
              static_cast<uint64_t>(start),
              static_cast<uint64_t>(last)};
}

}  // namespace

void forget_file_locks(OpenFile& file) {
  if (g_locks != nullptr) remove_locks([&](const Lock& lock) { return lock.owner == &file; });
}

void forget_process_locks(OpenFile& file) {
  if (g_locks == nullptr) return;
  const void* identity = identity_of(file);
  remove_locks([&](const Lock& lock) { return lock.owner == nullptr && lock.file == identity; });
}

Result<uint64_t> get_record_lock(OpenFile& file, LockOwner owner, uint64_t user_lock) {
  auto user = TRY(read_user<UserLock>(user_lock));
  if (user.type != static_cast<int16_t>(Type::Read) && user.type != static_cast<int16_t>(Type::Write))
    return Error::Invalid;
  const Lock wanted = TRY(read_lock(file, owner, user));
  if (owner == LockOwner::OpenFile && user.process != 0) return Error::Invalid;
  const Lock* found = conflict_with(wanted);
  user.type = static_cast<int16_t>(found == nullptr ? Type::None : found->type);
  if (found != nullptr) {
    user.whence = 0;
    user.start = static_cast<int64_t>(found->first);
    user.length = found->last == kToTheEnd ? 0 : static_cast<int64_t>(found->last - found->first + 1);
    user.process = found->owner == nullptr ? static_cast<int32_t>(kProcessId) : -1;
  }
  TRY(write_user(user_lock, user));
  return 0;
}

Result<uint64_t> set_record_lock(OpenFile& file, LockOwner owner, uint64_t user_lock, LockWait wait) {
  const auto user = TRY(read_user<UserLock>(user_lock));
  const Lock wanted = TRY(read_lock(file, owner, user));
  if ((wanted.type == Type::Read && !file.can_read()) || (wanted.type == Type::Write && !file.can_write()))
    return Error::BadDescriptor;
  if (owner == LockOwner::OpenFile && user.process != 0) return Error::Invalid;
  file.retain();  // another thread may close the descriptor while this one waits
  const auto done = set_lock(wanted, wait);
  file.release();
  if (done.is_error()) return done.error();
  return 0;
}

MORTEM_CALL(flock) {
  constexpr int kShared = 1, kExclusive = 2, kWithoutWaiting = 4, kUnlock = 8;
  OpenFile* file = TRY(open_file(argument.number(0)));
  const int operation = argument.number(1) & ~kWithoutWaiting;
  if (operation != kShared && operation != kExclusive && operation != kUnlock) return Error::Invalid;
  if ((file->flags() & kOpenPath) != 0) return Error::BadDescriptor;
  const Lock wanted{identity_of(*file),
                    file,
                    Kind::Flock,
                    operation == kUnlock      ? Type::None
                    : operation == kExclusive ? Type::Write
                                              : Type::Read,
                    0,
                    kToTheEnd};
  for (const Lock* lock = g_locks; lock != nullptr; lock = lock->next)
    if (is_of_same_owner(*lock, wanted) && lock->type == wanted.type) return 0;
  // Changing a lock is giving it up and asking for the other one, which somebody else may get first (flock(2)).
  remove_locks([&](const Lock& lock) { return is_of_same_owner(lock, wanted); });
  if (wanted.type == Type::None) return 0;
  file->retain();
  const auto done = set_lock(wanted, (argument.number(1) & kWithoutWaiting) != 0 ? LockWait::No : LockWait::Yes);
  file->release();
  if (done.is_error()) return done.error();
  return 0;
}

}  // namespace kernel::linux
