// Any bytes as a core, compressed or not: an error or a core that can be asked for everything.
#include <cstdlib>

#include "dump_builder.h"
#include "snapshot/core_file.h"
#include "snapshot/dump_info.h"

using namespace mortem;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto source = snapshot::open_bytes(test::memory_source({data, data + size}));
  if (!source) return 0;
  auto core = snapshot::CoreFile::from(std::move(*source));
  if (!core) {
    if (core.error().message.empty() || core.error().message.find('\n') != std::string::npos) abort();
    return 0;
  }
  (void)snapshot::gather_dump_info(**core);
  test::Bytes bytes(9000);
  auto ask = [&](uint64_t address) {
    auto got = (*core)->read_memory(address, bytes);
    if (got && *got > bytes.size()) abort();
  };
  size_t asked = 0;
  for (const auto& segment : (*core)->segments()) {
    ask(segment.address);
    ask(segment.address + segment.memory_size - 1);
    if (++asked > 100) break;
  }
  for (const auto& entry : (*core)->page_map()) {
    ask(entry.virtual_start);
    ask(entry.virtual_start + entry.length - 1);
    if (++asked > 200) break;
  }
  ask(0);
  ask(~uint64_t{0});
  return 0;
}
