// The table of descriptors: dup, close, fcntl.
#include <cstddef>

#include "kernel/linux/calls.h"
#include "kernel/linux/file_locks.h"
#include "kernel/linux/files.h"
#include "kernel/memory/heap.h"

namespace kernel::linux {
namespace {

Descriptor* g_table = nullptr;
int g_size = 0;
int g_first_free = 0;     // everything below is open: finding a place costs nothing with ten thousand connections
uint64_t g_limit = 1024;  // RLIMIT_NOFILE

Result<void> grow(int needed) {
  if (needed <= g_size) return {};
  int size = g_size == 0 ? 64 : g_size;
  while (size < needed) size *= 2;
  auto* table = static_cast<Descriptor*>(heap_allocate(static_cast<size_t>(size) * sizeof(Descriptor)));
  if (table == nullptr) return Error::NoMemory;
  if (g_size > 0)
    __builtin_memcpy(static_cast<void*>(table), g_table, static_cast<size_t>(g_size) * sizeof(Descriptor));
  heap_free(g_table);
  g_table = table;
  g_size = size;
  return {};
}

// Of a descriptor that is in the table no more.
void close_file(OpenFile& file) {
  forget_process_locks(file);
  if (file.is_last_reference()) file.linger();
  file.release();
}

int first_free_from(int least) {
  while (g_first_free < g_size && g_table[g_first_free].file != nullptr) ++g_first_free;
  int free = least > g_first_free ? least : g_first_free;
  while (free < g_size && g_table[free].file != nullptr) ++free;
  return free;
}

}  // namespace

void set_descriptor_limit(uint64_t limit) {
  g_limit = limit;
}
void describe_descriptors(mortem::format::OpenFileTables& tables) {
  tables.descriptors = reinterpret_cast<uint64_t>(&g_table);
  tables.descriptor_count = reinterpret_cast<uint64_t>(&g_size);
  tables.descriptor_size = sizeof(Descriptor);
  tables.descriptor_file = offsetof(Descriptor, file);
  tables.descriptor_close_on_exec = offsetof(Descriptor, close_on_exec);
  tables.file_flags = OpenFile::flags_offset();
  tables.file_summary = OpenFile::summary_offset();
}

int descriptor_table_size() {
  return g_size;
}

Descriptor* descriptor_at(int descriptor) {
  if (descriptor < 0 || descriptor >= g_size || g_table[descriptor].file == nullptr) return nullptr;
  return &g_table[descriptor];
}

Result<OpenFile*> open_file(int descriptor) {
  Descriptor* found = descriptor_at(descriptor);
  if (found == nullptr) return Error::BadDescriptor;
  return found->file;
}

Result<uint64_t> install(OpenFile* file, bool close_on_exec, int least) {
  const int free = first_free_from(least);
  Error error = Error::TooManyFiles;
  if (static_cast<uint64_t>(free) < g_limit) {
    auto grown = grow(free + 1);
    if (!grown.is_error()) {
      g_table[free] = {file, close_on_exec};
      return static_cast<uint64_t>(free);
    }
    error = grown.error();
  }
  file->release();
  return error;
}

Result<void> check_descriptor_is_free() {
  return static_cast<uint64_t>(first_free_from(0)) < g_limit ? Result<void>() : Error::TooManyFiles;
}

Result<uint64_t> install_at(int descriptor, OpenFile* file, bool close_on_exec) {
  auto grown = grow(descriptor + 1);
  if (grown.is_error()) {
    file->release();
    return grown.error();
  }
  OpenFile* before = g_table[descriptor].file;
  g_table[descriptor] = {file, close_on_exec};
  if (before != nullptr) close_file(*before);
  return static_cast<uint64_t>(descriptor);
}

Result<void> close_descriptor(int descriptor) {
  Descriptor* found = descriptor_at(descriptor);
  if (found == nullptr) return Error::BadDescriptor;
  OpenFile* file = found->file;
  *found = {};
  if (descriptor < g_first_free) g_first_free = descriptor;
  close_file(*file);
  return {};
}

MORTEM_CALL(close) {
  TRY(close_descriptor(argument.number(0)));
  return 0;
}

MORTEM_CALL(close_range) {
  constexpr uint32_t kUnshare = 2, kCloseOnExec = 4;
  const auto first = static_cast<uint32_t>(argument[0]), last = static_cast<uint32_t>(argument[1]);
  const auto flags = static_cast<uint32_t>(argument[2]);
  if (first > last || (flags & ~(kUnshare | kCloseOnExec)) != 0) return Error::Invalid;
  for (uint32_t at = first; at <= last && at < static_cast<uint32_t>(g_size); ++at) {
    Descriptor* found = descriptor_at(static_cast<int>(at));
    if (found == nullptr) continue;
    if ((flags & kCloseOnExec) != 0)
      found->close_on_exec = true;
    else
      TRY(close_descriptor(static_cast<int>(at)));
  }
  return 0;
}

MORTEM_CALL(dup) {
  OpenFile* file = TRY(open_file(argument.number(0)));
  file->retain();
  return install(file, false);
}

namespace {

Result<uint64_t> duplicate_to(int from, int to, bool close_on_exec) {
  OpenFile* file = TRY(open_file(from));
  if (to < 0 || static_cast<uint64_t>(to) >= g_limit) return Error::BadDescriptor;
  file->retain();
  return install_at(to, file, close_on_exec);
}

}  // namespace

MORTEM_CALL(dup2) {
  if (argument.number(0) == argument.number(1)) {
    TRY(open_file(argument.number(0)));
    return static_cast<uint64_t>(argument.number(1));
  }
  return duplicate_to(argument.number(0), argument.number(1), false);
}

MORTEM_CALL(dup3) {
  if (argument.number(0) == argument.number(1) || (argument.number(2) & ~kOpenCloseOnExec) != 0) return Error::Invalid;
  return duplicate_to(argument.number(0), argument.number(1), (argument.number(2) & kOpenCloseOnExec) != 0);
}

MORTEM_CALL(fcntl) {
  constexpr int kDuplicate = 0, kGetDescriptorFlags = 1, kSetDescriptorFlags = 2, kGetFlags = 3, kSetFlags = 4,
                kGetLock = 5, kSetLock = 6, kSetLockWait = 7, kGetOwner = 9, kSetOwner = 8, kSetOwnerWithType = 15,
                kGetOwnerWithType = 16, kDuplicateCloseOnExec = 1030, kSetPipeSize = 1031, kGetPipeSize = 1032,
                kAddSeals = 1033, kGetSeals = 1034, kGetFileLock = 36, kSetFileLock = 37, kSetFileLockWait = 38;
  constexpr uint64_t kCloseOnExec = 1, kPipeSize = 65536;
  Descriptor* found = descriptor_at(argument.number(0));
  if (found == nullptr) return Error::BadDescriptor;
  switch (argument.number(1)) {
    case kDuplicate:
    case kDuplicateCloseOnExec:
      if (argument[2] >= g_limit) return Error::Invalid;
      found->file->retain();
      return install(found->file, argument.number(1) == kDuplicateCloseOnExec, argument.number(2));
    case kGetDescriptorFlags:
      return found->close_on_exec ? kCloseOnExec : 0;
    case kSetDescriptorFlags:
      found->close_on_exec = (argument[2] & kCloseOnExec) != 0;
      return 0;
    case kGetFlags: {
      constexpr int kLargeFile = 0100000;  // Linux shows it on every file that open(2) made
      return static_cast<uint64_t>(found->file->flags() | (found->file->inode() != nullptr ? kLargeFile : 0));
    }
    case kSetFlags:
      found->file->set_status_flags(argument.number(2));
      return 0;
    case kGetLock:
    case kGetFileLock:
      return get_record_lock(*found->file, argument.number(1) == kGetLock ? LockOwner::Process : LockOwner::OpenFile,
                             argument[2]);
    case kSetLock:
    case kSetLockWait:
      return set_record_lock(*found->file, LockOwner::Process, argument[2],
                             argument.number(1) == kSetLockWait ? LockWait::Yes : LockWait::No);
    case kSetFileLock:
    case kSetFileLockWait:
      return set_record_lock(*found->file, LockOwner::OpenFile, argument[2],
                             argument.number(1) == kSetFileLockWait ? LockWait::Yes : LockWait::No);
    case kSetOwner:
    case kSetOwnerWithType:
    case kGetOwner:
      return 0;
    case kGetOwnerWithType: {
      const struct { int32_t type, id; } nobody = {1, 0};  // F_OWNER_PID
      TRY(write_user(argument[2], nobody));
      return 0;
    }
    case kSetPipeSize:
    case kGetPipeSize:
      return found->file->inode() == nullptr ? Result<uint64_t>(kPipeSize) : Error::BadDescriptor;
    case kGetSeals:
      if (found->file->inode() == nullptr) return Error::Invalid;
      return TRY(found->file->inode()->seals());
    case kAddSeals:
      if (found->file->inode() == nullptr) return Error::Invalid;
      TRY(found->file->inode()->seals());
      if (!found->file->can_write()) return Error::NotPermitted;
      TRY(found->file->inode()->add_seals(static_cast<uint32_t>(argument[2])));
      return 0;
    default:
      return Error::Invalid;
  }
}

}  // namespace kernel::linux
