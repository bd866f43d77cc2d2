#include "tools/elf_file.h"

#include <elf.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <string_view>

#include "tools/files.h"
#include "tools/output.h"
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

// What to do about a `#!` script: a guest runs its interpreter.
std::string script_advice(const OpenElf& script) {
  char line[256] = {};
  if (!script.read(0, line, size_t(std::min<uint64_t>(script.size, sizeof line - 1)), "first line"))
    return "a script, not a program";
  std::string_view command(line + 2, strcspn(line + 2, "\n"));
  command.remove_prefix(std::min(command.find_first_not_of(" \t"), command.size()));
  command = command.substr(0, command.find_last_not_of(" \t\r") + 1);
  for (const char* helper : {"/usr/bin/env -S ", "/usr/bin/env "})
    if (command.starts_with(helper)) command.remove_prefix(std::strlen(helper));
  const std::string name = script.path.filename().string();
  return fmt::format("a script: give its interpreter as the program: {} --file {}:/{} -- /{}", printable(command),
                     printable(script.path.string()), printable(name), printable(name));
}

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
  if (has >= 2 && identification[0] == '#' && identification[1] == '!') return elf.bad(script_advice(elf));
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

// An owner's note of that type among the notes of one segment (ELF gABI, "Note Section"), empty: not there.
std::vector<uint8_t> find_note(const std::vector<uint8_t>& notes, uint64_t alignment, const char (&owner)[4],
                               uint32_t type) {
  const uint64_t align = alignment == 8 ? 8 : 4;
  auto up = [&](uint64_t value) { return (value + align - 1) / align * align; };
  for (uint64_t at = 0; at + sizeof(Elf64_Nhdr) <= notes.size();) {
    Elf64_Nhdr note;
    std::memcpy(&note, &notes[at], sizeof note);
    const uint64_t name = at + sizeof note;
    const uint64_t descriptor = at + up(sizeof note + note.n_namesz);
    if (descriptor + note.n_descsz > notes.size()) break;
    if (note.n_type == type && note.n_namesz == sizeof owner && std::memcmp(&notes[name], owner, sizeof owner) == 0)
      return {notes.begin() + ptrdiff_t(descriptor), notes.begin() + ptrdiff_t(descriptor + note.n_descsz)};
    at = descriptor + up(note.n_descsz);
  }
  return {};
}

constexpr uint64_t kMaximumDynamic = 1 << 20;  // bytes of a dynamic section
constexpr size_t kMaximumString = 4096;        // bytes of a name or search path in it

// A string of the dynamic string table, which the dynamic section names by its address in memory.
Result<std::string> read_dynamic_string(const OpenElf& elf, const std::vector<Elf64_Phdr>& segments, uint64_t address) {
  for (const Elf64_Phdr& segment : segments) {
    if (segment.p_type != PT_LOAD || address < segment.p_vaddr || address - segment.p_vaddr >= segment.p_filesz)
      continue;
    const uint64_t within = address - segment.p_vaddr;
    std::string text(std::min<uint64_t>(kMaximumString, segment.p_filesz - within), '\0');
    TRY_VOID(elf.read(segment.p_offset + within, text.data(), text.size(), "a name in its dynamic section"));
    const size_t length = strnlen(text.data(), text.size());
    if (length == text.size()) return elf.bad("damaged ELF file: a name in its dynamic section does not end");
    text.resize(length);
    return text;
  }
  return elf.bad(fmt::format("damaged ELF file: a name in its dynamic section is at {:#x}, outside of it", address));
}

Result<void> read_dynamic(const OpenElf& elf, const std::vector<Elf64_Phdr>& segments, const Elf64_Phdr& dynamic,
                          ElfFacts& facts) {
  if (dynamic.p_filesz > kMaximumDynamic)
    return elf.bad(fmt::format("damaged ELF file: a dynamic section of {} bytes", dynamic.p_filesz));
  std::vector<Elf64_Dyn> entries(dynamic.p_filesz / sizeof(Elf64_Dyn));
  TRY_VOID(elf.read(dynamic.p_offset, entries.data(), entries.size() * sizeof(Elf64_Dyn), "dynamic section"));
  for (size_t index = 0; index < entries.size(); ++index)
    if (entries[index].d_tag == DT_NULL) entries.resize(index);
  uint64_t strings = 0;
  for (const Elf64_Dyn& entry : entries)
    if (entry.d_tag == DT_STRTAB) strings = entry.d_un.d_ptr;
  for (const Elf64_Dyn& entry : entries) {
    if (entry.d_tag != DT_NEEDED && entry.d_tag != DT_SONAME && entry.d_tag != DT_RPATH && entry.d_tag != DT_RUNPATH)
      continue;
    const std::string text = TRY(read_dynamic_string(elf, segments, strings + entry.d_un.d_val));
    if (entry.d_tag == DT_NEEDED) facts.needed.push_back(text);
    if (entry.d_tag == DT_SONAME) facts.soname = text;
    if (entry.d_tag == DT_RPATH) facts.rpath = text;
    if (entry.d_tag == DT_RUNPATH) facts.runpath = text;
  }
  return {};
}

constexpr uint32_t kGoBuildId = 4;           // cmd/link/internal/ld/elf.go, ELF_NOTE_GOBUILDID_TAG
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
    if (segment.p_type == PT_NOTE && segment.p_filesz <= kMaximumNotes) {
      std::vector<uint8_t> notes(segment.p_filesz);
      TRY_VOID(elf.read(segment.p_offset, notes.data(), notes.size(), "notes"));
      if (facts.build_id.empty()) facts.build_id = find_note(notes, segment.p_align, "GNU", NT_GNU_BUILD_ID);
      if (facts.go_build_id.empty()) facts.go_build_id = find_note(notes, segment.p_align, "Go\0", kGoBuildId);
    }
  }
  for (const Elf64_Phdr& segment : segments)
    if (segment.p_type == PT_DYNAMIC) TRY_VOID(read_dynamic(elf, segments, segment, facts));
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
  if (facts.entry == 0) return bad("has no entry point: a shared library, not a program");
  return facts;
}

Result<std::string> module_id(const fs::path& path) {
  ElfFacts facts = TRY(read_elf(path));
  if (!facts.build_id.empty()) return hexadecimal(facts.build_id);
  if (!facts.go_build_id.empty()) return hexadecimal(facts.go_build_id);
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
