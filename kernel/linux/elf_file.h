// An ELF program file, its headers checked field by field (ELF gABI chapters 4 and 5; elf(5)).
#pragma once

#include <cstdint>
#include <span>

#include "kernel/fs/inode.h"
#include "kernel/library/result.h"

namespace kernel::linux {

struct ElfHeader {  // Elf64_Ehdr
  uint8_t identification[16];
  uint16_t type, machine;
  uint32_t version;
  uint64_t entry, program_headers, section_headers;
  uint32_t flags;
  uint16_t header_size, program_header_size, program_header_count, section_header_size, section_header_count,
      section_names;
};
static_assert(sizeof(ElfHeader) == 64);

struct ProgramHeader {  // Elf64_Phdr
  uint32_t type, flags;
  uint64_t offset, address, physical_address, file_size, memory_size, alignment;
};
static_assert(sizeof(ProgramHeader) == 56);

enum : uint32_t {
  kSegmentLoad = 1,
  kSegmentDynamic = 2,
  kSegmentInterpreter = 3,
  kSegmentNote = 4,
  kSegmentHeaders = 6
};
enum : uint32_t { kSegmentExecute = 1, kSegmentWrite = 2, kSegmentRead = 4 };
inline constexpr uint16_t kElfExecutable = 2, kElfDynamic = 3;

inline constexpr size_t kMaximumProgramHeaders = 128;

struct ElfFile {
  Inode* inode = nullptr;
  uint64_t size = 0;
  ElfHeader header;
  ProgramHeader segments[kMaximumProgramHeaders];
  uint64_t lowest = 0, end = 0;  // page-aligned addresses that the PT_LOADs span
  char interpreter[256] = "";    // PT_INTERP's path; empty: none
  uint8_t build_id[64];
  size_t build_id_length = 0;

  std::span<const ProgramHeader> program_headers() const { return {segments, header.program_header_count}; }
};

// Fills `file`. On an error `why` holds one sentence for people.
Result<void> read_elf(Inode& inode, ElfFile& file, std::span<char> why);

// The GNU build id in the bytes of a note segment; empty: none.
std::span<const uint8_t> find_build_id(std::span<const uint8_t> notes);

struct LoadedElf {
  uint64_t bias, entry, start, end, program_headers;  // runtime addresses
};
// Maps the segments; `base`: where the lowest address of a position-independent file goes (0: anywhere free).
Result<LoadedElf> load_elf(const ElfFile& file, const char* path, uint64_t base, std::span<char> why);

}  // namespace kernel::linux
