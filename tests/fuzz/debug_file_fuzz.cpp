// Any bytes as an ELF file with debug information, by the readers of our own: sections, symbols, functions, lines,
// calls. LLVM and libdwarf, which are no match for this, are contained in a process instead (tools/verbs/contained.h).
#include <cstdlib>

#include "inspector/symbols/companion_files.h"
#include "inspector/symbols/dwarf_call_sites.h"
#include "inspector/symbols/index/dwarf_lookup.h"
#include "inspector/symbols/index/split_parts.h"
#include "inspector/symbols/index/unit_names.h"
#include "inspector/symbols/merged_sections.h"
#include "inspector/symbols/symbol_table.h"

using namespace mortem;
using namespace mortem::inspector;

namespace {

// What a .dwo file or a package would hold stands in the same bytes.
class PartsInside final : public index::PartFinder {
 public:
  explicit PartsInside(std::shared_ptr<const ElfImage> image) : image_(std::move(image)) {}
  std::unique_ptr<index::DwarfFile> find(const index::DwarfFile& linked, const index::Unit& skeleton) override {
    return index::part_in(image_, linked, skeleton);
  }

 private:
  std::shared_ptr<const ElfImage> image_;
};

}  // namespace

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
  PartsInside parts(*image);
  dwarf.set_parts(&parts);
  (void)index::UnitNames(dwarf).units_with("main");
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
