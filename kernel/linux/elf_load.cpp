// The segments of an ELF file become areas: file pages on demand, .bss as zero pages.
#include "kernel/library/log.h"
#include "kernel/arch/x86_64/user_access.h"
#include "kernel/linux/elf_file.h"
#include "kernel/task/address_space.h"

namespace kernel::linux {
namespace {

uint8_t protection_of(const ProgramHeader& segment) {
  return static_cast<uint8_t>(((segment.flags & kSegmentRead) != 0 ? kProtectRead : 0) |
                              ((segment.flags & kSegmentWrite) != 0 ? kProtectWrite : 0) |
                              ((segment.flags & kSegmentExecute) != 0 ? kProtectExecute : 0));
}

Result<void> map_segment(const ElfFile& file, const ProgramHeader& segment, const char* path, uint64_t bias) {
  AddressSpace& space = address_space();
  const uint64_t start = page_down(segment.address + bias);
  const uint64_t file_end = segment.address + bias + segment.file_size;
  const uint64_t end = page_up(segment.address + bias + segment.memory_size);
  const uint8_t protection = protection_of(segment);
  uint64_t anonymous_start = start;
  if (segment.file_size > 0) {
    anonymous_start = page_up(file_end);
    TRY(space.map({.address = start,
                   .length = anonymous_start - start,
                   .protection = protection,
                   .kind = AreaKind::File,
                   .inode = file.inode,
                   .file_offset = page_down(segment.offset),
                   .path = path,
                   .placement = Placement::FixedNoReplace}));
  }
  if (end > anonymous_start)
    TRY(space.map({.address = anonymous_start,
                   .length = end - anonymous_start,
                   .protection = protection,
                   .placement = Placement::FixedNoReplace}));
  // What follows the file's bytes in their last page belongs to .bss. Without write access there is no .bss, as on
  // Linux.
  if (segment.memory_size > segment.file_size && (protection & kProtectWrite) != 0 && segment.file_size > 0 &&
      file_end < anonymous_start)
    TRY(clear_user(file_end, anonymous_start - file_end));
  return {};
}

// A static program that was moved is told from a library by its dynamic section, and eu-stack (elfutils 0.188,
// dwfl_segment_report_module) misreads a section at an odd multiple of 8 unless the core holds, in one piece, all from
// the ELF header to the section. A dump holds the pages that were touched, and its writer reads no files: so the pages
// are brought in here. A program with an interpreter is found by the interpreter's list.
void bring_in_for_debuggers(const ElfFile& file, uint64_t bias) {
  constexpr uint64_t kLargest = 16 << 20;  // what starts slowly for the sake of a crash helps nobody
  if (file.header.type != kElfDynamic || file.interpreter[0] != 0) return;
  for (const ProgramHeader& segment : file.program_headers()) {
    if (segment.type != kSegmentDynamic) continue;
    if (segment.address < file.lowest || segment.address >= file.end ||
        segment.memory_size > file.end - segment.address)
      return;
    const uint64_t start = file.lowest + bias;
    const uint64_t length = segment.address + segment.memory_size - file.lowest;
    if (length > kLargest) return;
    for (uint64_t page = start; page < start + length; page += kPageSize)
      if (address_space().fault(page, Access::Read) == FaultResult::NoMemory) return;
  }
}

}  // namespace

Result<LoadedElf> load_elf(const ElfFile& file, const char* path, uint64_t base, std::span<char> why) {
  uint64_t bias = 0;
  if (file.header.type == kElfDynamic) {
    const uint64_t size = file.end - file.lowest;
    if (base == 0) base = address_space().free_place(size, 0);
    if (base == 0) {
      format_text(why.data(), why.size(), "no %lu bytes of address space for it", size);
      return Error::NoMemory;
    }
    bias = base - file.lowest;
  }
  LoadedElf loaded{.bias = bias,
                   .entry = file.header.entry + bias,
                   .start = file.lowest + bias,
                   .end = file.end + bias,
                   .program_headers = 0};
  for (const ProgramHeader& segment : file.program_headers()) {
    if (segment.type == kSegmentHeaders) loaded.program_headers = segment.address + bias;
    if (segment.type != kSegmentLoad || segment.memory_size == 0) continue;
    const auto mapped = map_segment(file, segment, path, bias);
    if (mapped.is_error()) {
      format_text(why.data(), why.size(), "its segment at %#lx could not be mapped (error %d)", segment.address + bias,
                  static_cast<int>(mapped.error()));
      return mapped.error();
    }
    const uint64_t table = file.header.program_headers;
    if (loaded.program_headers == 0 && table >= segment.offset && table < segment.offset + segment.file_size)
      loaded.program_headers = segment.address + bias + (table - segment.offset);
  }
  bring_in_for_debuggers(file, bias);
  return loaded;
}

}  // namespace kernel::linux
