#include "kernel/library/chacha20.h"

namespace kernel {

namespace {

constexpr uint32_t kConstants[4] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};

uint32_t rotate(uint32_t value, int by) {
  return value << by | value >> (32 - by);
}

void quarter_round(uint32_t& a, uint32_t& b, uint32_t& c, uint32_t& d) {
  a += b, d = rotate(d ^ a, 16);
  c += d, b = rotate(b ^ c, 12);
  a += b, d = rotate(d ^ a, 8);
  c += d, b = rotate(b ^ c, 7);
}

// What is erased must be: the compiler would leave a plain store out.
void erase(void* at, size_t size) {
  __builtin_memset(at, 0, size);
  asm volatile("" ::"r"(at) : "memory");
}

}  // namespace

void chacha20_block(const uint32_t (&state)[16], uint8_t (&out)[64]) {
  uint32_t x[16];
  __builtin_memcpy(x, state, sizeof x);
  for (int round = 0; round < 10; ++round) {
    quarter_round(x[0], x[4], x[8], x[12]);
    quarter_round(x[1], x[5], x[9], x[13]);
    quarter_round(x[2], x[6], x[10], x[14]);
    quarter_round(x[3], x[7], x[11], x[15]);
    quarter_round(x[0], x[5], x[10], x[15]);
    quarter_round(x[1], x[6], x[11], x[12]);
    quarter_round(x[2], x[7], x[8], x[13]);
    quarter_round(x[3], x[4], x[9], x[14]);
  }
  for (int i = 0; i < 16; ++i) x[i] += state[i];
  __builtin_memcpy(out, x, sizeof x);  // little-endian, as this processor is
  erase(x, sizeof x);
}

void RandomGenerator::generate(std::span<uint8_t> to) {
  uint32_t state[16] = {};
  uint8_t stream[64];
  __builtin_memcpy(state, kConstants, sizeof kConstants);
  __builtin_memcpy(state + 4, key_, sizeof key_);
  // The first block's first half is the next key, its second half the first 32 bytes that are given out.
  chacha20_block(state, stream);
  __builtin_memcpy(key_, stream, sizeof key_);
  size_t used = sizeof key_;
  while (!to.empty()) {
    if (used == sizeof stream) {
      ++state[12];
      chacha20_block(state, stream);
      used = 0;
    }
    const size_t part = to.size() < sizeof stream - used ? to.size() : sizeof stream - used;
    __builtin_memcpy(to.data(), stream + used, part);
    used += part;
    to = to.subspan(part);
  }
  erase(state, sizeof state);
  erase(stream, sizeof stream);
}

void RandomGenerator::mix(std::span<const uint8_t> bytes) {
  while (!bytes.empty()) {
    const size_t part = bytes.size() < sizeof key_ ? bytes.size() : sizeof key_;
    uint8_t words[sizeof key_] = {};
    __builtin_memcpy(words, bytes.data(), part);
    auto* key = reinterpret_cast<uint8_t*>(key_);
    for (size_t i = 0; i < sizeof words; ++i) key[i] ^= words[i];
    generate({});  // the key is a new one, of all of it
    bytes = bytes.subspan(part);
  }
}

}  // namespace kernel
