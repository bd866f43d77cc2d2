#include "tests/unit/kernel_device_fakes.h"

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <unordered_map>
#include <unordered_set>

#include "kernel/arch/x86_64/cpu.h"
#include "kernel/arch/x86_64/interrupts.h"
#include "kernel/drivers/console.h"
#include "kernel/library/log.h"
#include "kernel/memory/heap.h"
#include "kernel/memory/physical.h"

namespace kernel_fakes {
std::vector<std::string> g_log;
uint64_t g_free_pages = ~uint64_t{0}, g_monotonic_ns = 1;
int64_t g_wall_clock_ns = 1'700'000'000'000'000'000;
std::string g_console;
kernel::BlockDevice* g_disk = nullptr;

bool logged(const std::string& part) {
  for (const std::string& line : g_log)
    if (line.find(part) != line.npos) return true;
  return false;
}

std::string last_log() {
  return g_log.empty() ? "" : g_log.back();
}

static std::unordered_set<void*> g_allocated;
static std::unordered_map<uint64_t, uint32_t> g_more_users;       // of pages, beside the first
static std::unordered_map<uint64_t, kernel::PageOwner> g_owners;  // of pages whose owner was set

void free_all_memory() {
  for (void* memory : g_allocated) free(memory);
  g_allocated.clear();
  g_more_users.clear();
  g_owners.clear();
}

kernel::Result<void> MemoryDisk::read(uint64_t offset, std::span<uint8_t> to) {
  if (offset % 512 != 0 || to.size() % 512 != 0) return kernel::Error::Invalid;
  if (offset > size() || to.size() > size() - offset) return kernel::Error::Io;
  if (offset / 512 <= bad_sector && bad_sector < (offset + to.size()) / 512) return kernel::Error::Io;
  std::memcpy(to.data(), bytes.data() + offset, to.size());
  ++reads;
  if (to.size() > largest_read) largest_read = to.size();
  return {};
}

kernel::Result<void> MemoryDisk::write(uint64_t offset, std::span<const uint8_t> from, kernel::DiskWait) {
  if (read_only) return kernel::Error::ReadOnly;
  if (offset % 512 != 0 || from.size() % 512 != 0) return kernel::Error::Invalid;
  if (offset > size() || from.size() > size() - offset) return kernel::Error::Io;
  if (writes_until_failure > 0 && --writes_until_failure == 0) failing = true;
  if (failing) return kernel::Error::Io;
  std::memcpy(bytes.data() + offset, from.data(), from.size());
  ++writes;
  if (recording) record.push_back({offset, {from.begin(), from.end()}});
  return {};
}

kernel::Result<void> MemoryDisk::flush(kernel::DiskWait) {
  ++flushes;
  if (recording) record.push_back({kFlush, {}});
  return {};
}
}  // namespace kernel_fakes

namespace kernel {

void log(LogLevel, const char* format, ...) {
  char line[1024];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  if (kernel_fakes::g_log.size() < 10'000) kernel_fakes::g_log.push_back(line);
}

size_t format_text_list(char* buffer, size_t size, const char* format, va_list arguments) {
  return static_cast<size_t>(vsnprintf(buffer, size, format, arguments));
}

void* heap_allocate(size_t size) {
  void* memory = calloc(1, size);
  kernel_fakes::g_allocated.insert(memory);
  return memory;
}

void heap_free(void* pointer) {
  kernel_fakes::g_allocated.erase(pointer);
  free(pointer);
}

uint64_t g_direct_map_base = 0;
uint64_t ram_page_count() {
  return 64 << 8;
}  // 64 MiB

Result<PhysicalAddress> allocate_pages(size_t count, PageOwner) {
  if (count > kernel_fakes::g_free_pages) return Error::NoMemory;
  kernel_fakes::g_free_pages -= count;
  void* pages = aligned_alloc(kPageSize, count * kPageSize);
  memset(pages, 0, count * kPageSize);
  kernel_fakes::g_allocated.insert(pages);
  return reinterpret_cast<PhysicalAddress>(pages);
}

void free_pages(PhysicalAddress first, size_t count) {
  if (kernel_fakes::g_more_users.contains(first)) {
    if (--kernel_fakes::g_more_users[first] == 0) kernel_fakes::g_more_users.erase(first);
    return;
  }
  if (kernel_fakes::g_free_pages != ~uint64_t{0}) kernel_fakes::g_free_pages += count;
  for (size_t page = 0; page < count; ++page) kernel_fakes::g_owners.erase(first + page * kPageSize);
  heap_free(reinterpret_cast<void*>(first));
}

Result<void> retain_page(PhysicalAddress page) {
  ++kernel_fakes::g_more_users[page];
  return {};
}
void set_page_owner(PhysicalAddress page, PageOwner owner) {
  kernel_fakes::g_owners[page] = owner;
}
PageOwner page_owner(PhysicalAddress page) {
  auto found = kernel_fakes::g_owners.find(page);
  return found == kernel_fakes::g_owners.end() ? PageOwner::PageCache : found->second;
}
uint32_t page_users(PhysicalAddress page) {
  auto found = kernel_fakes::g_more_users.find(page);
  return found == kernel_fakes::g_more_users.end() ? 1 : 1 + found->second;
}
uint64_t free_page_count() {
  return kernel_fakes::g_free_pages;
}

uint64_t monotonic_ns() {
  return kernel_fakes::g_monotonic_ns;
}
int64_t wall_clock_ns() {
  return kernel_fakes::g_wall_clock_ns;
}

void random_bytes(void* to, uint64_t size) {
  for (uint64_t index = 0; index < size; ++index) static_cast<uint8_t*>(to)[index] = static_cast<uint8_t>(rand());
}

void console_write(std::span<const char> bytes) {
  kernel_fakes::g_console.append(bytes.data(), bytes.size());
}
size_t console_read(std::span<char>) {
  return 0;
}

BlockDevice* disk() {
  return kernel_fakes::g_disk;
}

}  // namespace kernel
