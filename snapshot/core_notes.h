// The notes of a core: Linux's own and Mortem's (snapshot/format/notes.h). Unknown ones are skipped and counted.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "snapshot/core_file.h"
#include "snapshot/elf_core.h"

namespace mortem::snapshot {

struct CoreNotes {
  std::vector<CoreThread> threads;  // as they stand in the file
  std::vector<CoreModule> modules;  // of the Modules note
  std::vector<CoreFileMapping> file_mappings;
  std::vector<uint64_t> auxiliary_vector;
  std::vector<uint8_t> siginfo;  // the first one
  uint32_t process_id = 0;
  std::string program_name, command_line;
  std::optional<format::ReasonNote> reason;
  std::optional<format::IdentityNote> identity;
  std::optional<format::MachineRegistersNote> machine_registers;
  std::vector<format::PageMapEntry> page_map;
  std::string kernel_log, standard_error, standard_output;
  std::optional<format::OccurrenceNote> occurrence;
  OpenFiles open_files;
  std::vector<CoreNote> all;
};

Result<CoreNotes> parse_core_notes(const ByteSource& bytes, const std::vector<NoteSegment>& segments);

}  // namespace mortem::snapshot
