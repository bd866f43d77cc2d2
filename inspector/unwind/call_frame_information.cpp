#include "inspector/unwind/call_frame_information.h"

#include <elf.h>
#include <libdwarf/libdwarf.h>

#include <algorithm>
#include <cstring>
#include <unordered_map>

#include "inspector/symbols/suspect.h"
#include "inspector/unwind/frame_entries.h"

namespace mortem::inspector {
namespace {

using Kind = UnwindRule::Kind;

// libdwarf's object access: an "ELF file" of a null section and the one with frame information.
int get_section_information(void* object, Dwarf_Half index, Dwarf_Obj_Access_Section* to, int*) {
  const auto& section = *static_cast<const FrameSection*>(object);
  if (index > 1) return DW_DLV_NO_ENTRY;
  *to = {};
  to->name = index == 0 ? "" : section.name.c_str();
  if (index == 0) return DW_DLV_OK;
  to->addr = section.address;
  to->type = SHT_PROGBITS;
  to->size = section.bytes.size();
  return DW_DLV_OK;
}
Dwarf_Endianness get_byte_order(void*) {
  return DW_OBJECT_LSB;
}
Dwarf_Small get_length_size(void*) {
  return 8;
}
Dwarf_Small get_pointer_size(void*) {
  return 8;
}
Dwarf_Unsigned get_section_count(void*) {
  return 2;
}
int load_section(void* object, Dwarf_Half index, Dwarf_Small** data, int*) {
  if (index != 1) return DW_DLV_NO_ENTRY;
  // It does not write there.
  *data = const_cast<Dwarf_Small*>(static_cast<FrameSection*>(object)->bytes.data());
  return DW_DLV_OK;
}
constexpr Dwarf_Obj_Access_Methods kMethods = {
    get_section_information, get_byte_order, get_length_size, get_pointer_size,
    get_section_count,       load_section,   nullptr};

UnwindRule to_rule(const Dwarf_Regtable_Entry3& entry) {
  UnwindRule rule;
  rule.number = entry.dw_regnum;
  rule.offset = static_cast<int64_t>(entry.dw_offset_or_block_len);
  switch (entry.dw_value_type) {
    case DW_EXPR_EXPRESSION:
    case DW_EXPR_VAL_EXPRESSION:
      rule.kind = entry.dw_value_type == DW_EXPR_EXPRESSION ? Kind::AtExpression : Kind::IsExpression;
      rule.expression = {static_cast<const uint8_t*>(entry.dw_block_ptr), entry.dw_offset_or_block_len};
      return rule;
    case DW_EXPR_VAL_OFFSET:
      rule.kind = Kind::IsOffset;
      return rule;
    default:
      break;
  }
  if (entry.dw_offset_relevant != 0)
    rule.kind = Kind::AtOffset;
  else if (entry.dw_regnum == DW_FRAME_SAME_VAL)
    rule.kind = Kind::SameValue;
  else if (entry.dw_regnum == DW_FRAME_UNDEFINED_VAL)
    rule.kind = Kind::Undefined;
  else
    rule.kind = Kind::InRegister;
  return rule;
}

class LibdwarfFrames final : public CallFrameInformation {
 public:
  explicit LibdwarfFrames(FrameSection section) : section_(std::move(section)) {}
  ~LibdwarfFrames() override {
    if (debug_ == nullptr) return;
    if (frames_ != nullptr) dwarf_fde_cie_list_dealloc(debug_, cies_, cie_count_, frames_, frame_count_);
    Dwarf_Error error = nullptr;
    dwarf_object_finish(debug_, &error);
  }

  bool load() {
    Dwarf_Error error = nullptr;
    interface_ = {&section_, &kMethods};
    if (!good(dwarf_object_init_b(&interface_, nullptr, nullptr, DW_GROUPNUMBER_ANY, &debug_, &error), error)) {
      debug_ = nullptr;
      return false;
    }
    // A register without a rule keeps its value; which of these a call destroys is the ABI's matter (apply_row).
    dwarf_set_frame_rule_initial_value(debug_, DW_FRAME_SAME_VAL);
    dwarf_set_frame_rule_table_size(debug_, kTableSize);
    const auto get_list = section_.name == ".eh_frame" ? dwarf_get_fde_list_eh : dwarf_get_fde_list;
    return good(get_list(debug_, &cies_, &cie_count_, &frames_, &frame_count_, &error), error);
  }

