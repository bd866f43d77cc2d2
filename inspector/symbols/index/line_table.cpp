#include "inspector/symbols/index/line_table.h"

#include <algorithm>

#include "inspector/symbols/index/dwarf_constants.h"

namespace mortem::inspector::index {
namespace {

constexpr uint64_t kMostNames = 1 << 20;    // of files of one table
constexpr uint64_t kMostRows = 1ull << 28;  // of one table

// DWARF 5, sections 7.22 (opcodes and content types)
constexpr uint8_t kCopy = 1, kAdvancePc = 2, kAdvanceLine = 3, kSetFile = 4, kSetColumn = 5, kNegateStatement = 6,
                  kSetBasicBlock = 7, kConstAddPc = 8, kFixedAdvancePc = 9, kSetPrologueEnd = 10,
                  kSetEpilogueBegin = 11, kSetIsa = 12;
constexpr uint8_t kEndSequence = 1, kSetAddress = 2, kDefineFile = 3, kSetDiscriminator = 4;
constexpr uint64_t kContentPath = 1, kContentFolder = 2, kContentLlvmSource = 0x2001;

bool is_absolute(std::string_view path) {
  // llvm::isPathAbsoluteOnWindowsOrPosix: a drive or a server counts too.
  if (path.starts_with('/')) return true;
  if (path.starts_with("\\\\")) return path.find('\\', 2) != std::string_view::npos;
  const bool drive = path.size() > 2 && path[1] == ':' && (path[2] == '\\' || path[2] == '/');
  return drive && ((path[0] >= 'a' && path[0] <= 'z') || (path[0] >= 'A' && path[0] <= 'Z'));
}

void append(std::string& path, std::string_view part) {
  if (part.empty()) return;
  if (path.ends_with('/')) {
    while (part.starts_with('/')) part.remove_prefix(1);
  } else if (!path.empty() && !part.starts_with('/')) {
    path += '/';
  }
  path += part;
}

}  // namespace

std::optional<LineHeader> LineHeader::read(const DwarfFile& dwarf, const Unit& unit, uint64_t offset) {
  const Bytes section = dwarf.sections().lines;
  if (offset >= section.size()) return std::nullopt;
  ByteCursor cursor(section, offset);
  LineHeader header;
  header.encoding_ = unit.encoding;
  uint64_t length = cursor.u32();
  header.encoding_.is_64_bit = length == 0xFFFFFFFF;
  if (header.encoding_.is_64_bit) length = cursor.u64();
  if (cursor.bad() || length > cursor.left()) return std::nullopt;
  header.end_ = cursor.offset() + length;
  header.version_ = cursor.u16();
  if (header.version_ < 2 || header.version_ > 5) return std::nullopt;
  header.encoding_.version = header.version_;
  if (header.version_ >= 5) {
    header.encoding_.address_size = cursor.u8();
    cursor.skip(1);  // segment selectors
  }
  const uint64_t header_length = cursor.section_offset(header.encoding_.is_64_bit);
  if (cursor.bad() || header_length > cursor.left()) return std::nullopt;
  header.program_ = std::min(cursor.offset() + header_length, header.end_);
  header.minimum_length_ = cursor.u8();
  if (header.version_ >= 4) cursor.skip(1);  // operations in an instruction: x86 has one
  header.default_is_statement_ = cursor.u8() != 0;
  header.line_base_ = static_cast<int8_t>(cursor.u8());
  header.line_range_ = cursor.u8();
  header.opcode_base_ = cursor.u8();
  for (unsigned opcode = 1; opcode < header.opcode_base_; ++opcode) header.operand_counts_.push_back(cursor.u8());
  if (cursor.bad()) return std::nullopt;
  if (header.version_ < 5) return header.read_old_names(cursor) ? std::optional(std::move(header)) : std::nullopt;
  Unit reading = unit;
  reading.encoding = header.encoding_;
  if (!header.read_names(cursor, dwarf, reading, true) || !header.read_names(cursor, dwarf, reading, false))
    return std::nullopt;
  return header;
}

bool LineHeader::read_old_names(ByteCursor& cursor) {
  while (true) {
    const std::string_view folder = cursor.text();
    if (cursor.bad()) return false;
    if (folder.empty()) break;
    folders_.push_back(folder);
  }
  while (true) {
    const std::string_view name = cursor.text();
    if (cursor.bad()) return false;
    if (name.empty()) return true;
    files_.push_back({name, cursor.uleb()});
    cursor.skip_leb();  // time
    cursor.skip_leb();  // length
  }
}

bool LineHeader::read_names(ByteCursor& cursor, const DwarfFile& dwarf, const Unit& unit, bool folders) {
  struct Content {
    uint64_t type;
    AttributeShape shape;
  };
  std::vector<Content> contents;
  for (unsigned left = cursor.u8(); left > 0; --left) {
    const uint64_t type = cursor.uleb(), number = cursor.uleb();
    contents.push_back({type, {0, static_cast<uint16_t>(std::min<uint64_t>(number, 0xFFFF)), 0}});
  }
  const uint64_t count = cursor.uleb();
  if (cursor.bad() || count > kMostNames || (contents.empty() && count > 0)) return false;
  for (uint64_t index = 0; index < count; ++index) {
    File file;
    for (const Content& content : contents) {
      if (content.shape.form == form::kString) {
        const std::string_view text = cursor.text();
        if (content.type == kContentPath) file.name = text;
        if (content.type == kContentLlvmSource) file.source = text;
        continue;
      }
      const Value value = dwarf.read_value(cursor, unit, content.shape);
      if (content.type == kContentPath) file.name = dwarf.text(unit, value);
      if (content.type == kContentFolder) file.folder = value.constant_or(0);
      if (content.type == kContentLlvmSource) file.source = dwarf.text(unit, value);
    }
    if (cursor.bad()) return false;
    folders ? folders_.push_back(file.name) : files_.push_back(file);
  }
  return true;
}

std::optional<std::string_view> LineHeader::embedded_source(uint64_t index) const {
  const std::string_view source = has_file(index) && version_ >= 5 ? files_[index].source : std::string_view();
  return source.empty() ? std::nullopt : std::optional(source);
}

SourceFile LineHeader::file(uint64_t index, std::string_view unit_folder) const {
  const File& file = files_[version_ >= 5 ? index : index - 1];
  SourceFile result;
  if (is_absolute(file.name)) {
    result.path = file.name;
    return result;
  }
  std::string_view folder;
  const bool in_unit_folder = version_ >= 5 && file.folder == 0;
  if (version_ >= 5) {
    if (file.folder < folders_.size()) folder = folders_[file.folder];
  } else if (file.folder > 0 && file.folder <= folders_.size()) {
    folder = folders_[file.folder - 1];
  }
  std::string relative;
  if (!in_unit_folder) append(relative, folder);
  append(relative, file.name);
  if (in_unit_folder)
    append(result.path, folder);
  else if (!is_absolute(folder))
    append(result.path, unit_folder);
  append(result.path, relative);
  result.relative = static_cast<uint32_t>(result.path.size() - relative.size());
  result.name = static_cast<uint32_t>(result.path.size() - file.name.size());
  return result;
}

void LineTable::read(const DwarfFile& dwarf, LineHeader& header) {
  clear();
  ByteCursor cursor(dwarf.sections().lines, header.program_, header.end_);
  rows_.reserve(std::min<uint64_t>(cursor.left() * 3 / 4, kMostRows));
  const unsigned opcode_base = header.opcode_base_, line_range = header.line_range_;
  const uint64_t minimum_length = header.minimum_length_;
  // With a line range of 0 no special opcode has a meaning: llvm takes the operation's advance as 0 then.
  const uint64_t const_advance = line_range == 0 ? 0 : (255 - opcode_base) / line_range * minimum_length;

  LineRow row;
  size_t sequence_start = 0;
  auto reset = [&] {
    row = {};
    row.line = row.file = 1;
    sequence_start = rows_.size();
  };
  auto add_row = [&] {
    rows_.push_back(row);
    row.discriminator = 0;
  };
  reset();
  while (!cursor.at_end() && rows_.size() < kMostRows) {
    const uint8_t opcode = cursor.u8();
    if (opcode != 0 && opcode >= opcode_base) {  // a base of 0: no standard opcodes, as llvm takes it
      const unsigned adjusted = opcode - opcode_base;
      if (line_range != 0) {
        row.address += adjusted / line_range * minimum_length;
        row.line += static_cast<uint32_t>(header.line_base_ + static_cast<int>(adjusted % line_range));
      } else {
        row.line += static_cast<uint32_t>(int{header.line_base_});
      }
      add_row();
      continue;
    }
    if (opcode == 0) {
      const uint64_t length = cursor.uleb(), start = cursor.offset();
      if (cursor.bad() || length > cursor.left()) break;
      if (length == 0) continue;
      switch (cursor.u8()) {
        case kEndSequence: {
          add_row();
          const uint64_t low = rows_[sequence_start].address, high = row.address;
          if (low < high)
            sequences_.push_back(
                {low, high, static_cast<uint32_t>(sequence_start), static_cast<uint32_t>(rows_.size())});
          reset();
          break;
        }
        case kSetAddress:
          row.address = cursor.sized(static_cast<unsigned>(length - 1));
          break;
        case kDefineFile:
          if (header.files_.size() < kMostNames) {
            const std::string_view name = cursor.text();
            header.files_.push_back({name, cursor.uleb()});
          }
          break;
        case kSetDiscriminator:
          row.discriminator = static_cast<uint32_t>(cursor.uleb());
          break;
        default:
          break;
      }
      cursor.seek(start + length);
      continue;
    }
    switch (opcode) {
      case kCopy:
        add_row();
        break;
      case kAdvancePc:
        row.address += cursor.uleb() * minimum_length;
        break;
      case kAdvanceLine:
        row.line += static_cast<uint32_t>(cursor.sleb());
        break;
      case kSetFile:
        row.file = static_cast<uint32_t>(cursor.uleb());
        break;
      case kSetColumn:
        row.column = static_cast<uint16_t>(cursor.uleb());
        break;
      case kNegateStatement:
      case kSetBasicBlock:
      case kSetPrologueEnd:
      case kSetEpilogueBegin:
        break;
      case kConstAddPc:
        row.address += const_advance;
        break;
      case kFixedAdvancePc:
        row.address += cursor.u16();
        break;
      case kSetIsa:
        cursor.skip_leb();
        break;
      default:
        for (uint8_t count = header.operand_counts_[opcode - 1u]; count > 0; --count) cursor.skip_leb();
    }
  }
  std::stable_sort(sequences_.begin(), sequences_.end(),
                   [](const Sequence& a, const Sequence& b) { return a.high < b.high; });
}

const LineRow* LineTable::find(uint64_t address) const {
  const auto sequence = std::upper_bound(sequences_.begin(), sequences_.end(), address,
                                         [](uint64_t value, const Sequence& one) { return value < one.high; });
  if (sequence == sequences_.end() || address < sequence->low) return nullptr;
  // Of several rows of one address the last one counts.
  const auto after = std::upper_bound(rows_.begin() + sequence->first + 1, rows_.begin() + sequence->last - 1, address,
                                      [](uint64_t value, const LineRow& row) { return value < row.address; });
  return &*(after - 1);
}

}  // namespace mortem::inspector::index
