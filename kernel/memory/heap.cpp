#include "kernel/memory/heap.h"

#include "kernel/arch/x86_64/interrupt_guard.h"
#include "kernel/crash/crash.h"
#include "kernel/memory/physical.h"

namespace kernel {

namespace {

struct FreeObject {
  FreeObject* next;
};

// Stands at the start of every page run of the heap; objects follow, 16-byte aligned.
struct RunHeader {
  uint32_t magic;
  uint16_t object_size;  // bytes; 0: one large object
  uint16_t used;         // objects
  union {
    FreeObject* free;  // of this page
    uint64_t pages;    // of a large object
  };
  RunHeader *next, *previous;  // of those of its class that have free objects
};
constexpr uint32_t kMagic = 0x48454150;
static_assert(sizeof(RunHeader) == 32);

// Sizes that fill a page well: (4096 - 32) / n, rounded down to 16.
constexpr uint16_t kSizes[] = {16, 32, 48, 64, 96, 128, 192, 256, 400, 512, 672, 1008, 1344, 2032};
RunHeader* g_partial[sizeof kSizes / sizeof kSizes[0]];  // pages with free objects

int class_of(size_t size) {
  for (size_t i = 0; i < sizeof kSizes / sizeof kSizes[0]; ++i)
    if (size <= kSizes[i]) return int(i);
  return -1;
}

void link(int which, RunHeader& page) {
  page.previous = nullptr;
  page.next = g_partial[which];
  if (page.next != nullptr) page.next->previous = &page;
  g_partial[which] = &page;
}

void unlink(int which, RunHeader& page) {
  (page.previous != nullptr ? page.previous->next : g_partial[which]) = page.next;
  if (page.next != nullptr) page.next->previous = page.previous;
}

bool refill(int which) {
  Result<PhysicalAddress> page = allocate_page(PageOwner::KernelHeap);
  if (!page) return false;
  uint8_t* start = direct_map<uint8_t>(page.value());
  auto* header = new (start) RunHeader{kMagic, kSizes[which], 0, {nullptr}, nullptr, nullptr};
  for (size_t at = sizeof(RunHeader); at + kSizes[which] <= kPageSize; at += kSizes[which]) {
    FreeObject* object = reinterpret_cast<FreeObject*>(start + at);
    object->next = header->free;
    header->free = object;
  }
  link(which, *header);
  return true;
}

}  // namespace

void* heap_allocate(size_t size) {
  InterruptGuard guard;
  int which = class_of(size);
  if (which < 0) {
    if (size > (size_t{1} << 46)) return nullptr;
    size_t pages = page_up(size + sizeof(RunHeader)) / kPageSize;
    Result<PhysicalAddress> run = allocate_pages(pages, PageOwner::KernelHeap);
    if (!run) return nullptr;
    RunHeader* header = new (direct_map(run.value())) RunHeader{kMagic, 0, 0, {nullptr}, nullptr, nullptr};
    header->pages = pages;
    return header + 1;
  }
  if (g_partial[which] == nullptr && !refill(which)) return nullptr;
  RunHeader& page = *g_partial[which];
  FreeObject* object = page.free;
  page.free = object->next;
  ++page.used;
  if (page.free == nullptr) unlink(which, page);
  __builtin_memset(object, 0, kSizes[which]);
  return object;
}

void heap_free(void* pointer) {
  if (pointer == nullptr) return;
  InterruptGuard guard;
  RunHeader* header = reinterpret_cast<RunHeader*>(page_down(reinterpret_cast<uint64_t>(pointer)));
  if (header->magic != kMagic) panic("heap_free of %p, which is not from the heap", pointer);
  if (header->object_size == 0) {
    if (pointer != header + 1) panic("heap_free of %p, which is not the start of an object", pointer);
    header->magic = 0;
    free_pages(direct_map_physical(header), header->pages);
    return;
  }
  const uint64_t offset = reinterpret_cast<uint64_t>(pointer) - reinterpret_cast<uint64_t>(header + 1);
  if (offset % header->object_size != 0) panic("heap_free of %p, which is not the start of an object", pointer);
  int which = class_of(header->object_size);
  if (header->free == nullptr) link(which, *header);
  FreeObject* object = static_cast<FreeObject*>(pointer);
  object->next = header->free;
  header->free = object;
  // An empty page goes back, unless it is the last that has room: the next object would bring it at once.
  if (--header->used > 0 || (header->next == nullptr && header->previous == nullptr)) return;
  unlink(which, *header);
  header->magic = 0;
  free_pages(direct_map_physical(header), 1);
}

}  // namespace kernel