  const UnwindRow* find(uint64_t address) override {
    auto [place, is_new] = rows_.try_emplace(address);
    if (is_new) {
      now_reading(Reader::CallFrames, section_.file);
      place->second = look_up(address);
    }
    return place->second ? &*place->second : nullptr;
  }

  void visit_rows(const Visit& visit) override {
    now_reading(Reader::CallFrames, section_.file);
    std::vector<uint64_t> ends;  // of entries: between two of them one entry answers, or none
    for (Dwarf_Signed index = 0; index < frame_count_; ++index) {
      Dwarf_Error error = nullptr;
      Dwarf_Addr low = 0;
      Dwarf_Unsigned length = 0;
      if (!good(dwarf_get_fde_range(frames_[index], &low, &length, nullptr, nullptr, nullptr, nullptr, nullptr, &error),
                error))
        continue;
      ends.push_back(low);
      ends.push_back(low + length);
    }
    std::sort(ends.begin(), ends.end());
    ends.erase(std::unique(ends.begin(), ends.end()), ends.end());
    std::vector<std::pair<uint64_t, std::optional<UnwindRow>>> rows;
    for (size_t index = 0; index + 1 < ends.size(); ++index) {
      const uint64_t low = ends[index], high = ends[index + 1];
      Dwarf_Fde entry = entry_at(low);
      if (!entry) continue;
      // libdwarf tells where a row begins, not where it ends: from the last one back.
      rows.clear();
      for (uint64_t at = high; at > low;) {
        uint64_t start = 0;
        auto row = read_row(entry, at - 1, &start);
        at = std::clamp(start, low, at - 1);
        rows.emplace_back(at, std::move(row));
      }
      for (size_t number = rows.size(); number-- > 0;)
        if (rows[number].second)
          visit(rows[number].first, number == 0 ? high : rows[number - 1].first, *rows[number].second);
    }
  }

 private:
  static constexpr Dwarf_Half kTableSize = 192;  // beyond the psABI's last number (125)

  bool good(int status, Dwarf_Error error) {
    if (status == DW_DLV_ERROR && error != nullptr) dwarf_dealloc_error(debug_, error);
    return status == DW_DLV_OK;
  }

  Dwarf_Fde entry_at(uint64_t address) {  // null: none
    Dwarf_Error error = nullptr;
    Dwarf_Fde frame = nullptr;
    Dwarf_Addr low = 0, high = 0;
    return good(dwarf_get_fde_at_pc(frames_, address, &frame, &low, &high, &error), error) ? frame : nullptr;
  }

  std::optional<UnwindRow> look_up(uint64_t address) {
    Dwarf_Fde entry = entry_at(address);
    uint64_t row_start = 0;
    return entry ? read_row(entry, address, &row_start) : std::nullopt;
  }

