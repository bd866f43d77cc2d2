#include "tools/elf_file.h"

#include <elf.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <optional>

#include "tools/files.h"
#include "tools/sha256.h"

namespace mortem::tools {

namespace fs = std::filesystem;

namespace {

// e_machine by name, for the ones people have (ELF gABI, figure 4-5 and its registry).
std::string machine_name(uint16_t machine) {
  switch (machine) {
    case EM_386:
      return "32-bit x86";
    case EM_X86_64:
      return "x86-64";
    case EM_ARM:
      return "32-bit ARM";
    case EM_AARCH64:
      return "AArch64";
    case EM_RISCV:
      return "RISC-V";
    case EM_PPC64:
      return "PowerPC 64";
    case EM_S390:
      return "S/390";
    case EM_MIPS:
      return "MIPS";
    case EM_LOONGARCH:
      return "LoongArch";
    default:
      return fmt::format("machine {}", machine);
  }
}

struct OpenElf {
  Descriptor file;
  fs::path path;
  uint64_t size = 0;
  Elf64_Ehdr header{};

  tl::unexpected<Error> bad(const std::string& what) const {
    return failure(ErrorKind::BadInput, path.string() + ": " + what);
  }
  Result<void> read(uint64_t offset, void* to, size_t length, const char* what) const {
    if (offset > size || length > size - offset)
      return bad(fmt::format("truncated ELF file: {} at offset {:#x} needs {} bytes, the file has {}", what, offset,
                             length, size));
    for (size_t done = 0; done < length;) {
      ssize_t got = pread(file.get(), static_cast<char*>(to) + done, length - done, off_t(offset + done));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return system_failure("cannot read", path);
      if (got == 0) return bad("shrank while it was read");
      done += size_t(got);
    }
    return {};
  }
};

Result<OpenElf> open_elf(const fs::path& path) {
  OpenElf elf;
  elf.path = path;
  // O_NONBLOCK: opening a FIFO must not wait for its writer.
  elf.file = Descriptor(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!elf.file) return system_failure("cannot read", path);
  struct stat facts;
  if (fstat(elf.file.get(), &facts) != 0) return system_failure("cannot read", path);
  if (S_ISDIR(facts.st_mode)) return elf.bad("is a folder, not a program");
  if (!S_ISREG(facts.st_mode)) return elf.bad("not a regular file");
  elf.size = uint64_t(facts.st_size);

  unsigned char identification[EI_NIDENT] = {};
  const size_t has = size_t(std::min<uint64_t>(elf.size, sizeof identification));
  TRY_VOID(elf.read(0, identification, has, "header"));
  if (has < SELFMAG || std::memcmp(identification, ELFMAG, SELFMAG) != 0) return elf.bad("not an ELF file");
  if (has < EI_NIDENT) return elf.bad(fmt::format("truncated ELF file: {} bytes, the header has 64", elf.size));
  if (identification[EI_DATA] != ELFDATA2LSB || identification[EI_CLASS] != ELFCLASS64) {
    uint8_t machine[2] = {};
    TRY_VOID(elf.read(18, machine, 2, "header"));
    const bool little = identification[EI_DATA] == ELFDATA2LSB;
    const uint16_t number = little ? uint16_t(machine[0] | machine[1] << 8) : uint16_t(machine[1] | machine[0] << 8);
    if (number == EM_X86_64) return elf.bad("built for x32 (32-bit pointers), this is x86-64 only");
    return elf.bad(fmt::format("built for {}, this is x86-64 only", machine_name(number)));
  }
  TRY_VOID(elf.read(0, &elf.header, sizeof elf.header, "header"));
  if (elf.header.e_machine != EM_X86_64)
    return elf.bad(fmt::format("built for {}, this is x86-64 only", machine_name(elf.header.e_machine)));
  return elf;
}

// The GNU build id among the notes of one segment (ELF gABI, "Note Section"), empty: not there.
std::vector<uint8_t> find_build_id(const std::vector<uint8_t>& notes, uint64_t alignment) {
  const uint64_t align = alignment == 8 ? 8 : 4;
  auto up = [&](uint64_t value) { return (value + align - 1) / align * align; };
  for (uint64_t at = 0; at + sizeof(Elf64_Nhdr) <= notes.size();) {
    Elf64_Nhdr note;
    std::memcpy(&note, &notes[at], sizeof note);
    const uint64_t name = at + sizeof note;
    const uint64_t descriptor = at + up(sizeof note + note.n_namesz);
    if (descriptor + note.n_descsz > notes.size()) break;
    if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && std::memcmp(&notes[name], "GNU", 4) == 0)
      return {notes.begin() + ptrdiff_t(descriptor), notes.begin() + ptrdiff_t(descriptor + note.n_descsz)};
    at = descriptor + up(note.n_descsz);
  }
  return {};
}

constexpr uint64_t kMaximumNotes = 1 << 20;  // bytes of a note segment; build ids stand in far smaller ones

}  // namespace

