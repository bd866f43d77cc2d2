// The few structures of the ELF gABI (64-bit) that a core needs; the kernel has no <elf.h>.
#pragma once

#include <cstdint>

namespace kernel::elf {

struct Header {
  uint8_t identification[16];
  uint16_t type, machine;
  uint32_t version;
  uint64_t entry, program_header_offset, section_header_offset;
  uint32_t flags;
  uint16_t header_size, program_header_size, program_header_count;
  uint16_t section_header_size, section_header_count, section_name_index;
};
static_assert(sizeof(Header) == 64);

struct ProgramHeader {
  uint32_t type, flags;
  uint64_t offset, virtual_address, physical_address, file_size, memory_size, alignment;
};
static_assert(sizeof(ProgramHeader) == 56);

struct SectionHeader {
  uint32_t name, type;
  uint64_t flags, address, offset, size;
  uint32_t link, info;
  uint64_t alignment, entry_size;
};
static_assert(sizeof(SectionHeader) == 64);

inline constexpr uint8_t kClass64 = 2, kLittleEndian = 1, kCurrentVersion = 1;
inline constexpr uint16_t kTypeCore = 4, kMachineX86_64 = 62;
inline constexpr uint16_t kProgramHeaderCountElsewhere = 0xffff;  // PN_XNUM
inline constexpr uint32_t kTypeLoad = 1, kTypeNote = 4;
inline constexpr uint32_t kFlagExecute = 1, kFlagWrite = 2, kFlagRead = 4;

}  // namespace kernel::elf
