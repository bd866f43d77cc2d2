// Any bytes as a zstd file: an error or a source whose every byte can be asked for.
#include <algorithm>
#include <cstdlib>

#include "dump_builder.h"
#include "snapshot/zstd_frames.h"

using namespace mortem;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto source = snapshot::open_seekable_zstd(test::memory_source({data, data + size}));
  if (!source) {
    if (source.error().message.empty() || source.error().message.find('\n') != std::string::npos) abort();
    return 0;
  }
  const uint64_t total = (*source)->size();
  test::Bytes bytes(std::min<uint64_t>(total, 300'000));
  (void)(*source)->read(0, bytes);
  (void)(*source)->read(total - bytes.size(), bytes);
  test::Bytes past(1);
  if ((*source)->read(total, past)) abort();  // nothing is behind the end
  return 0;
}