Result<ElfFacts> read_elf(const fs::path& path) {
  OpenElf elf = TRY(open_elf(path));
  ElfFacts facts;
  facts.type = elf.header.e_type;
  facts.entry = elf.header.e_entry;
  if (elf.header.e_phnum > 0 && elf.header.e_phentsize != sizeof(Elf64_Phdr))
    return elf.bad(fmt::format("damaged ELF file: program headers of {} bytes", elf.header.e_phentsize));
  std::vector<Elf64_Phdr> segments(elf.header.e_phnum);
  TRY_VOID(elf.read(elf.header.e_phoff, segments.data(), segments.size() * sizeof(Elf64_Phdr), "program headers"));
  for (const Elf64_Phdr& segment : segments) {
    if (segment.p_type == PT_LOAD && (segment.p_offset > elf.size || segment.p_filesz > elf.size - segment.p_offset))
      return elf.bad(fmt::format("truncated ELF file: a segment needs bytes {:#x} to {:#x}, the file ends at {:#x}",
                                 segment.p_offset, segment.p_offset + segment.p_filesz, elf.size));
    if (segment.p_type == PT_INTERP && segment.p_filesz <= 4096) {
      facts.interpreter.resize(segment.p_filesz);
      TRY_VOID(elf.read(segment.p_offset, facts.interpreter.data(), segment.p_filesz, "interpreter"));
      facts.interpreter.resize(strnlen(facts.interpreter.data(), facts.interpreter.size()));
    }
    if (segment.p_type == PT_NOTE && segment.p_filesz <= kMaximumNotes && facts.build_id.empty()) {
      std::vector<uint8_t> notes(segment.p_filesz);
      TRY_VOID(elf.read(segment.p_offset, notes.data(), notes.size(), "notes"));
      facts.build_id = find_build_id(notes, segment.p_align);
    }
  }
  return facts;
}

Result<ElfFacts> check_program(const fs::path& path) {
  ElfFacts facts = TRY(read_elf(path));
  auto bad = [&](const std::string& what) { return failure(ErrorKind::BadInput, path.string() + ": " + what); };
  switch (facts.type) {
    case ET_EXEC:
    case ET_DYN:
      break;
    case ET_REL:
      return bad("an object file, not a program: link it first");
    case ET_CORE:
      return bad("a core dump, not a program: see mortem info --help");
    default:
      return bad(fmt::format("not a program (ELF type {})", facts.type));
  }
  if (!facts.interpreter.empty())
    return failure(ErrorKind::Unsupported,
                   fmt::format("{} is dynamically linked (interpreter {}): link it with -static for now", path.string(),
                               facts.interpreter));
  if (facts.entry == 0) return bad("has no entry point: a shared library, not a program");
  return facts;
}

Result<std::string> module_id(const fs::path& path) {
  ElfFacts facts = TRY(read_elf(path));
  if (!facts.build_id.empty()) return hexadecimal(facts.build_id);
  Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return system_failure("cannot read", path);
  Sha256 sum;
  std::vector<uint8_t> part(1 << 20);
  for (;;) {
    ssize_t got = ::read(file.get(), part.data(), part.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return system_failure("cannot read", path);
    if (got == 0) break;
    sum.add({part.data(), size_t(got)});
  }
  auto digest = sum.finish();
  return hexadecimal({digest.begin(), digest.end()});
}

std::string hexadecimal(const std::vector<uint8_t>& bytes) {
  std::string text;
  for (uint8_t byte : bytes) text += fmt::format("{:02x}", byte);
  return text;
}

}  // namespace mortem::tools
