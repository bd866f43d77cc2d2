// Any bytes as the debug information of a file: a look-up of any address ends, and so does an index.
#include <cstdlib>

#include "inspector/symbols/index/dwarf_lookup.h"
#include "inspector/symbols/symbol_table.h"

using namespace mortem;
using namespace mortem::inspector;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto image = ElfImage::from_bytes("input", {data, data + size});
  if (!image) return 0;
  index::DwarfFile dwarf(*image);
  index::DwarfLookup lookup(dwarf);
  const SymbolTable symbols(*image);
  std::vector<index::LookedUpFrame> frames;
  auto ask = [&](uint64_t address) {
    lookup.locate(address, true, frames);
    for (const auto& frame : frames)
      if (frame.file && (frame.file->relative > frame.file->path.size() || frame.file->name > frame.file->path.size()))
        abort();
    (void)symbols.covering(address);
  };
  size_t asked = 0;
  const index::UnitRanges ranges(dwarf);
  for (const auto& range : ranges.all()) {
    ask(range.low);
    ask(range.low + (range.high - range.low) / 2);
    ask(range.high - 1);
    if (++asked > 50) break;
  }
  ask(0);
  ask(~uint64_t{0});
  return 0;
}
