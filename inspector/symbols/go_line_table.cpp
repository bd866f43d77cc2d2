#include "inspector/symbols/go_line_table.h"

#include <algorithm>
#include <cstring>

#include "inspector/symbols/go_release.h"

namespace mortem::inspector {
namespace {

constexpr uint32_t kMagic118 = 0xFFFFFFF0, kMagic120 = 0xFFFFFFF1;
constexpr size_t kLongestName = 4096;
constexpr unsigned kDeepestInlining = 64;
constexpr uint64_t kMostFunctions = 16 << 20;
// Fields of _func, as numbers of 32-bit words.
constexpr unsigned kNameField = 1, kStackField = 4, kFileField = 5, kLineField = 6, kTablesField = 7, kUnitField = 8;
// Indexes of the tables and data behind _func (runtime/funcdata.h).
constexpr unsigned kInlineTable = 2, kInlineData = 3;
constexpr uint8_t kTopFrame = 1;  // abi.FuncFlagTopFrame

template <typename T>
std::optional<T> load(std::span<const uint8_t> bytes, uint64_t offset) {
  if (offset > bytes.size() || bytes.size() - offset < sizeof(T)) return std::nullopt;
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

// encoding/binary.Uvarint of 32 bits.
std::optional<uint32_t> variable_number(std::span<const uint8_t> bytes, uint64_t& offset) {
  uint32_t value = 0;
  for (unsigned shift = 0; shift < 35 && offset < bytes.size(); shift += 7) {
    const uint8_t one = bytes[offset++];
    value |= static_cast<uint32_t>(one & 0x7F) << shift;
    if ((one & 0x80) == 0) return value;
  }
  return std::nullopt;
}

}  // namespace

template <typename T>
std::optional<T> GoLineTable::number(uint64_t offset) const {
  return load<T>(bytes_, offset);
}

std::unique_ptr<GoLineTable> GoLineTable::create(const ElfImage& image) {
  const ElfSection* section = image.section(".gopclntab");
  if (!section) section = image.section(".data.rel.ro.gopclntab");
  if (!section) return nullptr;
  const auto bytes = image.content(*section);
  if (!bytes) return nullptr;
  std::unique_ptr<GoLineTable> table(new GoLineTable(*bytes));
  if (!table->read_header()) return nullptr;
  table->find_inline_trees(image, section->address);
  return table;
}

bool GoLineTable::read_header() {
  const auto magic = number<uint32_t>(0);
  if (!magic || (*magic != kMagic118 && *magic != kMagic120)) return false;
  new_layout_ = *magic == kMagic120;
  if (number<uint16_t>(4) != 0 || number<uint8_t>(7) != 8) return false;  // padding; the size of a pointer
  quantum_ = std::max<unsigned>(number<uint8_t>(6).value_or(1), 1);
  uint64_t* const fields[] = {&count_, nullptr, &text_start_, &names_, &units_, &files_, &values_, &functions_};
  for (size_t index = 0; index < std::size(fields); ++index) {
    const auto value = number<uint64_t>(8 + 8 * index);
    if (!value) return false;
    if (fields[index]) *fields[index] = *value;
  }
  return count_ > 0 && count_ < kMostFunctions && functions_ < bytes_.size() &&
         (bytes_.size() - functions_) / 8 >= count_;
}

// runtime.firstmoduledata starts with the table's address, and tells where the trees of inlined calls are: without
// symbols it is found in the data by that.
void GoLineTable::find_inline_trees(const ElfImage& image, uint64_t table_address) {
  constexpr uint64_t kNamesField = 8, kTextField = 176, kTrees118 = 304, kTrees120 = 320, kTrees127 = 344;
  constexpr size_t kMostTrees = 64 << 20;
  constexpr int kMovedAgain = 27;
  const bool is_127 = go_release(go_version(image)).value_or(kMovedAgain) >= kMovedAgain;
  const uint64_t trees_field = !new_layout_ ? kTrees118 : is_127 ? kTrees127 : kTrees120;
  for (const char* name : {".go.module", ".noptrdata", ".data"}) {
    const ElfSection* section = image.section(name);
    const std::optional<std::span<const uint8_t>> data = section ? image.content(*section) : std::nullopt;
    if (!data) continue;
    for (uint64_t at = 0; at + trees_field + 8 <= data->size(); at += 8) {
      if (load<uint64_t>(*data, at) != table_address ||
          load<uint64_t>(*data, at + kNamesField) != table_address + names_)
        continue;
      const auto start = load<uint64_t>(*data, at + kTextField);
      const auto trees = load<uint64_t>(*data, at + trees_field);
      if (!start || (text_start_ != 0 && *start != text_start_) || !trees) continue;
      for (const ElfSegment& segment : image.segments()) {
        if (*trees < segment.address || *trees - segment.address >= segment.file_size) continue;
        tree_bytes_.resize(std::min<uint64_t>(segment.file_size - (*trees - segment.address), kMostTrees));
        tree_bytes_.resize(image.read_segment(*trees, tree_bytes_));
        break;
      }
      if (text_start_ == 0) text_start_ = *start;  // Go 1.26 leaves it out of the table
      return;
    }
  }
}

std::string GoLineTable::text(uint64_t offset) const {
  if (offset >= bytes_.size()) return {};
  const auto start = bytes_.begin() + static_cast<ptrdiff_t>(offset);
  const auto limit = bytes_.size() - offset > kLongestName ? start + kLongestName : bytes_.end();
  return std::string(start, std::find(start, limit, 0));
}

std::optional<GoLineTable::Function> GoLineTable::find(uint64_t address) const {
  if (address < text_start_ || address - text_start_ > 0xFFFFFFFF) return std::nullopt;
  const auto wanted = static_cast<uint32_t>(address - text_start_);
  uint64_t low = 0, high = count_;  // entry[low] <= wanted < entry[high]; the last is the end of all
  auto entry = [&](uint64_t index) { return number<uint32_t>(functions_ + 8 * index); };
  if (entry(0).value_or(~0u) > wanted || entry(count_).value_or(0) <= wanted) return std::nullopt;
  while (high - low > 1) {
    const uint64_t middle = low + (high - low) / 2;
    (entry(middle).value_or(0) <= wanted ? low : high) = middle;
  }
  const auto record = number<uint32_t>(functions_ + 8 * low + 4);
  if (!record) return std::nullopt;
  return Function{text_start_ + *entry(low), text_start_ + *entry(high), functions_ + *record};
}

std::optional<uint32_t> GoLineTable::field(const Function& function, unsigned index) const {
  return number<uint32_t>(function.record + 4 * uint64_t{index});
}

std::optional<int32_t> GoLineTable::value_at(const Function& function, uint64_t table, uint64_t address) const {
  if (table == 0) return std::nullopt;
  uint64_t at = values_ + table, pc = function.entry;
  int32_t value = -1;
  for (bool first = true;; first = false) {
    const auto coded = variable_number(bytes_, at);
    if (!coded || (*coded == 0 && !first)) return std::nullopt;
    const auto distance = variable_number(bytes_, at);
    if (!distance) return std::nullopt;
    const uint32_t change = (*coded & 1) != 0 ? ~(*coded >> 1) : *coded >> 1;
    value = static_cast<int32_t>(static_cast<uint32_t>(value) + change);
    pc += uint64_t{*distance} * quantum_;
    if (address < pc) return value;
    if (pc > function.end) return std::nullopt;
  }
}

std::string GoLineTable::file_at(const Function& function, uint64_t address) const {
  const auto table = field(function, kFileField), unit = field(function, kUnitField);
  const auto index = table ? value_at(function, *table, address) : std::nullopt;
  if (!index || *index < 0 || !unit) return {};
  const auto offset = number<uint32_t>(units_ + 4 * (uint64_t{*unit} + static_cast<uint32_t>(*index)));
  return offset && *offset != ~0u ? text(files_ + *offset) : std::string();
}

uint32_t GoLineTable::line_at(const Function& function, uint64_t address) const {
  const auto table = field(function, kLineField);
  const auto line = table ? value_at(function, *table, address) : std::nullopt;
  return line && *line > 0 ? static_cast<uint32_t>(*line) : 0;
}

std::optional<GoLineTable::InlinedCall> GoLineTable::inlined_at(const Function& function, uint64_t address) const {
  const auto tables = field(function, kTablesField);
  const auto data_count = number<uint8_t>(function.record + fixed_size() - 1);
  if (!tables || *tables <= kInlineTable || !data_count || *data_count <= kInlineData) return std::nullopt;
  const auto table = number<uint32_t>(function.record + fixed_size() + 4 * uint64_t{kInlineTable});
  const auto tree = number<uint32_t>(function.record + fixed_size() + 4 * (uint64_t{*tables} + kInlineData));
  const auto index = table ? value_at(function, *table, address) : std::nullopt;
  if (!index || *index < 0 || !tree || *tree == ~0u) return std::nullopt;
  // Until 1.19: parent, funcID, file, line, name, parentPc; then: funcID, name, parentPc, startLine.
  const uint64_t at = *tree + (new_layout_ ? 16 : 20) * uint64_t(*index);
  const auto name = load<uint32_t>(tree_bytes_, at + (new_layout_ ? 4 : 12));
  const auto parent = load<uint32_t>(tree_bytes_, at + (new_layout_ ? 8 : 16));
  if (!name || !parent) return std::nullopt;
  return InlinedCall{*name, *parent};
}

std::vector<GoLineTable::Place> GoLineTable::locate(uint64_t address) const {
  std::vector<Place> places;
  const auto function = find(address);
  const auto name = function ? field(*function, kNameField) : std::nullopt;
  if (!name) return places;
  for (unsigned depth = 0; depth < kDeepestInlining; ++depth) {
    const auto inlined = inlined_at(*function, address);
    places.push_back(
        {text(names_ + (inlined ? inlined->name : *name)), file_at(*function, address), line_at(*function, address)});
    if (!inlined) break;
    address = function->entry + inlined->parent_pc;
  }
  return places;
}

std::string GoLineTable::function_at(uint64_t address) const {
  const auto function = find(address);
  const auto name = function ? field(*function, kNameField) : std::nullopt;
  return name ? text(names_ + *name) : std::string();
}

std::optional<GoLineTable::StackRule> GoLineTable::stack_rule(uint64_t address) const {
  const auto function = find(address);
  const auto table = function ? field(*function, kStackField) : std::nullopt;
  const auto delta = table ? value_at(*function, *table, address) : std::nullopt;
  const auto flags = function ? number<uint8_t>(function->record + fixed_size() - 3) : std::nullopt;
  if (!delta || *delta < 0) return std::nullopt;
  // The runtime walks no further than a signal's handler; what was interrupted is beyond all the same.
  const bool handler = function_at(address) == "runtime.sigtramp";
  return StackRule{*delta, (flags.value_or(0) & kTopFrame) != 0 && !handler};
}

}  // namespace mortem::inspector
