// Libraries that the dynamic loader maps become modules, by the build id in their own notes.
#include "kernel/library/log.h"
#include "kernel/linux/elf_file.h"
#include "kernel/linux/files.h"
#include "kernel/memory/heap.h"
#include "kernel/task/process.h"

namespace kernel::linux {

void note_mapped_file(Inode& inode, const char* path, uint64_t start, uint64_t length, uint64_t offset) {
  auto file = make<ElfFile>();
  if (file.is_error()) return;
  char why[128] = "";
  if (!read_elf(inode, *file.value(), why).is_error() && file.value()->header.type == kElfDynamic) {
    for (const ProgramHeader& segment : file.value()->program_headers()) {
      if (segment.type != kSegmentLoad || (segment.flags & kSegmentExecute) == 0 || page_down(segment.offset) != offset)
        continue;
      const uint64_t bias = start - page_down(segment.address);
      const uint64_t end = file.value()->end + bias;
      if (add_module(mortem::format::ModuleKind::Library, path, bias, file.value()->lowest + bias,
                     end > start + length ? end : start + length,
                     {file.value()->build_id, file.value()->build_id_length})
              .is_error())
        log(LogLevel::Warning, "no memory for %s in the module table", path);
      break;
    }
  }
  destroy(file.value());
}

}  // namespace kernel::linux
