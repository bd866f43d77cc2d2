// Where a module's thread-local storage is (Drepper, "ELF Handling For Thread-Local Storage", 3.4.6, variant II): the
// program's own stands right below the thread pointer; of a library what the dynamic loader resolved for it tells.
#include <elf.h>
#include <fmt/format.h>

#include <cstring>

#include "inspector/values/frame_scope.h"

namespace mortem::inspector {
namespace {

struct TlsRelocations {
  std::optional<uint64_t> module_id_at;                    // of a DTPMOD64 that is the module's own
  std::optional<std::pair<uint64_t, uint64_t>> offset_at;  // of a TPOFF64: where it was put, and the symbol's offset
};

TlsRelocations find_relocations(const ElfImage& file) {
  TlsRelocations found;
  const ElfSection* symbols = file.section(".dynsym");
  const auto symbol_bytes = symbols ? file.content(*symbols) : std::nullopt;
  for (const ElfSection& section : file.sections()) {
    if (section.type != SHT_RELA) continue;
    const auto bytes = file.content(section);
    if (!bytes) continue;
    for (size_t at = 0; at + sizeof(Elf64_Rela) <= bytes->size(); at += sizeof(Elf64_Rela)) {
      Elf64_Rela one;
      std::memcpy(&one, bytes->data() + at, sizeof(one));
      const uint32_t kind = ELF64_R_TYPE(one.r_info);
      if (kind != R_X86_64_DTPMOD64 && kind != R_X86_64_TPOFF64) continue;
      uint64_t value = 0;
      if (const uint64_t index = ELF64_R_SYM(one.r_info); index != 0) {
        Elf64_Sym symbol;
        if (!symbol_bytes || (index + 1) * sizeof(symbol) > symbol_bytes->size()) continue;
        std::memcpy(&symbol, symbol_bytes->data() + index * sizeof(symbol), sizeof(symbol));
        // Another module's may stand there, and a symbol of this one may be another's at run time.
        if (symbol.st_shndx == SHN_UNDEF || ELF64_ST_VISIBILITY(symbol.st_other) == STV_DEFAULT) continue;
        value = symbol.st_value;
      }
      if (kind == R_X86_64_DTPMOD64)
        found.module_id_at = one.r_offset;
      else
        found.offset_at = {one.r_offset, value + static_cast<uint64_t>(one.r_addend)};
    }
  }
  return found;
}

}  // namespace

Found<uint64_t> thread_local_address(const Target& target, MemoryCache& memory, DwarfModule& module, uint64_t fs_base,
                                     uint64_t offset) {
  if (fs_base == 0) return not_known("the thread has no thread-local storage yet");
  const ElfImage* file = module.executable();
  if (!file) return not_known(fmt::format("{} is needed to find thread-local storage", module.module().path));
  if (module.module().kind == format::ModuleKind::Program) {
    for (const ElfSegment& segment : file->segments()) {
      if (segment.type != PT_TLS) continue;
      const uint64_t alignment = std::max<uint64_t>(segment.alignment, 1);
      const uint64_t size = (segment.memory_size + alignment - 1) / alignment * alignment;
      return fs_base - size + offset;
    }
    return not_known("the program has no thread-local storage");
  }
  const TlsRelocations found = find_relocations(*file);
  if (found.offset_at)
    if (const auto value = memory.read_word(module.load_bias() + found.offset_at->first))
      return fs_base + *value - found.offset_at->second + offset;
  if (found.module_id_at) {
    const auto id = memory.read_word(module.load_bias() + *found.module_id_at);
    const auto vector = memory.read_word(fs_base + 8);
    if (id && vector && *id > 0 && *id < 4096) {
      // glibc's elements are a pointer and what to free; musl's are pointers.
      bool is_musl = false;
      for (const CoreModule& one : target.modules())
        if (one.path.find("ld-musl") != std::string::npos) is_musl = true;
      const auto block = memory.read_word(*vector + *id * (is_musl ? 8 : 16));
      if (block && *block != 0 && *block != ~uint64_t{0}) return *block + offset;
      return not_known("the thread has not used this thread-local storage yet");
    }
  }
  return not_known(fmt::format("where {} has its thread-local storage is not known", module.module().path));
}

}  // namespace mortem::inspector