  std::optional<UnwindRow> read_row(Dwarf_Fde frame, uint64_t address, uint64_t* row_start) {
    *row_start = address;
    Dwarf_Error error = nullptr;
    Dwarf_Cie common = nullptr;
    if (!good(dwarf_get_cie_of_fde(frame, &common, &error), error)) return std::nullopt;
    Dwarf_Unsigned length = 0, code_factor = 0, instructions_length = 0;
    Dwarf_Small version = 0;
    char* augmentation = nullptr;
    Dwarf_Signed data_factor = 0;
    Dwarf_Half return_register = 0, offset_size = 0;
    Dwarf_Ptr instructions = nullptr;
    if (!good(dwarf_get_cie_info_b(common, &length, &version, &augmentation, &code_factor, &data_factor,
                                   &return_register, &instructions, &instructions_length, &offset_size, &error),
              error))
      return std::nullopt;
    std::array<Dwarf_Regtable_Entry3, kTableSize> entries{};
    Dwarf_Regtable3 table{};
    table.rt3_reg_table_size = kTableSize;
    table.rt3_rules = entries.data();
    Dwarf_Addr row_address = 0;
    if (!good(dwarf_get_fde_info_for_all_regs3(frame, address, &table, &row_address, &error), error))
      return std::nullopt;
    *row_start = row_address;

    UnwindRow row;
    row.cfa = to_rule(table.rt3_cfa_rule);
    if (row.cfa.kind == Kind::AtOffset) row.cfa.kind = Kind::InRegister;  // base and offset: nothing is read
    if (row.cfa.kind == Kind::AtExpression) row.cfa.kind = Kind::IsExpression;
    if (row.cfa.kind != Kind::InRegister && row.cfa.kind != Kind::IsExpression) return std::nullopt;
    for (unsigned number = 0; number < FrameRegisters::kCount; ++number)
      row.registers[number] = to_rule(entries[number]);
    if (return_register >= FrameRegisters::kCount) return std::nullopt;
    row.return_address = return_register;
    row.signal_frame = augmentation != nullptr && std::strchr(augmentation, 'S') != nullptr;
    return row;
  }

  FrameSection section_;
  Dwarf_Obj_Access_Interface interface_{};
  Dwarf_Debug debug_ = nullptr;
  Dwarf_Cie* cies_ = nullptr;
  Dwarf_Fde* frames_ = nullptr;
  Dwarf_Signed cie_count_ = 0, frame_count_ = 0;
  std::unordered_map<uint64_t, std::optional<UnwindRow>> rows_;
};

// Of all entries of a section the few that are asked for are read by libdwarf, which would make a list of all of them
// first, with some allocations and formatted text for each.
class ChosenFrames final : public CallFrameInformation {
 public:
  ChosenFrames(FrameSection section, std::vector<FrameEntry> entries)
      : section_(std::move(section)), entries_(std::move(entries)) {}

  const UnwindRow* find(uint64_t address) override {
    const auto after = std::upper_bound(entries_.begin(), entries_.end(), address,
                                        [](uint64_t value, const FrameEntry& one) { return value < one.low; });
    if (after == entries_.begin() || address >= std::prev(after)->high) return nullptr;
    auto [place, is_new] = read_.try_emplace(std::prev(after)->low);
    if (is_new) place->second = read(slice(section_, *std::prev(after)));
    return place->second ? place->second->find(address) : nullptr;
  }

  void visit_rows(const Visit& visit) override {
    if (const auto all = read(section_)) all->visit_rows(visit);
  }

  static std::unique_ptr<CallFrameInformation> read(FrameSection section) {
    now_reading(Reader::CallFrames, section.file);
    auto frames = std::make_unique<LibdwarfFrames>(std::move(section));
    if (!frames->load()) return nullptr;
    return frames;
  }

 private:
  const FrameSection section_;
  const std::vector<FrameEntry> entries_;
  std::unordered_map<uint64_t, std::unique_ptr<CallFrameInformation>> read_;  // by their first address
};

}  // namespace

std::optional<FrameSection> FrameSection::of(std::shared_ptr<const ElfImage> image, const char* name) {
  const ElfSection* section = image->section(name);
  if (!section || section->size == 0) return std::nullopt;
  const auto bytes = image->content(*section);
  if (!bytes) return std::nullopt;
  const std::string& file = image->name();
  return FrameSection{name, section->address, *bytes, file, std::move(image)};
}

FrameSection FrameSection::from(std::string name, uint64_t address, std::vector<uint8_t> bytes, std::string file) {
  auto owner = std::make_shared<const std::vector<uint8_t>>(std::move(bytes));
  return {std::move(name), address, *owner, std::move(file), owner};
}

std::unique_ptr<CallFrameInformation> CallFrameInformation::create(FrameSection section) {
  if (distrusted(Reader::CallFrames, section.file)) return nullptr;
  if (auto entries = frame_entries(section); entries && !entries->empty())
    return std::make_unique<ChosenFrames>(std::move(section), std::move(*entries));
  return ChosenFrames::read(std::move(section));
}

}  // namespace mortem::inspector
