#include "snapshot/core_modules.h"

#include <elf.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <optional>

#include "snapshot/little_endian.h"

namespace mortem::snapshot {
namespace {

constexpr uint64_t kPageMask = 4095;
constexpr uint16_t kMaximumProgramHeaders = 256;
constexpr uint64_t kMaximumNotes = 65536;  // bytes of one PT_NOTE of a module
constexpr uint64_t kMaximumIdLength = 256;  // Go's is a text of about 80 characters
constexpr uint32_t kGoBuildId = 4;          // note type of owner "Go" (cmd/internal/buildid)

template <typename T>
std::optional<T> load_from(const ReadMemory& read, uint64_t address) {
  T value;
  auto got = read(address, writable_bytes_of(value));
  if (!got || *got != sizeof(T)) return std::nullopt;
  return value;
}

std::string load_text(const ReadMemory& read, uint64_t address) {
  std::array<uint8_t, 4096> bytes;
  auto got = read(address, bytes);
  if (!got) return {};
  const auto* text = reinterpret_cast<const char*>(bytes.data());
  return std::string(text, strnlen(text, *got));
}

struct LoadedElf {
  uint64_t load_bias = 0;
  uint64_t end = 0;  // one past the last segment's memory, at run time
  std::vector<uint8_t> build_id, go_build_id;
};

// The descriptor of the note of that owner (four bytes with its NUL) and type in the notes at `address`.
std::vector<uint8_t> find_note(const ReadMemory& read, uint64_t address, uint64_t size, const char* owner,
                               uint32_t type) {
  std::vector<uint8_t> notes(std::min(size, kMaximumNotes));
  auto got = read(address, notes);
  if (!got) return {};
  notes.resize(*got);
  for (size_t at = 0;;) {
    const auto header = load<Elf64_Nhdr>(notes, at);
    if (!header) return {};
    const uint64_t name = at + sizeof(*header);
    const uint64_t descriptor = name + ((uint64_t{header->n_namesz} + 3) & ~3ull);
    const uint64_t end = descriptor + ((uint64_t{header->n_descsz} + 3) & ~3ull);
    if (end > notes.size()) return {};
    if (header->n_type == type && header->n_namesz == 4 && std::memcmp(&notes[name], owner, 4) == 0 &&
        header->n_descsz > 0 && header->n_descsz <= kMaximumIdLength)
      return {notes.begin() + descriptor, notes.begin() + descriptor + header->n_descsz};
    at = end;
  }
}

// The ELF file whose first page is mapped at `start`; nothing if none is, or its header is not in the core.
std::optional<LoadedElf> read_loaded_elf(const ReadMemory& read, uint64_t start) {
  const auto header = load_from<Elf64_Ehdr>(read, start);
  if (!header || std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 || header->e_ident[EI_CLASS] != ELFCLASS64 ||
      (header->e_type != ET_EXEC && header->e_type != ET_DYN) || header->e_phentsize != sizeof(Elf64_Phdr) ||
      header->e_phnum > kMaximumProgramHeaders)
    return std::nullopt;
  std::vector<Elf64_Phdr> headers;
  for (uint16_t index = 0; index < header->e_phnum; ++index) {
    const auto one = load_from<Elf64_Phdr>(read, start + header->e_phoff + index * sizeof(Elf64_Phdr));
    if (!one) return std::nullopt;
    headers.push_back(*one);
  }
  // The segment that holds file offset 0 stands at `start`.
  LoadedElf elf;
  auto first =
      std::find_if(headers.begin(), headers.end(), [](const Elf64_Phdr& one) { return one.p_type == PT_LOAD; });
  if (first == headers.end()) return std::nullopt;
  if (header->e_type == ET_DYN || first->p_offset == 0) elf.load_bias = start - (first->p_vaddr - first->p_offset);
  for (const Elf64_Phdr& one : headers) {
    if (one.p_type == PT_LOAD)
      elf.end = std::max(elf.end, (elf.load_bias + one.p_vaddr + one.p_memsz + kPageMask) & ~kPageMask);
    if (one.p_type != PT_NOTE) continue;
    const uint64_t notes = elf.load_bias + one.p_vaddr;
    if (elf.build_id.empty()) elf.build_id = find_note(read, notes, one.p_filesz, "GNU", NT_GNU_BUILD_ID);
    if (elf.go_build_id.empty()) elf.go_build_id = find_note(read, notes, one.p_filesz, "Go\0", kGoBuildId);
  }
  return elf;
}

class ModuleFinder {
 public:
  ModuleFinder(const ReadMemory& read, const CoreNotes& notes) : read_(read), notes_(notes) {}

