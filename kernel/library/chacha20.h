// The ChaCha20 block function (RFC 8439, section 2.3), and a generator made of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace kernel {

// `state`: constants, key, block counter, nonce, as section 2.3 lays them out; `out`: the 64 bytes of the key stream.
void chacha20_block(const uint32_t (&state)[16], uint8_t (&out)[64]);

// Random bytes from a key that nobody can work back to: each request first replaces the key by the start of its own key
// stream ("fast key erasure"), so that memory which is read later does not tell what was given out before.
class RandomGenerator {
 public:
  // Mixes bytes into the key. What is mixed in may be known to others: it takes nothing away.
  void mix(std::span<const uint8_t> bytes);
  void generate(std::span<uint8_t> to);

 private:
  uint32_t key_[8] = {};
};

}  // namespace kernel
