// One file's DWARF, versions 2 to 5: its units and the values of attributes. Written for speed and for bytes that
// nobody vouches for: nothing is read before it is asked for, and every number is checked where it is used.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "inspector/elf/byte_cursor.h"
#include "inspector/symbols/index/dwarf_abbreviations.h"
#include "inspector/symbols/index/dwarf_sections.h"

namespace mortem::inspector::index {

struct AddressRange {
  uint64_t low = 0, high = 0;
  bool operator==(const AddressRange&) const = default;
};

// What an attribute holds. Texts and addresses are looked up when they are wanted.
struct Value {
  enum class Kind : uint8_t {
    None,
    Constant,
    Signed,  // DW_FORM_sdata
    Flag,
    Address,
    AddressIndex,
    Reference,  // to an entry: its offset in .debug_info
    AltReference,
    SectionOffset,
    RangeIndex,
    InlineText,  // the offset in .debug_info; others: in their section
    Text,
    LineText,
    TextIndex,
    AltText,
    Other,
  };
  Kind kind = Kind::None;
  uint64_t number = 0;
  explicit operator bool() const { return kind != Kind::None; }
  // As llvm::DWARFFormValue::getAsUnsignedConstant: negative ones count as none.
  uint64_t constant_or(uint64_t other) const { return kind == Kind::Constant || kind == Kind::Flag ? number : other; }
};

struct Unit {
  uint64_t offset = 0, end = 0, entries = 0;  // in .debug_info; `entries`: of the unit's own entry
  uint64_t abbreviations_offset = 0;
  Encoding encoding;
  bool is_type_unit = false;

  bool prepared = false;
  const AbbreviationTable* abbreviations = nullptr;  // null after it was prepared: nothing can be read
  std::string_view folder;                           // DW_AT_comp_dir
  std::optional<uint64_t> line_table;                // in .debug_line
  std::optional<uint64_t> base_address;
  uint64_t text_offsets_base = 0, addresses_base = 0, range_lists_base = 0;
  Value low, high, ranges;
  bool is_c = false;  // the language: no code stands below a type
  // The rest stands in a .dwo file of that name and id.
  bool is_split = false;
  std::string_view part_name;
  uint64_t part_id = 0;      // of that file's unit too
  uint64_t ranges_base = 0;  // DW_AT_GNU_ranges_base: what the .dwo file's offsets into .debug_ranges count from
};

// The attributes that say where an entry's code is.
struct CodeAttributes {
  Value low, high, ranges;
};

class DwarfFile;

// Finds what stands in .dwo files.
class PartFinder {
 public:
  virtual ~PartFinder() = default;
  // Null: it is not there, or of another build.
  virtual std::unique_ptr<DwarfFile> find(const DwarfFile& linked, const Unit& skeleton) = 0;
};

class DwarfFile {
 public:
  // `alternate`: the file of .gnu_debugaltlink, or null; must outlive this.
  explicit DwarfFile(std::shared_ptr<const ElfImage> image, DwarfFile* alternate = nullptr);
  // The part of `skeleton` in a .dwo file with these sections: its addresses, and DWARF 4's ranges, stand in `linked`.
  DwarfFile(std::shared_ptr<const ElfImage> image, const DwarfSections& sections, const DwarfFile& linked,
            const Unit& skeleton);

  const DwarfSections& sections() const { return sections_; }
  // A section that only some questions need, without `.debug_`; empty: there is none.
  Bytes more(std::string_view name) const { return owner_.load(name); }
  bool is_part() const { return skeleton_.has_value(); }  // a .dwo file, or a part of a package
  DwarfFile* alternate() const { return alternate_; }
  const std::vector<Unit>& units() const { return units_; }
  // Reads the unit's own entry, at the first call.
  const Unit& prepare(size_t index);
  void prepare_all();                              // then prepare() changes nothing: threads may share the file
  std::optional<size_t> unit_of(uint64_t offset);  // that holds the entry at `offset` of .debug_info
  std::optional<size_t> unit_at(uint64_t offset);  // that starts there
  bool has_split_units();                          // prepares all
  std::optional<size_t> split_unit();              // of a .dwo file: the unit of its skeleton; prepares all

  // Where .dwo files are found from now on; it must outlive this.
  void set_parts(PartFinder* finder) { part_finder_ = finder; }
  // Where the entries of a unit stand: here, or in its .dwo file. Here, too, where that is not there.
  struct Body {
    DwarfFile* file = nullptr;
    size_t unit = 0;
  };
  Body body(size_t index);
  void open_all_parts();  // then body() changes nothing: threads may share the file

  Value read_value(ByteCursor& cursor, const Unit& unit, const AttributeShape& shape) const;
  std::string_view text(const Unit& unit, const Value& value) const;  // data() is null: none
  std::optional<uint64_t> address(const Unit& unit, const Value& value) const;
  // Appends; as llvm::DWARFDie::getAddressRanges, also where a range ends before it starts.
  void ranges(const Unit& unit, const CodeAttributes& code, std::vector<AddressRange>& to) const;

 private:
  void find_units();
  void prepare_now(Unit& unit);
  std::optional<uint64_t> indexed_address(const Unit& unit, uint64_t index) const;
  void plain_ranges(const Unit& unit, uint64_t offset, std::vector<AddressRange>& to) const;
  void listed_ranges(const Unit& unit, uint64_t offset, std::vector<AddressRange>& to) const;

  struct Part {
    std::unique_ptr<DwarfFile> file;  // null: not there
    size_t unit = 0;
  };

  DwarfSectionsOwner owner_;
  const DwarfSections& sections_;
  DwarfFile* alternate_;
  std::optional<Unit> skeleton_;  // of a .dwo file
  PartFinder* part_finder_ = nullptr;
  std::map<size_t, Part> parts_;  // by unit
  std::vector<Unit> units_;
  std::map<std::pair<uint64_t, uint32_t>, std::unique_ptr<AbbreviationTable>> tables_;
};

}  // namespace mortem::inspector::index
