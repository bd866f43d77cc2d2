// An ELF64 file of little endian, from the host's disk or read from a target's memory: sections, notes, debug link and
// the bytes of its segments. Every offset is checked: a broken file has fewer sections, not a crash.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "inspector/elf/section_inflate.h"
#include "snapshot/result.h"

namespace mortem::inspector {

struct ElfSection {
  std::string name;
  uint32_t type = 0;
  uint64_t flags = 0, address = 0, offset = 0, size = 0;
  uint32_t link = 0;  // index of the section it belongs with: a symbol table's names
};

// `.debug_NAME`, or `.zdebug_NAME` of older files.
bool is_debug_section(const ElfSection& section, std::string_view name);

struct ElfSegment {  // a program header
  uint32_t type = 0, flags = 0;
  uint64_t offset = 0, address = 0, file_size = 0, memory_size = 0;
  uint64_t alignment = 1;
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

  const ElfSection* section(std::string_view name) const;        // null: none
  const ElfSection* debug_section(std::string_view name) const;  // null: none
  // One of sections(): its bytes, part of the file or, of a compressed section, inflated when first asked for and kept
  // as long as this. Nothing for SHT_NOBITS, for what reaches beyond the file and for what cannot be inflated.
  std::optional<std::span<const uint8_t>> content(const ElfSection& section) const;
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

 private:
  // These bytes of the file need no memory until somebody reads them again.
  virtual void drop_pages(std::span<const uint8_t>) const {}

  mutable std::mutex inflating_;
  mutable std::vector<std::optional<SectionContent>> inflated_;  // beside sections_; empty: nobody asked yet
};

}  // namespace mortem::inspector
