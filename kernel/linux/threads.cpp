// The app's threads: clone, clone3, and how one ends.
#include "kernel/arch/x86_64/context_switch.h"
#include "kernel/arch/x86_64/cpu.h"
#include "kernel/arch/x86_64/entry.h"
#include "kernel/arch/x86_64/interrupt_guard.h"
#include "kernel/debug/debugger.h"
#include "kernel/linux/app.h"
#include "kernel/linux/calls.h"
#include "kernel/linux/futex.h"
#include "kernel/linux/signals.h"
#include "kernel/memory/heap.h"
#include "kernel/task/scheduler.h"

namespace kernel::linux {
namespace {

constexpr uint32_t kMaximumThreadCount = 4000;  // the dump shows 4096 (crash_state.h)
uint32_t g_next_id = kProcessId, g_count = 0;
int g_first_thread_status = 0;

void free_thread(Thread& ended) {
  auto& thread = static_cast<AppThread&>(ended);
  give_kernel_stack(thread.kernel_stack);
  heap_free(thread.extended_state_memory);
  destroy(&thread);
}

Result<AppThread*> new_thread() {
  if (g_count >= kMaximumThreadCount) return Error::Again;
  AppThread* thread = TRY(make<AppThread>());
  thread->extended_state_memory = heap_allocate(g_cpu.xsave_size + 64);  // XSAVE wants 64-byte alignment, heap: 16
  auto stack = thread->extended_state_memory != nullptr ? take_kernel_stack() : Result<KernelStack>(Error::NoMemory);
  if (stack.is_error()) {
    heap_free(thread->extended_state_memory);
    destroy(thread);
    return stack.error();
  }
  const auto area = reinterpret_cast<uint64_t>(thread->extended_state_memory);
  thread->extended_state = reinterpret_cast<void*>((area + 63) & ~uint64_t{63});
  thread->kernel_stack = stack.value();
  thread->frame = reinterpret_cast<TrapFrame*>(thread->kernel_stack.top) - 1;
  return thread;
}

// Ids are Linux's pid_max below four million and are not used twice before they run out.
void take_id_and_join(AppThread& thread) {
  constexpr uint32_t kHighest = 4'194'303;
  InterruptGuard guard;
  do {
    thread.id = g_next_id;
    g_next_id = g_next_id == kHighest ? kProcessId + 1 : g_next_id + 1;
  } while (find_thread(thread.id) != nullptr);
  Thread** end = &g_threads;
  while (*end != nullptr) end = &(*end)->next;
  *end = &thread;
  ++g_count;
}

void leave_list(AppThread& thread) {
  InterruptGuard guard;
  Thread** at = &g_threads;
  while (*at != &thread) at = &(*at)->next;
  *at = thread.next;
  --g_count;
}

void run_app_thread(void* argument) {
  begin_thread();
  auto& thread = *static_cast<AppThread*>(argument);
  load_app_state(thread);
  enter_user(thread.frame);
}

}  // namespace

AppThread* find_thread(uint32_t id) {
  for (AppThread* thread = first_thread(); thread != nullptr; thread = next_thread(*thread))
    if (thread->id == id) return thread;
  return nullptr;
}

uint32_t thread_count() {
  return g_count;
}

Result<void> create_first_thread(const char* name) {
  AppThread* thread = TRY(new_thread());
  for (size_t index = 0; index < sizeof thread->name - 1 && name[index] != 0; ++index)
    thread->name[index] = name[index];
  initial_extended_state(thread->extended_state);
  take_id_and_join(*thread);
  set_kernel_stack(thread->kernel_stack.top);
  g_current_thread = thread;
  return {};
}

Result<AppThread*> create_thread(const TrapFrame& frame) {
  AppThread* thread = TRY(new_thread());
  const AppThread& parent = current();
  __builtin_memcpy(thread->name, parent.name, sizeof thread->name);
  save_extended_state(thread->extended_state);
  thread->fs_base = get_fs_base();
  thread->gs_base = get_user_gs_base();
  thread->blocked_signals = parent.mask_is_saved ? parent.saved_mask : parent.blocked_signals;
  thread->nice = parent.nice;
  thread->scheduling_policy = parent.scheduling_policy;
  *thread->frame = frame;
  thread->kernel_rsp = make_first_context(reinterpret_cast<uint64_t>(thread->frame), run_app_thread, thread);
  take_id_and_join(*thread);
  debug::thread_created(*thread);
  return thread;
}

void exit_thread(int status, TrapFrame& frame) {
  AppThread& thread = current();
  if (thread.id == kProcessId) g_first_thread_status = status;
  if (g_count == 1) exit_program(g_first_thread_status, frame);
  release_futexes(thread);
  if (thread.clear_child_tid != 0 && write_user(thread.clear_child_tid, uint32_t{0}))
    wake_futex_shared(thread.clear_child_tid, 1);
  interrupts_disable();
  drop_pending_signals(thread);
  leave_list(thread);
  debug::thread_ends();
  end_current_thread(free_thread);
}

namespace {

// linux/sched.h
constexpr uint64_t kCloneVm = 0x100, kCloneFs = 0x200, kCloneFiles = 0x400, kCloneSighand = 0x800,
                   kCloneThread = 0x10000, kCloneSetTls = 0x80000, kCloneParentSetTid = 0x100000,
                   kCloneChildClearTid = 0x200000, kCloneChildSetTid = 0x1000000;

struct CloneRequest {
  uint64_t flags, stack_pointer, parent_tid, child_tid, tls;  // stack_pointer 0: the parent's
};

Result<uint64_t> clone_thread(const char* call, const CloneRequest& request, TrapFrame& parent_frame) {
  const uint64_t flags = request.flags;
  // What clone(2) says cannot be.
  if ((flags & kCloneThread) != 0 && (flags & kCloneSighand) == 0) return Error::Invalid;
  if ((flags & kCloneSighand) != 0 && (flags & kCloneVm) == 0) return Error::Invalid;
  if ((flags & kCloneThread) == 0) return refuse_process(call, "a VM runs one process, of as many threads as it likes", parent_frame);
  if ((flags & kCloneFs) == 0 || (flags & kCloneFiles) == 0)
    return refuse_process(call, "threads with files or a working directory of their own are not supported", parent_frame);
  if ((flags & kCloneSetTls) != 0 && request.tls >= kUserEnd) return Error::NotPermitted;

  TrapFrame frame = parent_frame;
  frame.rax = 0;
  frame.error_code = ~uint64_t{0};  // it is in no call
  if (request.stack_pointer != 0) frame.rsp = request.stack_pointer;
  AppThread* thread = TRY(create_thread(frame));
  if ((flags & kCloneSetTls) != 0) thread->fs_base = request.tls;
  if ((flags & kCloneChildClearTid) != 0) thread->clear_child_tid = request.child_tid;
  const uint32_t id = thread->id;
  // Linux ignores addresses that cannot be written here too.
  if ((flags & kCloneParentSetTid) != 0) (void)write_user(request.parent_tid, id).is_error();
  if ((flags & kCloneChildSetTid) != 0) (void)write_user(request.child_tid, id).is_error();
  make_ready(*thread);
  return id;
}

}  // namespace

MORTEM_CALL(clone) {
  return clone_thread("clone", {argument[0] & 0xFFFFFFFF, argument[1], argument[2], argument[3], argument[4]},
                      argument.frame);
}

MORTEM_CALL(clone3) {
  struct CloneArguments {  // struct clone_args, version 0 and its later fields
    uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup;
  } in{};
  constexpr uint64_t kFirstSize = 64;
  if (argument[1] < kFirstSize) return Error::Invalid;
  if (argument[1] > kPageSize) return Error::ArgumentsTooLong;
  for (uint64_t at = sizeof in; at < argument[1]; ++at)  // fields of a later Linux: only zeros are understood
    if (TRY(read_user<uint8_t>(argument[0] + at)) != 0) return Error::ArgumentsTooLong;
  TRY(copy_from_user(&in, argument[0], argument[1] < sizeof in ? argument[1] : sizeof in));
  constexpr uint64_t kSignalMask = 0xFF, kCloneDetached = 0x400000;
  if ((in.flags & (kSignalMask | kCloneDetached)) != 0 || (in.stack == 0) != (in.stack_size == 0))
    return Error::Invalid;
  if (in.stack_size > kUserEnd || in.stack > kUserEnd - in.stack_size) return Error::Invalid;
  if (in.set_tid_size != 0) return Error::NotPermitted;
  return clone_thread("clone3",
                      {in.flags, in.stack == 0 ? 0 : in.stack + in.stack_size, in.parent_tid, in.child_tid, in.tls},
                      argument.frame);
}

}  // namespace kernel::linux
