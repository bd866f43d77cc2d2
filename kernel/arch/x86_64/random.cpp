// Where randomness comes from: the generator of library/chacha20.h, seeded from what the machine has (RDSEED, RDRAND,
// a virtio entropy device, the jitter of the time stamp counter, what was gathered at boot), and reseeded as it goes.
#include "kernel/arch/x86_64/random.h"

#include "kernel/arch/x86_64/boot_info.h"
#include "kernel/arch/x86_64/cpu.h"
#include "kernel/arch/x86_64/interrupt_guard.h"
#include "kernel/library/chacha20.h"

namespace kernel {

namespace {

constexpr uint64_t kReseedBytes = 1 << 20;

RandomGenerator g_generator;
bool g_seeded = false;
uint64_t g_given = 0;  // bytes since the last seed

bool hardware_random(uint64_t& value) {
  uint8_t good = 0;
  for (int tries = 0; tries < 16 && !good && g_cpu.rdseed; ++tries)
    asm volatile("rdseed %0; setc %1" : "=r"(value), "=qm"(good));
  for (int tries = 0; tries < 16 && !good && g_cpu.rdrand; ++tries)
    asm volatile("rdrand %0; setc %1" : "=r"(value), "=qm"(good));
  return good != 0;
}

struct Seed {
  uint64_t hardware[4], jitter[32];
};

void reseed() {
  Seed seed{};
  for (uint64_t& word : seed.hardware) (void)hardware_random(word);
  for (uint64_t& word : seed.jitter) word = read_tsc();
  g_generator.mix({reinterpret_cast<const uint8_t*>(&seed), sizeof seed});
  if (!g_seeded) g_generator.mix({reinterpret_cast<const uint8_t*>(g_boot_info.random), sizeof g_boot_info.random});
  g_seeded = true;
  g_given = 0;
}

}  // namespace

void random_mix(const void* from, uint64_t size) {
  InterruptGuard guard;
  g_generator.mix({static_cast<const uint8_t*>(from), size});
}

void random_bytes(void* to, uint64_t size) {
  InterruptGuard guard;
  if (!g_seeded || g_given >= kReseedBytes) reseed();
  // Each request brings a moment of its own.
  const uint64_t now = read_tsc();
  g_generator.mix({reinterpret_cast<const uint8_t*>(&now), sizeof now});
  g_generator.generate({static_cast<uint8_t*>(to), size});
  g_given += size;
}

uint64_t random64() {
  uint64_t value;
  random_bytes(&value, sizeof value);
  return value;
}

}  // namespace kernel
