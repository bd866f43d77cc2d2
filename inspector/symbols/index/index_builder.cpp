#include "inspector/symbols/index/index_builder.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <deque>
#include <thread>

#include "inspector/symbols/index/frame_table.h"
#include "inspector/symbols/index/index_part.h"
#include "inspector/symbols/index/index_writer.h"
#include "inspector/symbols/index/sorted_addresses.h"
#include "inspector/symbols/index/split_parts.h"
#include "inspector/symbols/suspect.h"
#include "inspector/symbols/symbol_table.h"

namespace mortem::inspector::index {
namespace {

constexpr size_t kThreads = 2;

struct UnitWork {
  size_t unit = 0;
  std::vector<UnitRanges::Range> ranges;
};

std::vector<UnitWork> find_work(DwarfFile& dwarf) {
  const UnitRanges ranges(dwarf);
  std::unordered_map<size_t, UnitWork> by_unit;
  for (const UnitRanges::Range& one : ranges.all())
    if (const auto unit = dwarf.unit_at(one.unit)) by_unit[*unit].ranges.push_back(one);
  std::vector<UnitWork> work;
  for (auto& [unit, one] : by_unit) {
    one.unit = unit;
    work.push_back(std::move(one));
  }
  std::sort(work.begin(), work.end(), [](const UnitWork& a, const UnitWork& b) { return a.unit < b.unit; });
  return work;
}

// The parts' places, in the order of their addresses, with the numbers of the joined tables.
class Joiner {
 public:
  explicit Joiner(IndexWriter& writer) : writer_(writer) {}

  void add(IndexPart& part) {
    std::vector<uint32_t> files, functions;
    for (const SourceFile& one : part.files) files.push_back(file(one));
    const auto moved = [](const std::vector<uint32_t>& numbers, uint32_t number) {
      return number == kNothing ? kNothing : numbers[number];
    };
    for (const IndexPart::Function& one : part.functions) {
      functions_.push_back({one.linkage_name.data() ? writer_.text(one.linkage_name) : kNothing,
                            one.name.data() ? writer_.text(one.name) : kNothing, moved(files, one.declared_in),
                            one.declared_at});
      functions.push_back(static_cast<uint32_t>(functions_.size() - 1));
    }
    const auto first_position = static_cast<uint32_t>(positions_.size());
    const auto first_node = static_cast<uint32_t>(nodes_.size());
    for (IndexPosition one : part.positions) {
      one.file = moved(files, one.file);
      positions_.push_back(one);
    }
    const auto shifted = [](uint32_t number, uint32_t by) { return number == kNothing ? kNothing : number + by; };
    for (IndexNode one : part.nodes) {
      one.function = moved(functions, one.function);
      one.parent = shifted(one.parent, first_node);
      one.call = shifted(one.call, first_position);
      nodes_.push_back(one);
    }
    for (IndexPart::Place one : part.places) {
      one.node = shifted(one.node, first_node);
      one.position = shifted(one.position, first_position);
      places_.push_back(one);
    }
  }

  void write() {
    // Of an end and a start at one address the start counts: ends are those with nothing.
    std::stable_sort(places_.begin(), places_.end(), [](const IndexPart::Place& a, const IndexPart::Place& b) {
      const bool a_ends = a.node == kNothing && a.position == kNothing;
      const bool b_ends = b.node == kNothing && b.position == kNothing;
      return a.start != b.start ? a.start < b.start : a_ends && !b_ends;
    });
    SortedAddresses starts;
    std::vector<uint32_t> nodes, positions;
    for (size_t index = 0; index < places_.size(); ++index) {
      const IndexPart::Place& one = places_[index];
      if (index + 1 < places_.size() && places_[index + 1].start == one.start) continue;
      starts.add(one.start);
      nodes.push_back(one.node);
      positions.push_back(one.position);
    }
    starts.write(writer_, IndexSection::PlaceRegions, IndexSection::PlaceStarts);
    writer_.section(IndexSection::PlaceNodes, nodes);
    writer_.section(IndexSection::PlacePositions, positions);
    writer_.section(IndexSection::Nodes, nodes_);
    writer_.section(IndexSection::Functions, functions_);
    writer_.section(IndexSection::Positions, positions_);
    writer_.section(IndexSection::Files, files_);
  }

 private:
  uint32_t file(const SourceFile& one) {
    const IndexFileName name{writer_.text(one.path), one.relative, one.name};
    files_.push_back(name);
    return static_cast<uint32_t>(files_.size() - 1);
  }

