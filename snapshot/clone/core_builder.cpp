#include "snapshot/clone/core_builder.h"

#include <elf.h>

#include <cstring>

#include "snapshot/little_endian.h"

namespace mortem::snapshot {

namespace {

void append(std::vector<uint8_t>& to, std::span<const uint8_t> bytes) {
  to.insert(to.end(), bytes.begin(), bytes.end());
}
void align(std::vector<uint8_t>& to, size_t alignment) {
  to.resize((to.size() + alignment - 1) / alignment * alignment);
}

}  // namespace

void CoreBuilder::note(std::string_view owner, uint32_t type, std::span<const uint8_t> descriptor) {
  const Elf64_Nhdr header{static_cast<uint32_t>(owner.size() + 1), static_cast<uint32_t>(descriptor.size()), type};
  append(notes_, bytes_of(header));
  append(notes_, {reinterpret_cast<const uint8_t*>(owner.data()), owner.size()});
  notes_.push_back(0);
  align(notes_, 4);
  append(notes_, descriptor);
  align(notes_, 4);
}

void CoreBuilder::mortem_note(format::NoteType type, std::span<const uint8_t> content) {
  std::vector<uint8_t> descriptor;
  append(descriptor, bytes_of(format::NoteHeader{1, uint32_t(sizeof(format::NoteHeader) + content.size())}));
  append(descriptor, content);
  note(format::kNoteOwner, static_cast<uint32_t>(type), descriptor);
}

std::vector<uint8_t> CoreBuilder::finish(const std::vector<CoreSegment>& segments) const {
  const uint64_t count = segments.size() + 1;
  const bool is_extended = count >= PN_XNUM;  // gABI: the number stands in the first section header then
  Elf64_Ehdr header{};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_ident[EI_VERSION] = header.e_version = EV_CURRENT;
  header.e_type = ET_CORE;
  header.e_machine = EM_X86_64;
  header.e_ehsize = sizeof header;
  header.e_phentsize = sizeof(Elf64_Phdr);
  header.e_phnum = is_extended ? PN_XNUM : static_cast<uint16_t>(count);
  header.e_phoff = sizeof header;
  uint64_t at = sizeof header + count * sizeof(Elf64_Phdr);
  if (is_extended) {
    header.e_shoff = at;
    header.e_shentsize = sizeof(Elf64_Shdr);
    header.e_shnum = 1;
    at += sizeof(Elf64_Shdr);
  }
  constexpr uint64_t kPageBytes = 4096;
  const uint64_t content = (at + notes_.size() + kPageBytes - 1) / kPageBytes * kPageBytes;
  std::vector<uint8_t> bytes;
  bytes.reserve(content);
  append(bytes, bytes_of(header));
  Elf64_Phdr notes{};
  notes.p_type = PT_NOTE;
  notes.p_offset = at;
  notes.p_filesz = notes_.size();
  notes.p_align = 4;
  append(bytes, bytes_of(notes));
  for (const CoreSegment& segment : segments) {
    Elf64_Phdr load{};
    load.p_type = PT_LOAD;
    load.p_flags = segment.flags;
    load.p_offset = content + segment.file_offset;
    load.p_vaddr = segment.address;
    load.p_filesz = segment.file_size;
    load.p_memsz = segment.memory_size;
    load.p_align = kPageBytes;
    append(bytes, bytes_of(load));
  }
  if (is_extended) {
    Elf64_Shdr section{};
    section.sh_info = static_cast<uint32_t>(count);
    append(bytes, bytes_of(section));
  }
  append(bytes, notes_);
  bytes.resize(content);
  return bytes;
}

}  // namespace mortem::snapshot
