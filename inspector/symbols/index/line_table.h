// The line table of one unit (DWARF 5, section 6.2; versions 2 to 5), with the answers of llvm::DWARFDebugLine.
#pragma once

#include <string>
#include <vector>

#include "inspector/symbols/index/dwarf_file.h"

namespace mortem::inspector::index {

// A source file's name. `path` is whole; from `relative` on it leaves the compilation folder out, from `name` on it is
// as the compiler was given it.
struct SourceFile {
  std::string path;
  uint32_t relative = 0, name = 0;
};

class LineHeader {
 public:
  // Nothing: there is none, or it cannot be read.
  static std::optional<LineHeader> read(const DwarfFile& dwarf, const Unit& unit, uint64_t offset);

  bool has_file(uint64_t index) const {
    return version_ >= 5 ? index < files_.size() : index != 0 && index <= files_.size();
  }
  SourceFile file(uint64_t index, std::string_view unit_folder) const;    // only where has_file()
  std::optional<std::string_view> embedded_source(uint64_t index) const;  // its text, where that is in the table

 private:
  friend class LineTable;
  struct File {
    std::string_view name;
    uint64_t folder = 0;
    std::string_view source = {};  // empty: not there
  };
  bool read_old_names(ByteCursor& cursor);
  bool read_names(ByteCursor& cursor, const DwarfFile& dwarf, const Unit& unit, bool folders);

  uint16_t version_ = 0;
  Encoding encoding_;
  uint64_t program_ = 0, end_ = 0;
  uint8_t minimum_length_ = 1, line_range_ = 0, opcode_base_ = 0;
  bool default_is_statement_ = false;
  int8_t line_base_ = 0;
  std::vector<uint8_t> operand_counts_;
  std::vector<std::string_view> folders_;
  std::vector<File> files_;
};

struct LineRow {
  uint64_t address = 0;
  uint32_t line = 0, file = 0, discriminator = 0;
  uint16_t column = 0;
};

class LineTable {
 public:
  struct Sequence {
    uint64_t low = 0, high = 0;
    uint32_t first = 0, last = 0;  // rows [first, last); the last one only ends the sequence
  };
  // Runs the program. `header` gets the files that the program defines; what was in this table before goes.
  void read(const DwarfFile& dwarf, LineHeader& header);
  void clear() {
    rows_.clear();
    sequences_.clear();
  }

  const LineRow* find(uint64_t address) const;  // null: no row covers it
  const std::vector<LineRow>& rows() const { return rows_; }
  const std::vector<Sequence>& sequences() const { return sequences_; }  // by high

 private:
  std::vector<LineRow> rows_;
  std::vector<Sequence> sequences_;
};

}  // namespace mortem::inspector::index