  IndexWriter& writer_;
  std::vector<IndexPart::Place> places_;
  std::vector<IndexNode> nodes_;
  std::vector<IndexFunction> functions_;
  std::vector<IndexPosition> positions_;
  std::vector<IndexFileName> files_;
};

std::vector<IndexSymbol> index_symbols(const SymbolTable& symbols, IndexWriter& writer) {
  std::vector<IndexSymbol> result;
  for (const Symbol* one : symbols.by_address())
    result.push_back(
        {one->address, one->size, writer.text(one->name), one->file.empty() ? kNothing : writer.text(one->file)});
  return result;
}

// In the order in which the unwinder asks them: .eh_frame, then .debug_frame, of the executable or else the debug file.
Result<void> add_frames(const IndexedFiles& files, FrameTable& table) {
  auto in_debug_section = FrameSection::of(files.executable, ".debug_frame");
  if (!in_debug_section) in_debug_section = FrameSection::of(files.debug, ".debug_frame");
  for (auto& section : {FrameSection::of(files.executable, ".eh_frame"), std::move(in_debug_section)}) {
    if (!section) continue;
    if (distrusted(Reader::CallFrames, section->file))
      return failure(ErrorKind::BadInput,
                     fmt::format("{}: its call frame information is broken, no index of it is made", section->file));
    if (const auto frames = CallFrameInformation::create(*section)) table.add(*frames);
  }
  return {};
}

}  // namespace

Result<void> build_index(const IndexedFiles& files, const PathRules& rules, const std::filesystem::path& to,
                         const snapshot::Progress& progress) {
  const auto& debug = files.debug;
  if (distrusted(Reader::Own, debug->name()))
    return failure(ErrorKind::BadInput,
                   fmt::format("{}: its debug information is broken, no index of it is made", debug->name()));
  FrameTable frames;
  TRY_VOID(add_frames(files, frames));
  now_reading(Reader::Own, debug->name());
  std::unique_ptr<DwarfFile> alternate;
  if (files.alternate) {
    alternate = std::make_unique<DwarfFile>(files.alternate);
    alternate->prepare_all();
  }
  DwarfFile dwarf(debug, alternate.get());
  SplitParts parts_of_units(files.paths, rules);
  if (dwarf.has_split_units()) {
    dwarf.set_parts(&parts_of_units);
    dwarf.open_all_parts();
    // An index without them would be taken for the whole truth also when they are there again.
    if (const auto& missing = parts_of_units.missing(); !missing.empty())
      return failure(ErrorKind::NotFound, missing_parts_text(debug->name(), missing, "no index of it is made"));
  }
  // As ModuleSymbols has them: for names of functions and for calls.
  const SymbolTable own_symbols(files.executable);
  const SymbolTable symbols =
      files.symbols_are_in_debug_file() ? SymbolTable(debug) : SymbolTable(files.executable, files.small_symbols);
  (void)symbols.functions_by_address();  // read: the threads share them
  const std::vector<UnitWork> work = find_work(dwarf);
  const uint64_t total = dwarf.sections().information.size();
  std::atomic<size_t> next{0};
  std::atomic<uint64_t> done{0};
  std::atomic<bool> cancelled{false};
  std::deque<IndexPart> parts;  // they do not move
  for (size_t thread = 0; thread < kThreads; ++thread) parts.emplace_back(dwarf, symbols);
  // Units are taken in turn, so that no thread is left with all the large ones.
  auto run = [&](IndexPart& part, bool reports) {
    for (size_t index = next++; index < work.size() && !cancelled; index = next++) {
      const Unit& unit = dwarf.units()[work[index].unit];
      part.add_unit(work[index].unit, work[index].ranges);
      done += unit.end - unit.offset;
      if (reports && progress && progress(done, total) == snapshot::ProgressAnswer::Cancel) cancelled = true;
    }
  };
  std::thread helper(run, std::ref(parts[1]), false);
  run(parts[0], true);
  helper.join();
  if (cancelled) return failure(ErrorKind::System, fmt::format("{}: the index was not made: interrupted", to.string()));

  IndexWriter writer;
  {
    Joiner joiner(writer);
    for (IndexPart& part : parts) joiner.add(part);
    joiner.write();
  }
  for (size_t thread = 1; thread < kThreads; ++thread) parts[0].calls.append(parts[thread].calls);
  parts[0].calls.write(writer);
  frames.write(writer);
  writer.section(IndexSection::Symbols, index_symbols(own_symbols, writer));
  if (files.symbols_are_in_debug_file() || files.small_symbols)
    writer.section(IndexSection::DebugSymbols, index_symbols(symbols, writer));
  return writer.write(to, files);
}

}  // namespace mortem::inspector::index
