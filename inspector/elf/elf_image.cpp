#include "inspector/elf/elf_image.h"

#include <elf.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace mortem::inspector {
namespace {

constexpr std::string_view kDebugPrefix = ".debug_", kOldPrefix = ".zdebug_";

class MappedElf final : public ElfImage {
 public:
  ~MappedElf() override {
    if (memory_ != MAP_FAILED) munmap(memory_, size_);
  }
  Result<void> open(const std::filesystem::path& path) {
    auto refuse = [&](const char* what) {
      return failure(ErrorKind::System, fmt::format("{}: cannot {}: {}", path.string(), what, std::strerror(errno)));
    };
    // A core may name anything here: a pipe is not waited for.
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0) return refuse("open");
    name_ = path.string();
    struct stat status {};
    const bool is_regular = fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode);
    if (is_regular && status.st_size > 0) {
      size_ = static_cast<size_t>(status.st_size);
      memory_ = mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, descriptor, 0);
    }
    close(descriptor);
    if (!is_regular)
      return failure(ErrorKind::BadInput,
                     fmt::format("{}: a {}, not a regular file", name_,
                                 S_ISDIR(status.st_mode) ? "folder" : "pipe, socket or character device"));
    if (size_ > 0 && memory_ == MAP_FAILED) return refuse("map");
    if (size_ > 0) bytes_ = {static_cast<const uint8_t*>(memory_), size_};
    return parse();
  }

 private:
  void drop_pages(std::span<const uint8_t> bytes) const override {
    const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
    const uintptr_t start = (reinterpret_cast<uintptr_t>(bytes.data()) + page - 1) / page * page;
    const uintptr_t end = reinterpret_cast<uintptr_t>(bytes.data() + bytes.size()) / page * page;
    if (start < end) madvise(reinterpret_cast<void*>(start), end - start, MADV_DONTNEED);
  }

  void* memory_ = MAP_FAILED;
  size_t size_ = 0;
};

class OwnedElf final : public ElfImage {
 public:
  Result<void> take(std::string name, std::vector<uint8_t> bytes) {
    name_ = std::move(name);
    storage_ = std::move(bytes);
    bytes_ = storage_;
    return parse();
  }

 private:
  std::vector<uint8_t> storage_;
};

template <typename T>
std::optional<T> load(std::span<const uint8_t> bytes, uint64_t offset) {
  if (offset > bytes.size() || bytes.size() - offset < sizeof(T)) return std::nullopt;
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof(T));
  return value;
}

std::optional<std::span<const uint8_t>> part(std::span<const uint8_t> bytes, uint64_t offset, uint64_t size) {
  if (offset > bytes.size() || bytes.size() - offset < size) return std::nullopt;
  return bytes.subspan(offset, size);
}

std::string text_at(std::span<const uint8_t> bytes, uint64_t offset) {
  if (offset >= bytes.size()) return {};
  const char* text = reinterpret_cast<const char*>(bytes.data() + offset);
  return std::string(text, strnlen(text, bytes.size() - offset));
}

std::vector<uint8_t> find_note(std::span<const uint8_t> notes, std::string_view owner, uint32_t type) {
  for (uint64_t at = 0;;) {
    const auto header = load<Elf64_Nhdr>(notes, at);
    if (!header) return {};
    const uint64_t name = at + sizeof(*header);
    const uint64_t descriptor = name + ((uint64_t{header->n_namesz} + 3) & ~3ull);
    const uint64_t next = descriptor + ((uint64_t{header->n_descsz} + 3) & ~3ull);
    const auto content = part(notes, descriptor, header->n_descsz);
    if (!content) return {};
    // Go counts the padding of its own name in.
    if (header->n_type == type && header->n_namesz > owner.size() && header->n_namesz <= owner.size() + 4 &&
        text_at(notes, name) == owner)
      return {content->begin(), content->end()};
    at = next;
  }
}

}  // namespace

bool is_debug_section(const ElfSection& section, std::string_view name) {
  std::string_view rest = section.name;
  if (rest.starts_with(kDebugPrefix))
    rest.remove_prefix(kDebugPrefix.size());
  else if (rest.starts_with(kOldPrefix))
    rest.remove_prefix(kOldPrefix.size());
  else
    return false;
  return rest == name;
}

Result<std::shared_ptr<const ElfImage>> ElfImage::map_file(const std::filesystem::path& path) {
  auto image = std::make_shared<MappedElf>();
  TRY_VOID(image->open(path));
  return image;
}

Result<std::shared_ptr<const ElfImage>> ElfImage::from_bytes(std::string name, std::vector<uint8_t> bytes) {
  auto image = std::make_shared<OwnedElf>();
  TRY_VOID(image->take(std::move(name), std::move(bytes)));
  return image;
}

