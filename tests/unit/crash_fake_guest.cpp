#include "crash_fake_guest.h"

#include <sys/mman.h>

#include <cstring>

#include "kernel/arch/x86_64/cpu.h"
#include "kernel/arch/x86_64/user_access.h"
#include "kernel/crash/page_walk.h"
#include "kernel/library/log.h"
#include "snapshot/format/guest_description.h"

namespace mortem::test {

using namespace kernel;

FakeGuest* FakeGuest::current = nullptr;

FakeGuest::FakeGuest(size_t pages) : page_count(pages), owners(pages, PageOwner::Free) {
  memory_ = static_cast<uint8_t*>(
      mmap(nullptr, pages * kPageSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
  for (size_t page = 0; page < 0x100; ++page) owners[page] = PageOwner::Firmware;
  for (size_t page = 0x100; page < 0x111; ++page) owners[page] = PageOwner::Reserved;
  current = this;
  g_direct_map_base = reinterpret_cast<uint64_t>(memory_);
  root = allocate(PageOwner::PageTable);
  auto* guest = reinterpret_cast<format::GuestDescription*>(bytes(format::kGuestDescriptionAddress));
  std::memcpy(guest->magic, format::kGuestDescriptionMagic, sizeof guest->magic);
  std::memset(guest->boot_id, 0xB0, sizeof guest->boot_id);
  state.machine.cr3 = root;
  state.machine_known = true;
  g_crash_page_walker.set_root(root);
  g_threads = nullptr;
  g_log_ring = {};
}

FakeGuest::~FakeGuest() {
  munmap(memory_, page_count * kPageSize);
  current = nullptr;
}

PhysicalAddress FakeGuest::allocate(PageOwner owner, size_t count) {
  const PhysicalAddress first = next_page_ * kPageSize;
  for (size_t i = 0; i < count; ++i) owners.at(next_page_++) = owner;
  return first;
}

uint64_t* FakeGuest::entry(uint64_t address) {
  PhysicalAddress table = root;
  for (int level = 3; level > 0; --level) {
    uint64_t& entry = reinterpret_cast<uint64_t*>(bytes(table))[(address >> (12 + 9 * level)) & 511];
    if ((entry & 1) == 0) entry = allocate(PageOwner::PageTable) | 7;
    table = entry & 0x000f'ffff'ffff'f000;
  }
  return &reinterpret_cast<uint64_t*>(bytes(table))[(address >> 12) & 511];
}

PhysicalAddress FakeGuest::map(uint64_t address, PageOwner owner, uint8_t fill, bool write, bool execute, bool user) {
  uint64_t* slot = entry(address);
  const PhysicalAddress page = allocate(owner);
  std::memset(bytes(page), fill, kPageSize);
  *slot = page | 1 | (write ? 2 : 0) | (user ? 4 : 0) | (execute ? 0 : uint64_t{1} << 63);
  return page;
}

void FakeGuest::area(uint64_t start, uint64_t end, uint8_t protection, AreaKind kind, const char* path,
                     uint64_t file_offset) {
  areas.push_back({start, end, protection, kind, false, nullptr, file_offset, path});
}

void FakeGuest::module(format::ModuleKind kind, const std::string& path, uint64_t start, uint64_t end,
                       const std::vector<uint8_t>& id) {
  format::ModuleEntry entry{};
  entry.kind = kind;
  entry.load_bias = 0;
  entry.start = start;
  entry.end = end;
  entry.id_kind = id.empty() ? format::ModuleIdKind::None : format::ModuleIdKind::GnuBuildId;
  entry.id_length = static_cast<uint16_t>(id.size());
  entry.path_length = static_cast<uint16_t>(path.size());
  entry.entry_length = static_cast<uint32_t>((sizeof entry + id.size() + path.size() + 7) & ~size_t{7});
  const size_t at = modules.size();
  modules.resize(at + entry.entry_length);
  std::memcpy(modules.data() + at, &entry, sizeof entry);
  std::memcpy(modules.data() + at + sizeof entry, id.data(), id.size());
  std::memcpy(modules.data() + at + sizeof entry + id.size(), path.data(), path.size());
}

void FakeGuest::log(const std::string& text) {
  if (log_bytes_.empty()) log_bytes_.resize(4096);
  for (const char c : text) log_bytes_[g_log_ring.written++ % log_bytes_.size()] = c;
  g_log_ring.bytes = log_bytes_.data();
  g_log_ring.size = log_bytes_.size();
  state.log_written = g_log_ring.written;
}

void FakeGuest::poke(uint64_t address, const void* from, size_t size) {
  const PhysicalAddress page = *entry(page_down(address)) & 0x000f'ffff'ffff'f000;
  std::memcpy(bytes(page + (address & (kPageSize - 1))), from, size);
}

void FakeGuest::crash_of_the_app() {
  map(0x400000, PageOwner::App, 0x7F, false);
  map(kFakeText, PageOwner::App, 0x90, false, true);
  map(kFakeData, PageOwner::App, 0xDA);
  map(kFakeStackTop - kPageSize, PageOwner::App, 0x00);
  area(0x400000, 0x401000, kProtectRead, AreaKind::File, "/bin/fake");
  area(kFakeText, kFakeText + kPageSize, kProtectRead | kProtectExecute, AreaKind::File, "/bin/fake", kPageSize);
  // Two pages of a file of which one was touched, then anonymous memory that nobody touched, then a guard.
  area(kFakeData, kFakeData + 2 * kPageSize, kProtectRead | kProtectWrite, AreaKind::File, "/bin/fake", 2 * kPageSize);
  area(0x500000, 0x510000, kProtectRead | kProtectWrite, AreaKind::Heap);
  area(0x600000, 0x700000, 0, AreaKind::Anonymous);
  area(0x10'0000'0000, 0x20'0000'0000, kProtectRead | kProtectWrite, AreaKind::Anonymous);
  area(kFakeStackTop - 4 * kPageSize, kFakeStackTop, kProtectRead | kProtectWrite, AreaKind::Stack);
  module(format::ModuleKind::Program, "/bin/fake", 0x400000, 0x404000, {0xAB, 0xCD, 0xEF, 0x01});
  allocate(PageOwner::KernelHeap, 3);
  auxv = {3, 0x400040, 6, 4096, 0, 0};
  log("first line\nsecond line\n");

  const uint64_t stack = kFakeStackTop - 0x100;
  const uint64_t frames[] = {stack + 0x40, kFakeText + 0x22};
  poke(stack, frames, sizeof frames);
  const uint64_t last[] = {0, kFakeText + 0x11};
  poke(stack + 0x40, last, sizeof last);

  auto& general = state.machine.general;
  unsigned n = 0;
#define MORTEM_PLANT(name, size, gdb, dwarf, index) general.name = planted(n++);
  MORTEM_GENERAL_REGISTERS(MORTEM_PLANT)
#undef MORTEM_PLANT
  general.rip = kFakeText + 0x33;
  general.rsp = stack - 0x20;
  general.rbp = stack;
  general.cs = 0x33;
  general.ss = 0x2B;
  general.ds = general.es = general.fs = general.gs = 0;
  general.eflags = 0x10246;
  general.orig_rax = ~uint64_t{0};
  general.fs_base = kFakeData + 0x80;
  general.gs_base = 0;

  frame_ = {};
  frame_.vector = 14;
  frame_.error_code = 6;
  frame_.rip = general.rip;
  frame_.rsp = general.rsp;
  frame_.rbp = general.rbp;
  frame_.cs = general.cs;
  state.frame = frame_;
  state.reason.kind = format::ReasonKind::Signal;
  state.reason.signal = 11;
  state.reason.signal_code = 1;
  state.reason.has_fault_address = true;
  state.reason.fault_address = 0x10;
  std::strcpy(state.message, "SIGSEGV: write to address 0x10, which is not mapped");
  state.reason.message = state.message;

  std::memset(g_fatal_siginfo, 0, sizeof g_fatal_siginfo);
  const int32_t info[] = {11, 0, 1};
  std::memcpy(g_fatal_siginfo, info, sizeof info);
  const uint64_t address = 0x10;
  std::memcpy(g_fatal_siginfo + 16, &address, sizeof address);

  thread_ = {};
  thread_.id = kProcessId;
  std::strcpy(thread_.name, "fake");
  thread_.frame = &frame_;
  g_threads = g_current_thread = &thread_;
  state.thread_address = &thread_;
  state.thread_id = thread_.id;
  std::strcpy(state.thread_name, "fake");
  state.thread_known = true;
}

}  // namespace mortem::test

// The kernel's names.
namespace kernel {

using mortem::test::FakeGuest;

uint64_t g_direct_map_base = 0;
Thread* g_threads = nullptr;
Thread* g_current_thread = nullptr;
uint8_t g_fatal_siginfo[128];
LogRing g_log_ring, g_error_ring, g_output_ring;

// Null and the first pages are what a damaged pointer is in these tests.
Result<void> copy_from_kernel_checked(void* to, uint64_t from, size_t size) {
  if (from < 0x10000 || from + size < from || (from >> 47) != 0) return Error::Fault;
  std::memcpy(to, reinterpret_cast<const void*>(from), size);
  return {};
}

uint64_t next_used_page(uint64_t frame) {
  while (frame < memory_page_count() && page_owner(frame * kPageSize) <= PageOwner::Firmware) ++frame;
  return frame;
}
PageOwner page_owner(PhysicalAddress page) {
  const auto& owners = FakeGuest::current->owners;
  return page / kPageSize < owners.size() ? owners[page / kPageSize] : PageOwner::Absent;
}
uint64_t memory_page_count() {
  return FakeGuest::current->page_count;
}
uint64_t ram_page_count() {
  return FakeGuest::current->page_count;
}
uint64_t free_page_count() {
  uint64_t count = 0;
  for (const PageOwner owner : FakeGuest::current->owners) count += owner == PageOwner::Free;
  return count;
}
size_t area_count() {
  return FakeGuest::current->areas.size();
}
const MemoryArea& area_at(size_t index) {
  return FakeGuest::current->areas[index];
}
std::span<const uint8_t> module_table() {
  return FakeGuest::current->modules;
}
std::span<const uint64_t> auxiliary_vector() {
  return FakeGuest::current->auxv;
}
const char* command_line() {
  return FakeGuest::current->arguments.c_str();
}
size_t kernel_ranges(KernelRange* ranges, size_t capacity) {
  const auto& all = FakeGuest::current->ranges;
  for (size_t i = 0; i < all.size() && i < capacity; ++i) ranges[i] = all[i];
  return all.size();
}
uint64_t read_tsc() {
  return FakeGuest::current->clock += FakeGuest::current->clock_step;
}

mortem::format::GeneralRegisters TrapFrame::registers() const {
  mortem::format::GeneralRegisters result{};
  result.rip = rip;
  result.rsp = rsp;
  result.rbp = rbp;
  result.r15 = r15;
  result.cs = cs;
  return result;
}

}  // namespace kernel
