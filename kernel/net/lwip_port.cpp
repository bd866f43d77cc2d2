// What lwIP wants of the kernel: memory, time, random numbers, checksums, and somewhere to say that it is wrong.
#include "kernel/arch/x86_64/cpu.h"
#include "kernel/arch/x86_64/interrupts.h"
#include "kernel/crash/crash.h"
#include "kernel/memory/heap.h"
#include "kernel/memory/physical.h"
#include "kernel/net/lwip_memory.h"
#include "lwip/sys.h"

namespace kernel::net {
namespace {

// Stands before every piece, which stays 16-byte aligned.
struct Piece {
  Piece* next;  // of those that are free
  uint32_t size_class;
  uint32_t size;
};
static_assert(sizeof(Piece) == 16);

// A frame, a segment's header, a connection: what lwIP asks for again and again is kept, so that neither the heap's
// clearing nor its search is paid for each packet. Sizes that the heap has as classes, less the header.
constexpr uint32_t kSizes[] = {112, 240, 384, 656, 992, 2016};
constexpr uint32_t kClassCount = sizeof kSizes / sizeof kSizes[0];
constexpr uint32_t kNoClass = kClassCount;

Piece* g_free[kClassCount];
uint64_t g_used = 0, g_limit = 0, g_kept = 0;  // bytes; kept: on the lists above
constexpr uint64_t kKeptShare = 256;           // of the RAM: what a flood took goes back to the heap

}  // namespace

uint64_t lwip_memory_used() {
  return g_used;
}

uint64_t lwip_memory_limit() {
  if (g_limit == 0) g_limit = ram_page_count() * kPageSize / 2;
  return g_limit;
}

}  // namespace kernel::net

using namespace kernel;
using namespace kernel::net;

extern "C" {

void* lwip_port_allocate(size_t size) {
  uint32_t which = 0;
  while (which < kClassCount && kSizes[which] < size) ++which;
  const size_t whole = sizeof(Piece) + (which == kNoClass ? size : kSizes[which]);
  if (g_used + whole > lwip_memory_limit()) return nullptr;
  Piece* piece = which == kNoClass ? nullptr : g_free[which];
  if (piece != nullptr) {
    g_free[which] = piece->next;
    g_kept -= piece->size;
  } else {
    piece = static_cast<Piece*>(heap_allocate(whole));
    if (piece == nullptr) return nullptr;
    piece->size_class = which;
    piece->size = static_cast<uint32_t>(whole);
  }
  g_used += whole;
  return piece + 1;
}

void* lwip_port_allocate_zeroed(size_t count, size_t size) {
  size_t whole;
  if (__builtin_mul_overflow(count, size, &whole)) return nullptr;
  void* memory = lwip_port_allocate(whole);
  if (memory != nullptr) __builtin_memset(memory, 0, whole);
  return memory;
}

void lwip_port_free(void* memory) {
  if (memory == nullptr) return;
  Piece* piece = static_cast<Piece*>(memory) - 1;
  g_used -= piece->size;
  if (piece->size_class == kNoClass || g_kept + piece->size > ram_page_count() * kPageSize / kKeptShare)
    return heap_free(piece);
  g_kept += piece->size;
  piece->next = g_free[piece->size_class];
  g_free[piece->size_class] = piece;
}

uint32_t lwip_port_random() {
  return static_cast<uint32_t>(random64());
}

// lwIP has found its own data in a state that cannot be: going on would make it worse, and a dump shows it.
void lwip_port_assertion_failed(const char* message, const char* file, int line) {
  panic("lwIP: %s (%s:%d)", message, file, line);
}

uint32_t sys_now() {
  return static_cast<uint32_t>(monotonic_ns() / 1'000'000);
}

// The Internet checksum (RFC 1071), eight bytes at a time; the carries are taken in at the end. Byte order does not
// matter to it, only whether the sum starts at an odd byte, and this one always starts at the first.
uint16_t lwip_port_checksum(const void* bytes, int length) {
  const auto* at = static_cast<const uint8_t*>(bytes);
  uint64_t sum = 0, more = 0;
  const auto load64 = [](const uint8_t* from) {
    uint64_t value;
    __builtin_memcpy(&value, from, sizeof value);
    return value;
  };
  while (length >= 16) {
    const uint64_t first = load64(at), second = load64(at + 8);
    sum += (first & 0xFFFFFFFF) + (first >> 32);
    more += (second & 0xFFFFFFFF) + (second >> 32);
    at += 16;
    length -= 16;
  }
  sum += more;
  while (length >= 2) {
    uint16_t value;
    __builtin_memcpy(&value, at, sizeof value);
    sum += value;
    at += 2;
    length -= 2;
  }
  if (length > 0) sum += *at;
  while (sum >> 16 != 0) sum = (sum & 0xFFFF) + (sum >> 16);
  return static_cast<uint16_t>(sum);
}

}  // extern "C"