Result<void> ElfImage::parse() {
  const auto header = load<Elf64_Ehdr>(bytes_, 0);
  if (!header || std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0)
    return failure(ErrorKind::BadInput, fmt::format("{}: is no ELF file", name_));
  if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_machine != EM_X86_64)
    return failure(ErrorKind::Unsupported, fmt::format("{}: is no x86-64 ELF file", name_));

  for (uint64_t index = 0; header->e_phentsize == sizeof(Elf64_Phdr) && index < header->e_phnum; ++index) {
    const auto segment = load<Elf64_Phdr>(bytes_, header->e_phoff + index * sizeof(Elf64_Phdr));
    if (!segment) break;
    segments_.push_back({segment->p_type, segment->p_flags, segment->p_offset, segment->p_vaddr, segment->p_filesz,
                         segment->p_memsz, segment->p_align});
  }
  if (header->e_shentsize != sizeof(Elf64_Shdr) || header->e_shoff == 0) return {};
  // More than 0xFF00 sections: the count and the name table's index are in section 0 (gABI, "Section Header").
  const auto first = load<Elf64_Shdr>(bytes_, header->e_shoff);
  if (!first) return {};
  const uint64_t count = header->e_shnum != 0 ? header->e_shnum : first->sh_size;
  const uint64_t names_index = header->e_shstrndx == SHN_XINDEX ? first->sh_link : header->e_shstrndx;
  std::span<const uint8_t> names;
  if (const auto table = load<Elf64_Shdr>(bytes_, header->e_shoff + names_index * sizeof(Elf64_Shdr)))
    if (const auto content = part(bytes_, table->sh_offset, table->sh_size)) names = *content;
  for (uint64_t index = 0; index < count; ++index) {
    const auto section = load<Elf64_Shdr>(bytes_, header->e_shoff + index * sizeof(Elf64_Shdr));
    if (!section) break;
    sections_.push_back({text_at(names, section->sh_name), section->sh_type, section->sh_flags, section->sh_addr,
                         section->sh_offset, section->sh_size, section->sh_link});
  }
  return {};
}

const ElfSection* ElfImage::section(std::string_view name) const {
  auto found = std::find_if(sections_.begin(), sections_.end(), [&](const auto& one) { return one.name == name; });
  return found == sections_.end() ? nullptr : &*found;
}

const ElfSection* ElfImage::debug_section(std::string_view name) const {
  auto found =
      std::find_if(sections_.begin(), sections_.end(), [&](const auto& one) { return is_debug_section(one, name); });
  return found == sections_.end() ? nullptr : &*found;
}

std::optional<std::span<const uint8_t>> ElfImage::content(const ElfSection& section) const {
  if (section.type == SHT_NOBITS) return std::nullopt;
  const auto stored = part(bytes_, section.offset, section.size);
  if (!stored) return std::nullopt;
  const auto packing = (section.flags & SHF_COMPRESSED) != 0  ? SectionPacking::Header
                       : section.name.starts_with(kOldPrefix) ? SectionPacking::OldName
                                                              : SectionPacking::None;
  if (packing == SectionPacking::None) return stored;
  const std::lock_guard lock(inflating_);
  if (inflated_.empty()) inflated_.resize(sections_.size());
  auto& kept = inflated_[static_cast<size_t>(&section - sections_.data())];
  if (!kept) {
    kept = inflate_section(*stored, packing).value_or(SectionContent{});
    drop_pages(*stored);
  }
  if (kept->storage == nullptr) return std::nullopt;
  return kept->bytes;
}

bool ElfImage::has_debug_information() const {
  const ElfSection* information = debug_section("info");
  return information != nullptr && information->type != SHT_NOBITS && information->size > 0;
}

bool ElfImage::has_code() const {
  if (sections_.empty()) return true;
  return std::any_of(sections_.begin(), sections_.end(),
                     [](const auto& one) { return one.type == SHT_PROGBITS && (one.flags & SHF_EXECINSTR) != 0; });
}

bool ElfImage::has_symbol_table() const {
  return std::any_of(sections_.begin(), sections_.end(), [](const auto& one) { return one.type == SHT_SYMTAB; });
}

std::vector<uint8_t> ElfImage::note(std::string_view owner, uint32_t type) const {
  // Sections first: the program headers of a file that keeps only debug information give offsets of another file.
  for (const ElfSection& one : sections_) {
    if (one.type != SHT_NOTE) continue;
    if (const auto notes = part(bytes_, one.offset, one.size))
      if (auto found = find_note(*notes, owner, type); !found.empty()) return found;
  }
  if (!sections_.empty()) return {};
  for (const ElfSegment& one : segments_) {
    if (one.type != PT_NOTE) continue;
    if (const auto notes = part(bytes_, one.offset, one.file_size))
      if (auto found = find_note(*notes, owner, type); !found.empty()) return found;
  }
  return {};
}

std::vector<uint8_t> ElfImage::build_id() const {
  return note("GNU", NT_GNU_BUILD_ID);
}

std::vector<uint8_t> ElfImage::go_build_id() const {
  constexpr uint32_t kGoBuildId = 4;  // cmd/link/internal/ld/elf.go, ELF_NOTE_GOBUILDID_TAG
  return note("Go", kGoBuildId);
}

std::optional<DebugLink> ElfImage::debug_link() const {
  const ElfSection* link = section(".gnu_debuglink");
  if (!link) return std::nullopt;
  const auto content = part(bytes_, link->offset, link->size);
  if (!content) return std::nullopt;
  DebugLink result;
  result.file_name = text_at(*content, 0);
  const auto checksum = load<uint32_t>(*content, (result.file_name.size() + 1 + 3) & ~3ull);
  if (result.file_name.empty() || !checksum) return std::nullopt;
  result.checksum = *checksum;
  return result;
}

size_t ElfImage::read_segment(uint64_t address, std::span<uint8_t> to) const {
  for (const ElfSegment& segment : segments_) {
    if (segment.type != PT_LOAD || address < segment.address || address - segment.address >= segment.file_size)
      continue;
    const uint64_t skip = address - segment.address;
    const uint64_t length = std::min<uint64_t>(segment.file_size - skip, to.size());
    const auto content = part(bytes_, segment.offset + skip, length);
    if (!content) return 0;
    std::copy(content->begin(), content->end(), to.begin());
    return length;
  }
  return 0;
}

}  // namespace mortem::inspector
