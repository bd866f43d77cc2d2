#include "snapshot/elf_core.h"

#include <elf.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "snapshot/little_endian.h"

namespace mortem::snapshot {
namespace {

const char* type_text(uint16_t type) {
  switch (type) {
    case ET_REL:
      return "an object file";
    case ET_EXEC:
      return "a program";
    case ET_DYN:
      return "a program or shared library";
    default:
      return "of an unknown type";
  }
}

Result<void> check_header(const Elf64_Ehdr& header, const std::string& name) {
  auto wrong = [&](const std::string& what) { return failure(ErrorKind::BadInput, fmt::format("{}: {}", name, what)); };
  if (header.e_ident[EI_CLASS] != ELFCLASS64)
    return wrong("an ELF file, but not a 64-bit one: only x86-64 cores are read");
  if (header.e_ident[EI_DATA] != ELFDATA2LSB) return wrong("a big-endian ELF file: only x86-64 cores are read");
  if (header.e_ident[EI_VERSION] != EV_CURRENT || header.e_version != EV_CURRENT)
    return wrong(fmt::format("ELF version {} is not known", header.e_version));
  if (header.e_type != ET_CORE)
    return wrong(fmt::format("an ELF file, but not a core: {} (type {})", type_text(header.e_type), header.e_type));
  if (header.e_machine != EM_X86_64)
    return wrong(fmt::format("a core of machine {}: only x86-64 (62) is read", header.e_machine));
  if (header.e_ehsize < sizeof(Elf64_Ehdr))
    return wrong(fmt::format("its ELF header says it has {} bytes", header.e_ehsize));
  return {};
}

// The number of program headers; 0xffff and more stand in the first section header (gABI, "PN_XNUM").
Result<uint64_t> program_header_count(const Elf64_Ehdr& header, const ByteSource& bytes) {
  if (header.e_phnum != PN_XNUM) return header.e_phnum;
  if (header.e_shoff == 0 || header.e_shentsize != sizeof(Elf64_Shdr) || header.e_shoff > bytes.size() ||
      bytes.size() - header.e_shoff < sizeof(Elf64_Shdr))
    return failure(ErrorKind::BadInput,
                   fmt::format("{}: truncated core: the section header with the number of segments is at offset {:#x}, "
                               "the file has {:#x} bytes",
                               bytes.name(), header.e_shoff, bytes.size()));
  Elf64_Shdr section;
  TRY_VOID(bytes.read(header.e_shoff, writable_bytes_of(section)));
  return section.sh_info;
}

}  // namespace

Result<ElfCore> parse_elf_core(const ByteSource& bytes) {
  const std::string& name = bytes.name();
  Elf64_Ehdr header{};
  const uint64_t available = std::min<uint64_t>(bytes.size(), sizeof(header));
  TRY_VOID(bytes.read(0, writable_bytes_of(header).first(available)));
  if (available < SELFMAG || std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)
    return failure(ErrorKind::BadInput, fmt::format("{}: neither an ELF core nor a zstd-compressed one", name));
  if (available < sizeof(header))
    return failure(ErrorKind::BadInput,
                   fmt::format("{}: truncated core: it has {} bytes, its ELF header alone has 64", name, bytes.size()));
  TRY_VOID(check_header(header, name));

  const uint64_t count = TRY(program_header_count(header, bytes));
  if (count == 0) return failure(ErrorKind::BadInput, fmt::format("{}: a core without program headers", name));
  if (header.e_phentsize != sizeof(Elf64_Phdr))
    return failure(ErrorKind::BadInput,
                   fmt::format("{}: its program headers have {} bytes each, not 56", name, header.e_phentsize));
  if (header.e_phoff > bytes.size() || (bytes.size() - header.e_phoff) / sizeof(Elf64_Phdr) < count)
    return failure(ErrorKind::BadInput,
                   fmt::format("{}: truncated core: {} program headers from offset {:#x} do not fit into {:#x} bytes",
                               name, count, header.e_phoff, bytes.size()));
  std::vector<Elf64_Phdr> headers(count);
  TRY_VOID(bytes.read(header.e_phoff, {reinterpret_cast<uint8_t*>(headers.data()), count * sizeof(Elf64_Phdr)}));

  ElfCore core;
  for (uint64_t index = 0; index < count; ++index) {
    const Elf64_Phdr& one = headers[index];
    if (one.p_type != PT_LOAD && one.p_type != PT_NOTE) continue;
    const uint64_t header_offset = header.e_phoff + index * sizeof(Elf64_Phdr);
    if (one.p_filesz > 0 && (one.p_offset > bytes.size() || one.p_filesz > bytes.size() - one.p_offset))
      return failure(
          ErrorKind::BadInput,
          fmt::format("{}: truncated core: {} {} wants {:#x} bytes at file offset {:#x}, the file ends at {:#x}", name,
                      one.p_type == PT_LOAD ? "segment" : "note segment", index, one.p_filesz, one.p_offset,
                      bytes.size()));
    if (one.p_type == PT_NOTE) {
      // gABI: 4 or 8; Linux writes 0 or 4 and means 4.
      core.notes.push_back({one.p_offset, one.p_filesz, one.p_align == 8 ? 8u : 4u});
      continue;
    }
    if (one.p_filesz > one.p_memsz)
      return failure(ErrorKind::BadInput,
                     fmt::format("{}: program header at offset {:#x}: {:#x} bytes in the file for {:#x} "
                                 "bytes of memory",
                                 name, header_offset, one.p_filesz, one.p_memsz));
    if (one.p_memsz == 0) continue;
    if (one.p_vaddr + (one.p_memsz - 1) < one.p_vaddr)
      return failure(ErrorKind::BadInput,
                     fmt::format("{}: program header at offset {:#x}: {:#x} bytes at address {:#x} pass the end of the "
                                 "address space",
                                 name, header_offset, one.p_memsz, one.p_vaddr));
    core.segments.push_back({one.p_vaddr, one.p_memsz, one.p_offset, one.p_filesz, one.p_paddr, one.p_flags});
  }
  return core;
}

}  // namespace mortem::snapshot
