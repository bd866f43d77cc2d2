// DR0-DR3. One process: they stand while the app and the kernel run alike, so that what the kernel does to the app's
// memory on its behalf is seen too.
#include "kernel/debug/breakpoints.h"

namespace kernel::debug {
namespace {

struct Register {
  bool used = false;
  Watch kind = Watch::Execute;
  uint64_t address = 0;  // in the register
  uint64_t size = 0;
  uint64_t asked_address = 0, asked_size = 0;  // what the piece belongs to
};
Register g_registers[4];

void write_address(int number, uint64_t value) {
  switch (number) {
    case 0:
      asm volatile("mov %0, %%dr0" ::"r"(value));
      break;
    case 1:
      asm volatile("mov %0, %%dr1" ::"r"(value));
      break;
    case 2:
      asm volatile("mov %0, %%dr2" ::"r"(value));
      break;
    default:
      asm volatile("mov %0, %%dr3" ::"r"(value));
      break;
  }
}

void write_control() {
  uint64_t control = 0x400;  // bit 10 is always 1
  for (int number = 0; number < 4; ++number) {
    const Register& one = g_registers[number];
    if (!one.used) continue;
    const uint64_t length = one.kind == Watch::Execute ? 0 : one.size == 8 ? 2 : one.size - 1;
    control |= uint64_t{2} << (2 * number);  // global
    control |= (static_cast<uint64_t>(one.kind) | length << 2) << (16 + 4 * number);
  }
  asm volatile("mov %0, %%dr7" ::"r"(control));
}

// The largest aligned piece at the start of a range.
uint64_t piece_size(uint64_t address, uint64_t size) {
  uint64_t piece = 8;
  while (piece > size || address % piece != 0) piece /= 2;
  return piece;
}

}  // namespace

void clear_debug_register(int number) {
  if (!g_registers[number].used) return;
  g_registers[number] = {};
  write_control();
  write_address(number, 0);
}

Result<void> insert_debug_register(Watch kind, uint64_t address, uint64_t size) {
  if (kind == Watch::Execute) size = 1;
  if (size == 0 || size > 32) return Error::Invalid;
  for (const Register& one : g_registers)
    if (one.used && one.kind == kind && one.asked_address == address && one.asked_size == size) return {};
  size_t needed = 0, unused = 0;
  for (uint64_t at = 0; at < size; at += piece_size(address + at, size - at)) ++needed;
  for (const Register& one : g_registers) unused += one.used ? 0 : 1;
  if (needed > unused) return Error::NoSpace;
  uint64_t at = 0;
  for (int number = 0; number < 4 && at < size; ++number) {
    if (g_registers[number].used) continue;
    const uint64_t piece = piece_size(address + at, size - at);
    g_registers[number] = {true, kind, address + at, piece, address, size};
    write_address(number, address + at);
    at += piece;
  }
  write_control();
  return {};
}

void remove_debug_register(Watch kind, uint64_t address, uint64_t size) {
  if (kind == Watch::Execute) size = 1;
  for (int number = 0; number < 4; ++number) {
    const Register& one = g_registers[number];
    if (one.used && one.kind == kind && one.asked_address == address && one.asked_size == size)
      clear_debug_register(number);
  }
}

bool debug_hit(uint64_t debug_status, DebugHit& hit) {
  for (int number = 0; number < 4; ++number) {
    const Register& one = g_registers[number];
    if ((debug_status >> number & 1) == 0 || !one.used) continue;
    hit = {one.kind, one.asked_address};
    return true;
  }
  return false;
}

uint64_t take_debug_status() {
  uint64_t value;
  asm volatile("mov %%dr6, %0" : "=r"(value));
  asm volatile("mov %0, %%dr6" ::"r"(uint64_t{0xFFFF0FF0}));
  return value;
}

}  // namespace kernel::debug
