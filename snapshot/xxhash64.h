// XXH64, the checksum of zstd's seek table (its low 32 bits); the XXH64 specification names the five primes.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <span>

namespace mortem::snapshot {

inline uint64_t xxhash64(std::span<const uint8_t> bytes, uint64_t seed = 0) {
  constexpr uint64_t kPrime1 = 0x9E3779B185EBCA87, kPrime2 = 0xC2B2AE3D27D4EB4F, kPrime3 = 0x165667B19E3779F9,
                     kPrime4 = 0x85EBCA77C2B2AE63, kPrime5 = 0x27D4EB2F165667C5;
  const uint8_t* at = bytes.data();
  size_t left = bytes.size();
  auto word64 = [](const uint8_t* p) {
    uint64_t v;
    std::memcpy(&v, p, 8);
    return v;
  };
  auto word32 = [](const uint8_t* p) {
    uint32_t v;
    std::memcpy(&v, p, 4);
    return v;
  };
  auto round = [&](uint64_t lane, uint64_t input) { return std::rotl(lane + input * kPrime2, 31) * kPrime1; };

  uint64_t hash;
  if (left >= 32) {
    uint64_t lanes[4] = {seed + kPrime1 + kPrime2, seed + kPrime2, seed, seed - kPrime1};
    for (; left >= 32; at += 32, left -= 32)
      for (int lane = 0; lane < 4; ++lane) lanes[lane] = round(lanes[lane], word64(at + 8 * lane));
    hash = std::rotl(lanes[0], 1) + std::rotl(lanes[1], 7) + std::rotl(lanes[2], 12) + std::rotl(lanes[3], 18);
    for (uint64_t lane : lanes) hash = (hash ^ round(0, lane)) * kPrime1 + kPrime4;
  } else {
    hash = seed + kPrime5;
  }
  hash += bytes.size();
  for (; left >= 8; at += 8, left -= 8) hash = std::rotl(hash ^ round(0, word64(at)), 27) * kPrime1 + kPrime4;
  if (left >= 4) {
    hash = std::rotl(hash ^ (word32(at) * kPrime1), 23) * kPrime2 + kPrime3;
    at += 4, left -= 4;
  }
  for (; left > 0; ++at, --left) hash = std::rotl(hash ^ (*at * kPrime5), 11) * kPrime1;
  hash = (hash ^ (hash >> 33)) * kPrime2;
  hash = (hash ^ (hash >> 29)) * kPrime3;
  return hash ^ (hash >> 32);
}

}  // namespace mortem::snapshot
