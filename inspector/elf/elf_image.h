// An ELF64 file of little endian, from the host's disk or read from a target's memory: sections, notes, debug link and
// the bytes of its segments. Every offset is checked: a broken file has fewer sections, not a crash.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "snapshot/result.h"

namespace mortem::inspector {

struct ElfSection {
  std::string name;
  uint32_t type = 0;
  uint64_t flags = 0, address = 0, offset = 0, size = 0;
};

struct ElfSegment {  // a program header
  uint32_t type = 0, flags = 0;
  uint64_t offset = 0, address = 0, file_size = 0, memory_size = 0;
};

struct DebugLink {  // .gnu_debuglink (GDB manual, "Separate Debug Files")
  std::string file_name;
  uint32_t checksum = 0;
};

class ElfImage {
 public:
  static Result<std::shared_ptr<const ElfImage>> map_file(const std::filesystem::path& path);
  static Result<std::shared_ptr<const ElfImage>> from_bytes(std::string name, std::vector<uint8_t> bytes);
  virtual ~ElfImage() = default;

  const std::string& name() const { return name_; }
  std::span<const uint8_t> bytes() const { return bytes_; }
  const std::vector<ElfSection>& sections() const { return sections_; }
  const std::vector<ElfSegment>& segments() const { return segments_; }

  const ElfSection* section(std::string_view name) const;  // null: none
  // Its bytes in the file, decompressed if need be; nothing for SHT_NOBITS and for what reaches beyond the file.
  std::optional<std::vector<uint8_t>> section_bytes(const ElfSection& section) const;
  bool has_debug_information() const;  // DWARF
  bool has_code() const;               // not a file that keeps only debug information
  bool has_symbol_table() const;       // .symtab

  std::vector<uint8_t> build_id() const;     // NT_GNU_BUILD_ID; empty: none
  std::vector<uint8_t> go_build_id() const;  // note 4 of owner "Go"; empty: none
  std::optional<DebugLink> debug_link() const;

  // Bytes that the file gives to `address` (of the file) on; the number of them.
  size_t read_segment(uint64_t address, std::span<uint8_t> to) const;

 protected:
  ElfImage() = default;
  Result<void> parse();
  std::vector<uint8_t> note(std::string_view owner, uint32_t type) const;

  std::string name_;
  std::span<const uint8_t> bytes_;
  std::vector<ElfSection> sections_;
  std::vector<ElfSegment> segments_;
};

}  // namespace mortem::inspector
