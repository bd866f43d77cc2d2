// The frame of an ELF core: its header and its program headers, every field checked (ELF gABI, chapters 4 and 5).
#pragma once

#include <cstdint>
#include <vector>

#include "snapshot/byte_source.h"
#include "snapshot/core_file.h"

namespace mortem::snapshot {

struct NoteSegment {  // one PT_NOTE
  uint64_t file_offset = 0, size = 0, alignment = 4;
};

struct ElfCore {
  std::vector<NoteSegment> notes;
  std::vector<CoreSegment> segments;  // in the order of the file
};

Result<ElfCore> parse_elf_core(const ByteSource& bytes);

}  // namespace mortem::snapshot
