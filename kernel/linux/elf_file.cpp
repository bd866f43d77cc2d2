#include "kernel/linux/elf_file.h"

#include "kernel/arch/x86_64/user_access.h"
#include "kernel/library/log.h"
#include "kernel/memory/physical.h"

namespace kernel::linux {
namespace {

constexpr uint16_t kMachineX86_64 = 62;

template <typename... Values>
Error refuse(std::span<char> why, const char* format, Values... values) {
  format_text(why.data(), why.size(), format, values...);
  return Error::NotExecutable;
}

Result<void> read_exactly(Inode& inode, uint64_t offset, void* to, size_t size) {
  if (TRY(inode.read(offset, {static_cast<uint8_t*>(to), size})) != size) return Error::Io;
  return {};
}

Result<void> check_header(const ElfHeader& header, std::span<char> why) {
  const uint8_t* id = header.identification;
  if (id[4] != 2) return refuse(why, "not a 64-bit ELF file (class %u)", id[4]);
  if (id[5] != 1) return refuse(why, "not a little-endian ELF file (data encoding %u)", id[5]);
  if (id[6] != 1 || header.version != 1)
    return refuse(why, "an ELF file of an unknown version (%u, %u)", id[6], header.version);
  if (header.machine != kMachineX86_64) return refuse(why, "not an ELF file for x86-64 (machine %u)", header.machine);
  if (header.type != kElfExecutable && header.type != kElfDynamic)
    return refuse(why, "an ELF file, but no program (type %u; a program has 2 or 3)", header.type);
  if (header.program_header_size != sizeof(ProgramHeader))
    return refuse(why, "an ELF file with program headers of %u bytes (should be 56)", header.program_header_size);
  if (header.program_header_count == 0) return refuse(why, "an ELF file without program headers");
  if (header.program_header_count > kMaximumProgramHeaders)
    return refuse(why, "an ELF file with too many program headers (%u, at most 128)", header.program_header_count);
  return {};
}

Result<void> check_segment(const ProgramHeader& segment, size_t index, uint64_t file_size, std::span<char> why) {
  if (segment.file_size > file_size || segment.offset > file_size - segment.file_size)
    return refuse(why,
                  "a truncated ELF file: segment %zu ends at byte %#lx of the file, which has %#lx; copy the program "
                  "into the image again",
                  index, segment.offset + segment.file_size, file_size);
  if (segment.type != kSegmentLoad) return {};
  if (segment.file_size > segment.memory_size)
    return refuse(why, "a damaged ELF file: segment %zu has more bytes in the file than in memory", index);
  if (segment.memory_size > kUserEnd || segment.address > kUserEnd - segment.memory_size)
    return refuse(why, "an ELF file whose segment %zu lies outside of the app's address space (%#lx)", index,
                  segment.address);
  if (segment.address % kPageSize != segment.offset % kPageSize)
    return refuse(why, "an ELF file whose segment %zu is not aligned as it lies in memory", index);
  return {};
}

}  // namespace

std::span<const uint8_t> find_build_id(std::span<const uint8_t> notes) {
  constexpr uint32_t kBuildIdType = 3;  // NT_GNU_BUILD_ID
  struct Note {
    uint32_t name_size, size, type;
  } note;
  while (notes.size() >= sizeof note) {
    __builtin_memcpy(&note, notes.data(), sizeof note);
    const uint64_t name = (uint64_t{note.name_size} + 3) & ~uint64_t{3};
    const uint64_t size = (uint64_t{note.size} + 3) & ~uint64_t{3};
    if (name + note.size > notes.size() - sizeof note) return {};
    const uint8_t* text = notes.data() + sizeof note;
    if (note.type == kBuildIdType && note.name_size == 4 && __builtin_memcmp(text, "GNU", 4) == 0)
      return {text + name, note.size};
    const uint64_t step = sizeof note + name + size;
    if (step > notes.size()) return {};
    notes = notes.subspan(step);
  }
  return {};
}

Result<void> read_elf(Inode& inode, ElfFile& file, std::span<char> why) {
  const InodeStatus status = TRY(inode.status());
  if (status.type != FileType::Regular) {
    format_text(why.data(), why.size(), "not a regular file");
    return Error::AccessDenied;
  }
  file.inode = &inode;
  file.size = status.size;
  ElfHeader& header = file.header;
  if (file.size < sizeof header || read_exactly(inode, 0, &header, sizeof header).is_error() ||
      __builtin_memcmp(header.identification,
                       "\x7f"
                       "ELF",
                       4) != 0)
    return refuse(why, "not an ELF file");
  TRY(check_header(header, why));
  const uint64_t table_size = uint64_t{header.program_header_count} * sizeof(ProgramHeader);
  if (header.program_headers > file.size || table_size > file.size - header.program_headers)
    return refuse(why, "a truncated ELF file: its program headers end at byte %#lx, the file at %#lx",
                  header.program_headers + table_size, file.size);
  TRY(read_exactly(inode, header.program_headers, file.segments, table_size));

  uint64_t previous_end = 0;
  file.lowest = kUserEnd;
  bool has_entry = false;
  for (size_t index = 0; index < header.program_header_count; ++index) {
    const ProgramHeader& segment = file.segments[index];
    TRY(check_segment(segment, index, file.size, why));
    if (segment.type == kSegmentInterpreter) {
      if (segment.file_size < 2 || segment.file_size > sizeof file.interpreter)
        return refuse(why, "an ELF file with a bad interpreter path (%lu bytes)", segment.file_size);
      TRY(read_exactly(inode, segment.offset, file.interpreter, segment.file_size));
      file.interpreter[segment.file_size - 1] = 0;
    }
    if (segment.type == kSegmentNote && file.build_id_length == 0) {
      uint8_t notes[1024];
      const size_t size = segment.file_size < sizeof notes ? segment.file_size : sizeof notes;
      TRY(read_exactly(inode, segment.offset, notes, size));
      const auto id = find_build_id({notes, size});
      if (id.size() <= sizeof file.build_id && !id.empty()) {
        __builtin_memcpy(file.build_id, id.data(), id.size());
        file.build_id_length = id.size();
      }
    }
    if (segment.type != kSegmentLoad || segment.memory_size == 0) continue;
    if (page_down(segment.address) < previous_end)
      return refuse(why, "an ELF file whose segments overlap or are out of order (segment %zu)", index);
    previous_end = page_up(segment.address + segment.memory_size);
    if (page_down(segment.address) < file.lowest) file.lowest = page_down(segment.address);
    file.end = previous_end;
    has_entry = has_entry || header.entry - segment.address < segment.memory_size;
  }
  if (file.end == 0) return refuse(why, "an ELF file with nothing to load");
  if (!has_entry) return refuse(why, "an ELF file whose entry point %#lx is in no segment", header.entry);
  if (header.type == kElfExecutable && file.lowest < kUserLow)
    return refuse(why, "an ELF file that wants memory at %#lx; programs start at %#lx or above", file.lowest, kUserLow);
  return {};
}

}  // namespace kernel::linux
