// A test is its own writer: what the kernel's thread does is done on the spot.
#include <cstdlib>

#include "kernel/fs/disk_writer.h"
#include "kernel/memory/pressure.h"
#include "kernel/memory/reclaim.h"
#include "kernel/task/file_mappings.h"
#include "kernel/task/process.h"
#include "kernel/task/wait.h"
#include "tests/unit/kernel_device_fakes.h"

namespace kernel_fakes {
std::set<uint64_t> g_protected;
}

namespace kernel {

Thread* g_current_thread = nullptr;

void wake(Thread&) {}
WaitResult wait_until(bool (*)(void*), void*, uint64_t, uint64_t) {
  abort();  // there is nobody to wait for
}
void register_reclaimer(Reclaimer) {}
void set_memory_relief(const MemoryRelief&) {}
bool unmap_unused_file_page(const Inode&, uint64_t) {
  return true;
}
void unmap_file_pages(const Inode&, uint64_t, uint64_t, PrivateCopies) {}
void write_protect_file_pages(const Inode&, uint64_t first, uint64_t last) {
  for (uint64_t index = first; index < last; ++index) kernel_fakes::g_protected.insert(index);
}

namespace ext2 {

bool is_writer() {
  return true;
}
DiskWait writer_wait() {
  return DiskWait::Poll;
}
Result<void> wake_writer_later(Volume&) {
  return {};
}
Result<void> ask_writer(Volume&, Ext2Inode*, SyncKind) {
  abort();
}
void ask_writer_to_unmount(Volume&) {
  abort();
}

}  // namespace ext2
}  // namespace kernel
