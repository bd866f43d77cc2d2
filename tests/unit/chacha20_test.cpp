// ChaCha20 against the RFC's own vectors, and what the generator made of it must and must not do.
#include "kernel/library/chacha20.h"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <set>
#include <string>
#include <vector>

namespace kernel {
namespace {

std::string hexadecimal(std::span<const uint8_t> bytes) {
  std::string text;
  for (const uint8_t byte : bytes) {
    char two[3];
    snprintf(two, sizeof two, "%02x", byte);
    text += two;
  }
  return text;
}

struct Input {
  uint32_t words[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};
};

// RFC 8439, section 2.3.2.
TEST(ChaCha20, BlockFunction) {
  Input input;
  std::array<uint8_t, 32> key;
  for (size_t i = 0; i < key.size(); ++i) key[i] = static_cast<uint8_t>(i);
  std::memcpy(input.words + 4, key.data(), key.size());
  input.words[12] = 1;
  input.words[13] = 0x09000000;
  input.words[14] = 0x4a000000;
  uint8_t out[64];
  chacha20_block(input.words, out);
  EXPECT_EQ(hexadecimal(out),
            "10f1e7e4d13b5915500fdd1fa32071c4c7d1f4c733c068030422aa9ac3d46c4e"
            "d2826446079faa0914c2d705d98b02a2b5129cd1de164eb9cbd083e8a2503c4e");
}

// RFC 8439, appendix A.1, test vectors 1 and 2: all zeros, block 0 and block 1.
TEST(ChaCha20, OfZeros) {
  Input input;
  uint8_t out[64];
  chacha20_block(input.words, out);
  EXPECT_EQ(hexadecimal(out),
            "76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7"
            "da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586");
  input.words[12] = 1;
  chacha20_block(input.words, out);
  EXPECT_EQ(hexadecimal(out),
            "9f07e7be5551387a98ba977c732d080dcb0f29a048e3656912c6533e32ee7aed"
            "29b721769ce64e43d57133b074d839d531ed1f28510afb45ace10a1f4b794d6f");
}

// With the key of zeros: the first block's second half, then block 1; the next request goes on with another key.
TEST(RandomGenerator, GivesTheKeyStreamBehindTheKey) {
  RandomGenerator generator;
  std::array<uint8_t, 40> out;
  generator.generate(out);
  EXPECT_EQ(hexadecimal(out),
            "da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586"
            "9f07e7be5551387a");
  std::array<uint8_t, 40> next;
  generator.generate(next);
  EXPECT_NE(out, next);
}

TEST(RandomGenerator, EveryByteThatIsMixedInCounts) {
  std::set<std::string> seen;
  for (int position = -1; position < 70; ++position) {
    std::vector<uint8_t> seed(70, 7);
    if (position >= 0) seed[static_cast<size_t>(position)] ^= 1;
    RandomGenerator generator;
    generator.mix(seed);
    std::array<uint8_t, 16> out;
    generator.generate(out);
    EXPECT_TRUE(seen.insert(hexadecimal(out)).second) << position;
  }
}

TEST(RandomGenerator, WritesWhatItIsAskedForAndNoMore) {
  for (const size_t size : {0, 1, 31, 32, 33, 95, 96, 97, 1000}) {
    RandomGenerator generator;
    std::vector<uint8_t> out(size + 8, 0x55);
    generator.generate(std::span(out).first(size));
    for (size_t i = size; i < out.size(); ++i) EXPECT_EQ(out[i], 0x55) << size;
  }
}

}  // namespace
}  // namespace kernel
