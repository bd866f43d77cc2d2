// One debugging information entry, its attributes read when they are wanted: for questions that come seldom. What is
// asked of every address reads entries on its own (function_map.h).
#pragma once

#include "inspector/symbols/index/dwarf_file.h"

namespace mortem::inspector::index {

// After an entry: on to what is below it, or to what follows that, or the end.
enum class NextEntry { Below, Behind, None };

class DwarfEntry {
 public:
  // The entry at `offset` of .debug_info; nothing: none is there.
  static std::optional<DwarfEntry> at(DwarfFile& dwarf, uint64_t offset);

  DwarfFile& file() const { return *file_; }
  size_t unit_index() const { return unit_; }
  const Unit& unit() const { return file_->units()[unit_]; }
  uint64_t offset() const { return offset_; }
  uint16_t tag() const { return shape_->tag; }
  Abbreviation::Role role() const { return shape_->role; }

  Value find(uint16_t attribute) const;  // of kind None: the entry has none
  std::string_view text(uint16_t attribute) const { return file_->text(unit(), find(attribute)); }
  // A block or an expression.
  std::optional<Bytes> block(uint16_t attribute) const;
  // The number of a DW_FORM_loclistx.
  std::optional<uint64_t> list_index(uint16_t attribute) const;
  // The entry that the attribute refers to, in this file or the alternate one.
  std::optional<DwarfEntry> reference(uint16_t attribute) const;

  // Those below it in the order of the file. `visit(entry, depth)` gives a NextEntry; depth: of a child 1, of its
  // children 2.
  template <typename Visit>
  void for_each_below(Visit visit) const {
    if (!shape_->has_children) return;
    ByteCursor cursor = attributes();
    unit().abbreviations->step_over(*shape_, cursor);
    uint64_t depth = 1, left_out = 0;  // left_out: the depth from which on nothing is wanted; 0: all is
    while (depth > 0 && !cursor.at_end()) {
      DwarfEntry entry = *this;
      entry.offset_ = cursor.offset();
      const uint64_t code = cursor.uleb();
      if (code == 0) {
        if (--depth < left_out) left_out = 0;
        continue;
      }
      entry.shape_ = unit().abbreviations->find(code);
      if (!entry.shape_) return;
      const bool wanted = left_out == 0;
      const NextEntry next = wanted ? visit(static_cast<const DwarfEntry&>(entry), depth) : NextEntry::Behind;
      if (next == NextEntry::None) return;
      const uint64_t sibling = unit().abbreviations->step_over(*entry.shape_, cursor);
      if (!entry.shape_->has_children) continue;
      if (next == NextEntry::Behind && sibling > cursor.offset() - unit().offset) {
        cursor.seek(unit().offset + sibling);
        continue;
      }
      ++depth;
      if (wanted && next == NextEntry::Behind) left_out = depth;
    }
  }

 private:
  DwarfEntry() = default;
  ByteCursor attributes() const {
    ByteCursor cursor(file_->sections().information, offset_, unit().end);
    cursor.skip_leb();
    return cursor;
  }
  // The form of an attribute, the cursor before its value; 0: the entry has none.
  uint16_t form_of(uint16_t attribute, ByteCursor& cursor) const;

  DwarfFile* file_ = nullptr;
  size_t unit_ = 0;
  uint64_t offset_ = 0;
  const Abbreviation* shape_ = nullptr;
};

// The size of a type in bytes, as llvm::DWARFDie::getTypeSize; nothing: it cannot be told.
std::optional<uint64_t> size_of_type(const DwarfEntry& type);

}  // namespace mortem::inspector::index
