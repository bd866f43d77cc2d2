// Tables of lwIP's records, which carry the links themselves: nothing is allocated for a record. Keys are hashed with
// numbers that only this boot knows, so that nobody outside can make many of them fall together.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernel/memory/heap.h"
#include "lwip/ip_addr.h"

namespace kernel::net {

// A doubly linked chain by two members of the record.
template <typename Record, Record* Record::*kNext, Record* Record::*kPrevious>
struct Chain {
  static void add(Record*& first, Record& record) {
    record.*kNext = first;
    record.*kPrevious = nullptr;
    if (first != nullptr) first->*kPrevious = &record;
    first = &record;
  }
  static void remove(Record*& first, Record& record) {
    Record *const next = record.*kNext, *const previous = record.*kPrevious;
    (previous != nullptr ? previous->*kNext : first) = next;
    if (next != nullptr) next->*kPrevious = previous;
    record.*kNext = record.*kPrevious = nullptr;
  }
};

// A singly linked one, for chains that are short: a record is looked for when it goes.
template <typename Record, Record* Record::*kNext>
struct ShortChain {
  static void add(Record*& first, Record& record) {
    record.*kNext = first;
    first = &record;
  }
  static void remove(Record*& first, Record& record) {
    for (Record** link = &first; *link != nullptr; link = &((*link)->*kNext))
      if (*link == &record) {
        *link = record.*kNext;
        break;
      }
    record.*kNext = nullptr;
  }
};

template <typename Record>
class HashTable {
 public:
  // `wanted` is rounded down to a power of two. Without memory for it the table works, with one chain.
  void initialize(size_t wanted) {
    size_t count = 1;
    while (count * 2 <= wanted) count *= 2;
    auto* chains = static_cast<Record**>(heap_allocate(count * sizeof(Record*)));  // cleared
    if (chains == nullptr) return;
    chains_ = chains;
    mask_ = static_cast<uint32_t>(count - 1);
  }
  Record*& chain(uint32_t hash) { return chains_[hash & mask_]; }
  size_t size() const { return size_t{mask_} + 1; }

 private:
  Record* single_ = nullptr;
  Record** chains_ = &single_;
  uint32_t mask_ = 0;
};

void hash_initialize();                       // draws the numbers
size_t table_size_by_memory(size_t at_most);  // a chain for each 64 KiB of RAM
uint32_t hash_of(const ip_addr_t& own, uint16_t own_port, const ip_addr_t& peer, uint16_t peer_port, uint64_t also = 0);

// Linux's range of ports that are given to those who name none (ip_local_port_range).
constexpr uint32_t kFirstFreePort = 32768, kLastFreePort = 60999, kFreePorts = kLastFreePort - kFirstFreePort + 1;
// The first port of the range, from a random one on, that `is_free`; 0: none.
template <typename IsFree>
uint16_t find_port(uint32_t start, IsFree is_free) {
  for (uint32_t step = 0; step < kFreePorts; ++step) {
    const auto port = static_cast<uint16_t>(kFirstFreePort + (start + step) % kFreePorts);
    if (is_free(port)) return port;
  }
  return 0;
}

// Whether two sockets that are bound to these would get each other's packets; the unspecified address of an IPv6 socket
// that is not IPv6 only stands for both families.
bool addresses_overlap(const ip_addr_t& one, const ip_addr_t& other);

}  // namespace kernel::net
