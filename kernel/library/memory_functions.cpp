// What the compiler calls by itself. Loops of 8-byte moves: under TCG REP MOVSB is many times slower.
// (Compiled without loop-to-library-call conversion, or each would call itself.)

#include <cstddef>
#include <cstdint>

#include "kernel/crash/crash.h"

using Word [[gnu::may_alias, gnu::aligned(1)]] = uint64_t;

extern "C" {

void* memcpy(void* to, const void* from, size_t size) {
  uint8_t* out = static_cast<uint8_t*>(to);
  const uint8_t* in = static_cast<const uint8_t*>(from);
  for (; size >= 32; size -= 32, out += 32, in += 32) {
    const Word* word = reinterpret_cast<const Word*>(in);
    uint64_t a = word[0], b = word[1], c = word[2], d = word[3];
    Word* target = reinterpret_cast<Word*>(out);
    target[0] = a, target[1] = b, target[2] = c, target[3] = d;
  }
  for (; size >= 8; size -= 8, out += 8, in += 8) *reinterpret_cast<Word*>(out) = *reinterpret_cast<const Word*>(in);
  for (; size > 0; --size) *out++ = *in++;
  return to;
}

void* memmove(void* to, const void* from, size_t size) {
  uint8_t* out = static_cast<uint8_t*>(to);
  const uint8_t* in = static_cast<const uint8_t*>(from);
  if (out + size <= in || in + size <= out) return memcpy(to, from, size);
  if (out < in) {
    if (in - out >= 8)
      for (; size >= 8; size -= 8, out += 8, in += 8)
        *reinterpret_cast<Word*>(out) = *reinterpret_cast<const Word*>(in);
    for (; size > 0; --size) *out++ = *in++;
  } else {
    if (out - in >= 8)
      for (; size >= 8; size -= 8)
        *reinterpret_cast<Word*>(out + size - 8) = *reinterpret_cast<const Word*>(in + size - 8);
    while (size > 0) --size, out[size] = in[size];
  }
  return to;
}

void* memset(void* to, int value, size_t size) {
  uint8_t* out = static_cast<uint8_t*>(to);
  uint64_t word = uint8_t(value) * 0x0101010101010101ull;
  for (; size >= 32; size -= 32, out += 32) {
    Word* target = reinterpret_cast<Word*>(out);
    target[0] = word, target[1] = word, target[2] = word, target[3] = word;
  }
  for (; size >= 8; size -= 8, out += 8) *reinterpret_cast<Word*>(out) = word;
  for (; size > 0; --size) *out++ = uint8_t(value);
  return to;
}

int memcmp(const void* left, const void* right, size_t size) {
  const uint8_t* a = static_cast<const uint8_t*>(left);
  const uint8_t* b = static_cast<const uint8_t*>(right);
  for (size_t i = 0; i < size; ++i)
    if (a[i] != b[i]) return a[i] - b[i];
  return 0;
}

void* memchr(const void* bytes, int value, size_t size) {  // std::string_view's search
  const uint8_t* at = static_cast<const uint8_t*>(bytes);
  for (; size > 0; --size, ++at)
    if (*at == static_cast<uint8_t>(value)) return const_cast<uint8_t*>(at);
  return nullptr;
}

size_t strlen(const char* text) {
  size_t length = 0;
  while (text[length] != 0) ++length;
  return length;
}

int strcmp(const char* left, const char* right) {
  while (*left != 0 && *left == *right) ++left, ++right;
  return uint8_t(*left) - uint8_t(*right);
}

int __cxa_atexit(void (*)(void*), void*, void*) { return 0; }  // a kernel never exits
[[gnu::visibility("hidden")]] void* __dso_handle = nullptr;
void __cxa_pure_virtual() { kernel::panic("pure virtual function called"); }

}  // extern "C"
