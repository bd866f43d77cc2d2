#include "kernel/fs/disk_writer.h"

#include "kernel/arch/x86_64/interrupt_guard.h"
#include "kernel/arch/x86_64/interrupts.h"
#include "kernel/library/log.h"
#include "kernel/task/wait.h"

namespace kernel::ext2 {
namespace {

constexpr uint64_t kCommitIntervalNs = 5'000'000'000;  // what a power cut takes of what was not synced
constexpr uint64_t kUnmountAtMostNs = 20'000'000'000;

enum class Task : uint8_t { Sync, Unmount };

// Stands on the stack of the thread that waits for it.
struct Request {
  Task task;
  Ext2Inode* inode;
  SyncKind kind;
  bool done;
  Error error;  // 0: none
  Request* next;
};

Thread* g_writer = nullptr;
Volume* g_volume = nullptr;
Request* g_requests = nullptr;
uint64_t g_wake_at = kNoDeadline;
WaitQueue g_work, g_finished;

void serve(Request& request) {
  auto result = request.task == Task::Unmount ? g_volume->do_unmount(DiskWait::Sleep)
                                              : g_volume->do_sync(request.inode, request.kind, DiskWait::Sleep);
  request.error = result.is_error() ? result.error() : Error{};
  request.done = true;
  g_finished.notify_all();
}

void write_what_is_old() {
  if (monotonic_ns() < g_wake_at) return;
  g_wake_at = kNoDeadline;
  g_volume->write_old_data(DiskWait::Sleep);
  (void)g_volume->commit(DiskWait::Sleep).is_error();  // it was logged
  if (g_volume->has_something_to_write() && g_volume->is_writable()) g_wake_at = monotonic_ns() + kCommitIntervalNs;
}

void run(void*) {
  while (true) {
    const uint64_t deadline = g_wake_at;
    wait_on(
        g_work, [&] { return g_requests != nullptr || g_wake_at < deadline; }, deadline);
    g_volume->evict_pending();
    // In the order they came; those that come meanwhile have their turn next.
    Request* taken = nullptr;
    while (g_requests != nullptr) {
      Request* request = g_requests;
      g_requests = request->next;
      request->next = taken;
      taken = request;
    }
    while (taken != nullptr) {
      Request* next = taken->next;  // the record is gone when its thread goes on
      serve(*taken);
      taken = next;
    }
    write_what_is_old();
  }
}

Result<void> start(Volume& volume) {
  if (g_writer != nullptr) return {};
  g_volume = &volume;
  g_writer = TRY(start_kernel_thread("disk writer", run, nullptr));
  return {};
}

void submit(Request& request) {
  request.next = g_requests;
  g_requests = &request;
  g_work.notify_all();
}

}  // namespace

bool is_writer() {
  return g_current_thread == nullptr || g_current_thread == g_writer;
}

DiskWait writer_wait() {
  return g_current_thread == nullptr ? DiskWait::Poll : DiskWait::Sleep;
}

Result<void> wake_writer_later(Volume& volume) {
  if (g_current_thread == nullptr) return {};
  TRY(start(volume));
  if (g_wake_at != kNoDeadline) return {};
  g_wake_at = monotonic_ns() + kCommitIntervalNs;
  g_work.notify_all();
  return {};
}

Result<void> ask_writer(Volume& volume, Ext2Inode* inode, SyncKind kind) {
  TRY(start(volume));
  Request request{Task::Sync, inode, kind, false, {}, nullptr};
  ThreadWaiter waiter;
  g_finished.add(waiter);
  submit(request);
  // As on Linux, no signal interrupts this wait: it is for the disk.
  const InterruptGuard guard;
  while (!request.done) {
    g_current_thread->run_state = RunState::Blocked;
    block_current_thread();
  }
  if (request.error != Error{}) return request.error;
  return {};
}

void ask_writer_to_unmount(Volume& volume) {
  if (g_writer == nullptr && !volume.has_something_to_write()) return;
  if (start(volume).is_error()) return;
  static Request request{Task::Unmount, nullptr, SyncKind::Everything, false, {}, nullptr};
  const uint64_t deadline = monotonic_ns() + kUnmountAtMostNs;
  ThreadWaiter waiter;
  g_finished.add(waiter);
  submit(request);
  while (!request.done && monotonic_ns() < deadline)
    if (wait_for([] { return request.done; }, deadline) == WaitResult::Signal) yield_current_thread();
  if (!request.done)
    log(LogLevel::Warning, "ext3: the disk is too slow to be unmounted; the next start replays the journal");
}

}  // namespace kernel::ext2