  std::vector<CoreModule> find() {
    add_mapped_files();
    add_program();
    if (auto vdso = auxiliary(AT_SYSINFO_EHDR)) add(*vdso, "[vdso]", format::ModuleKind::Vdso);
    std::sort(modules_.begin(), modules_.end(), [](const auto& a, const auto& b) { return a.start < b.start; });
    return std::move(modules_);
  }

 private:
  std::optional<uint64_t> auxiliary(uint64_t type) const {
    for (size_t at = 0; at + 1 < notes_.auxiliary_vector.size(); at += 2)
      if (notes_.auxiliary_vector[at] == type && notes_.auxiliary_vector[at + 1] != 0)
        return notes_.auxiliary_vector[at + 1];
    return std::nullopt;
  }

  // A file is a module if an ELF header stands where its offset 0 is mapped. Data files have none; a library whose
  // first page was left out of the core cannot be told from them, nor its load bias be known.
  void add_mapped_files() {
    for (const CoreFileMapping& mapping : notes_.file_mappings) {
      if (mapping.file_offset != 0) continue;
      add(mapping.start, mapping.path, kind_of(mapping.start));
    }
  }

  // A static program may be in no NT_FILE; its program headers stand behind its ELF header.
  void add_program() {
    const auto headers = auxiliary(AT_PHDR);
    if (!headers) return;
    for (const CoreModule& module : modules_)
      if (*headers >= module.start && *headers < module.end) return;
    std::string path;
    if (const auto name = auxiliary(AT_EXECFN)) path = load_text(read_, *name);
    if (path.empty()) path = notes_.program_name;
    add(*headers & ~kPageMask, path, format::ModuleKind::Program);
  }

  void add(uint64_t start, const std::string& path, format::ModuleKind kind) {
    auto elf = read_loaded_elf(read_, start);
    if (!elf || elf->end <= start) return;
    for (const CoreModule& module : modules_)
      if (start >= module.start && start < module.end) return;  // mapped again, as data
    CoreModule module;
    module.kind = kind;
    module.path = path;
    module.load_bias = elf->load_bias;
    module.start = start;
    module.end = elf->end;
    if (!elf->build_id.empty()) {
      module.id_kind = format::ModuleIdKind::GnuBuildId;
      module.id = std::move(elf->build_id);
    } else if (!elf->go_build_id.empty()) {
      module.id_kind = format::ModuleIdKind::GoBuildId;
      module.id = std::move(elf->go_build_id);
    }
    if (const auto entry = auxiliary(AT_ENTRY); entry && *entry >= module.start && *entry < module.end)
      module.kind = format::ModuleKind::Program;
    modules_.push_back(std::move(module));
  }

  format::ModuleKind kind_of(uint64_t start) const {
    return auxiliary(AT_BASE) == start ? format::ModuleKind::Interpreter : format::ModuleKind::Library;
  }

  const ReadMemory& read_;
  const CoreNotes& notes_;
  std::vector<CoreModule> modules_;
};

}  // namespace

std::vector<CoreModule> find_core_modules(const ReadMemory& read, const CoreNotes& notes) {
  return ModuleFinder(read, notes).find();
}

void add_go_build_ids(const ReadMemory& read, std::vector<CoreModule>& modules) {
  for (CoreModule& module : modules) {
    if (module.id_kind != format::ModuleIdKind::None) continue;
    auto elf = read_loaded_elf(read, module.start);
    if (!elf || elf->go_build_id.empty()) continue;
    module.id_kind = format::ModuleIdKind::GoBuildId;
    module.id = std::move(elf->go_build_id);
  }
}

}  // namespace mortem::snapshot
