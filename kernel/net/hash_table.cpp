#include "kernel/net/hash_table.h"

#include "kernel/arch/x86_64/cpu.h"
#include "kernel/arch/x86_64/interrupts.h"
#include "kernel/memory/physical.h"
#include "kernel/net/lwip/hooks.h"

namespace kernel::net {
namespace {

uint64_t g_secrets[4];

// Both halves of the product: each bit of the result depends on all of both factors.
uint64_t mix(uint64_t one, uint64_t other) {
  const auto product = static_cast<unsigned __int128>(one) * other;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

uint64_t mix_in(uint64_t state, const ip_addr_t& address) {
  if (!IP_IS_V6_VAL(address)) return mix(state ^ g_secrets[1], ip_2_ip4(&address)->addr ^ g_secrets[2]);
  const uint32_t* words = ip_2_ip6(&address)->addr;
  state = mix(state ^ g_secrets[1], (uint64_t{words[0]} << 32 | words[1]) ^ g_secrets[2]);
  return mix(state ^ g_secrets[2], (uint64_t{words[2]} << 32 | words[3]) ^ g_secrets[3]);
}

uint64_t hash64(const ip_addr_t& own, uint16_t own_port, const ip_addr_t& peer, uint16_t peer_port) {
  const uint64_t ports = uint64_t{own_port} << 16 | peer_port;
  return mix(mix_in(mix_in(ports ^ g_secrets[0], peer), own) ^ g_secrets[3], g_secrets[0]);
}

}  // namespace

void hash_initialize() {
  for (uint64_t& secret : g_secrets) secret = random64() | 1;
}

size_t table_size_by_memory(size_t at_most) {
  const size_t wanted = ram_page_count() * kPageSize / (64 << 10);
  return wanted < 64 ? 64 : wanted < at_most ? wanted : at_most;
}

uint32_t hash_of(const ip_addr_t& own, uint16_t own_port, const ip_addr_t& peer, uint16_t peer_port, uint64_t also) {
  const uint64_t hash = hash64(own, own_port, peer, peer_port);
  return static_cast<uint32_t>(also == 0 ? hash : mix(hash ^ g_secrets[2], also ^ g_secrets[3]));
}

bool addresses_overlap(const ip_addr_t& one, const ip_addr_t& other) {
  if (IP_IS_ANY_TYPE_VAL(one) || IP_IS_ANY_TYPE_VAL(other)) return true;
  if (IP_GET_TYPE(&one) != IP_GET_TYPE(&other)) return false;
  return ip_addr_isany_val(one) || ip_addr_isany_val(other) || ip_addr_cmp(&one, &other);
}

// The clock of 64 ns that Linux uses makes numbers of one connection grow; where they begin is the secret's.
extern "C" uint32_t lwip_port_initial_sequence(const ip_addr_t* own, uint16_t own_port, const ip_addr_t* peer,
                                               uint16_t peer_port) {
  const uint64_t hash = hash64(*own, own_port, *peer, peer_port);
  return static_cast<uint32_t>(mix(hash ^ g_secrets[1], g_secrets[2]) + (monotonic_ns() >> 6));
}

}  // namespace kernel::net
