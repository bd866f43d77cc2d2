#include "kernel/linux/out_of_memory.h"

#include "kernel/crash/crash.h"
#include "kernel/debug/debugger.h"
#include "kernel/library/log.h"
#include "kernel/linux/app.h"
#include "kernel/linux/process_folder.h"
#include "kernel/linux/signals.h"
#include "kernel/task/address_space.h"
#include "kernel/task/user_pages.h"

namespace kernel::linux {
namespace {

constexpr size_t kOwners = static_cast<size_t>(PageOwner::Lost) + 1;
constexpr size_t kLargestShown = 6;

uint64_t kib(uint64_t pages) {
  return pages * kPageSize / 1024;
}

struct Holder {
  const MemoryArea* area;
  uint64_t pages;  // in memory
};

struct Account {
  uint64_t owned[kOwners] = {};
  Holder largest[kLargestShown] = {};  // the largest first
  size_t shown = 0;
  uint64_t of(PageOwner owner) const { return owned[static_cast<size_t>(owner)]; }
};

void insert(Account& account, const Holder& holder) {
  size_t at = account.shown;
  while (at > 0 && account.largest[at - 1].pages < holder.pages) --at;
  if (at == kLargestShown) return;
  if (account.shown < kLargestShown) ++account.shown;
  for (size_t index = account.shown - 1; index > at; --index) account.largest[index] = account.largest[index - 1];
  account.largest[at] = holder;
}

const char* name_of(const MemoryArea& area) {
  const char* name = area_name(area);
  return name[0] != 0 ? name : area.inode != nullptr ? "file" : "anonymous";
}

void take(Account& account) {
  for (uint64_t page = 0; page < memory_page_count(); ++page) {
    const auto owner = static_cast<size_t>(page_owner(page * kPageSize));
    if (owner < kOwners) ++account.owned[owner];
  }
  for (size_t index = 0; index < area_count(); ++index) {
    Holder holder{&area_at(index), 0};
    for_each_user_page(holder.area->start, holder.area->end, [&](uint64_t, PhysicalAddress) { ++holder.pages; });
    if (holder.pages > 0) insert(account, holder);
  }
}

void log_largest(const Account& account) {
  for (size_t index = 0; index < account.shown; ++index) {
    const MemoryArea& area = *account.largest[index].area;
    log(LogLevel::Warning, "out of memory: %lu of %lu KiB of %#lx-%#lx (%s) are in memory",
        kib(account.largest[index].pages), (area.end - area.start) / 1024, area.start, area.end, name_of(area));
  }
}

}  // namespace

void end_out_of_memory(TrapFrame& frame, uint64_t address) {
  static Account account;  // a kernel stack is small
  take(account);
  static char message[256];
  const char* most = account.shown > 0 ? name_of(*account.largest[0].area) : "nothing";
  format_text(message, sizeof message,
              "SIGKILL: out of memory: no page for %#lx at rip %#lx; of %lu KiB the app has %lu (most: %.40s, %lu), "
              "shared memory %lu, page cache %lu, kernel heap %lu, device buffers %lu",
              address, frame.rip, kib(ram_page_count()), kib(account.of(PageOwner::App)), most,
              kib(account.shown > 0 ? account.largest[0].pages : 0), kib(account.of(PageOwner::SharedMemory)),
              kib(account.of(PageOwner::PageCache) + account.of(PageOwner::DiskState)),
              kib(account.of(PageOwner::KernelHeap)), kib(account.of(PageOwner::Dma)));
  log_largest(account);
  log(LogLevel::Warning, "%s; give the guest more memory", message);
  SignalInformation information;
  information.signal = kSigKill;
  information.code = kCodeKernel;
  __builtin_memcpy(g_fatal_siginfo, &information, sizeof g_fatal_siginfo);
  debug::app_is_killed(kSigKill);
  crash({.kind = mortem::format::ReasonKind::Signal,
         .signal = kSigKill,
         .signal_code = kCodeKernel,
         .has_fault_address = true,
         .fault_address = address,
         .message = message},
        &frame);
}

}  // namespace kernel::linux
