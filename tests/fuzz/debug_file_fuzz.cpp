// Any bytes as an ELF file with debug information, by the readers of our own: sections, symbols, functions, lines,
// calls. LLVM and libdwarf, which are no match for this, are contained in a process instead (tools/verbs/contained.h).
#include <cstdlib>

#include "inspector/symbols/companion_files.h"
#include "inspector/symbols/dwarf_call_sites.h"
#include "inspector/symbols/index/dwarf_lookup.h"
#include "inspector/symbols/merged_sections.h"
#include "inspector/symbols/symbol_table.h"

using namespace mortem;
using namespace mortem::inspector;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto image = ElfImage::from_bytes("input", {data, data + size});
  if (!image) return 0;
  (*image)->build_id();
  (*image)->debug_link();
  (void)small_symbols(**image);
  (void)merge_alternate(*image, *image);
  SymbolTable symbols(*image);
  symbols.address_of("main");
  symbols.exported("main");
  index::DwarfFile dwarf(*image);
  index::UnitRanges ranges(dwarf);
  index::DwarfLookup lookup(dwarf);
  const auto calls = read_call_sites(dwarf, ranges, symbols);
  std::vector<index::LookedUpFrame> frames;
  size_t asked = 0;
  auto ask = [&](uint64_t address) {
    symbols.covering(address);
    lookup.locate(address, true, frames);
    calls->returning_to(address);
    calls->function_start(address);
    calls->tail_calls_of(address);
  };
  for (const auto& range : ranges.all()) {
    if (++asked > 20) break;
    for (uint64_t step = 0; step < 4; ++step) ask(range.low + step * 5);
  }
  ask(0);
  ask(~uint64_t{0});
  return 0;
}
