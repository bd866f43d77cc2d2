#include "dump_builder.h"

#include <elf.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zstd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <stdexcept>

#include "snapshot/little_endian.h"
#include "snapshot/xxhash64.h"
#include "snapshot/zstd_frames.h"

namespace mortem::test {
namespace {

void append(Bytes& to, std::span<const uint8_t> bytes) {
  to.insert(to.end(), bytes.begin(), bytes.end());
}
template <typename T>
void append_value(Bytes& to, const T& value) {
  append(to, snapshot::bytes_of(value));
}
void pad(Bytes& to, size_t alignment) {
  to.resize((to.size() + alignment - 1) / alignment * alignment);
}

void append_note(Bytes& to, const std::string& owner, uint32_t type, std::span<const uint8_t> descriptor) {
  append_value(to, Elf64_Nhdr{static_cast<uint32_t>(owner.size() + 1), static_cast<uint32_t>(descriptor.size()), type});
  append(to, {reinterpret_cast<const uint8_t*>(owner.c_str()), owner.size() + 1});
  pad(to, 4);
  append(to, descriptor);
  pad(to, 4);
}

void append_mortem_note(Bytes& to, format::NoteType type, std::span<const uint8_t> content) {
  Bytes descriptor;
  append_value(descriptor, format::NoteHeader{1, static_cast<uint32_t>(sizeof(format::NoteHeader) + content.size())});
  append(descriptor, content);
  append_note(to, format::kNoteOwner, static_cast<uint32_t>(type), descriptor);
}

template <typename Note>
void append_mortem_struct(Bytes& to, format::NoteType type, const std::optional<Note>& note) {
  if (note) append_mortem_note(to, type, snapshot::bytes_of(*note).subspan(sizeof(format::NoteHeader)));
}

Bytes file_note(const std::vector<snapshot::CoreFileMapping>& mappings) {
  Bytes descriptor;
  append_value(descriptor, uint64_t{mappings.size()});
  append_value(descriptor, uint64_t{4096});
  for (const auto& mapping : mappings) {
    append_value(descriptor, mapping.start);
    append_value(descriptor, mapping.end);
    append_value(descriptor, mapping.file_offset / 4096);
  }
  for (const auto& mapping : mappings)
    append(descriptor, {reinterpret_cast<const uint8_t*>(mapping.path.c_str()), mapping.path.size() + 1});
  return descriptor;
}

Bytes module_entries(const std::vector<snapshot::CoreModule>& modules) {
  Bytes entries;
  for (const auto& module : modules) {
    format::ModuleEntry entry{};
    const size_t used = sizeof(entry) + module.id.size() + module.path.size();
    entry.entry_length = static_cast<uint32_t>((used + 7) / 8 * 8);
    entry.kind = module.kind;
    entry.load_bias = module.load_bias;
    entry.start = module.start;
    entry.end = module.end;
    entry.id_kind = module.id_kind;
    entry.id_length = static_cast<uint16_t>(module.id.size());
    entry.path_length = static_cast<uint16_t>(module.path.size());
    append_value(entries, entry);
    append(entries, module.id);
    append(entries, {reinterpret_cast<const uint8_t*>(module.path.data()), module.path.size()});
    pad(entries, 8);
  }
  return entries;
}

void append_thread(Bytes& to, const DumpBuilder& dump, const snapshot::CoreThread& thread, bool first) {
  format::PrStatus status{};
  status.pid = static_cast<int32_t>(thread.id);
  status.cursig = static_cast<int16_t>(thread.signal);
  status.registers = thread.registers;
  status.fpvalid = !thread.floating_point.empty();
  append_note(to, "CORE", NT_PRSTATUS, snapshot::bytes_of(status));
  if (first && !(dump.program_name.empty() && dump.command_line.empty())) {
    format::PrPsInfo process{};
    dump.program_name.copy(process.filename, sizeof(process.filename));
    dump.command_line.copy(process.arguments, sizeof(process.arguments));
    process.pid = status.pid;
    append_note(to, "CORE", NT_PRPSINFO, snapshot::bytes_of(process));
  }
  if (first && !dump.siginfo.empty()) append_note(to, "CORE", NT_SIGINFO, dump.siginfo);
  if (first && !dump.auxiliary_vector.empty()) {
    Bytes vector;
    for (uint64_t value : dump.auxiliary_vector) append_value(vector, value);
    vector.resize(vector.size() + 16);  // AT_NULL
    append_note(to, "CORE", NT_AUXV, vector);
  }
  if (first && !dump.file_mappings.empty()) append_note(to, "CORE", NT_FILE, file_note(dump.file_mappings));
  if (!thread.floating_point.empty()) append_note(to, "CORE", NT_FPREGSET, thread.floating_point);
  if (!thread.extended_state.empty()) append_note(to, "LINUX", NT_X86_XSTATE, thread.extended_state);
}

Bytes all_notes(const DumpBuilder& dump) {
  Bytes notes;
  for (const auto& thread : dump.threads) append_thread(notes, dump, thread, &thread == &dump.threads.front());
  append_mortem_struct(notes, format::NoteType::Reason, dump.reason);
  append_mortem_struct(notes, format::NoteType::Identity, dump.identity);
  append_mortem_struct(notes, format::NoteType::MachineRegisters, dump.machine_registers);
  if (!dump.modules.empty()) append_mortem_note(notes, format::NoteType::Modules, module_entries(dump.modules));
  if (!dump.page_map.empty())
    append_mortem_note(
        notes, format::NoteType::PageMap,
        {reinterpret_cast<const uint8_t*>(dump.page_map.data()), dump.page_map.size() * sizeof(format::PageMapEntry)});
  if (!dump.kernel_log.empty())
    append_mortem_note(notes, format::NoteType::KernelLog,
                       {reinterpret_cast<const uint8_t*>(dump.kernel_log.data()), dump.kernel_log.size()});
  Bytes names;
  for (const auto& thread : dump.threads) {
    if (thread.name.empty()) continue;
    format::ThreadName name{thread.id, {}};
    thread.name.copy(name.name, sizeof(name.name) - 1);
    append_value(names, name);
  }
  if (!names.empty()) append_mortem_note(notes, format::NoteType::ThreadNames, names);
  for (const DumpNote& note : dump.more_notes) append_note(notes, note.owner, note.type, note.descriptor);
  return notes;
}

}  // namespace

DumpBuilder& DumpBuilder::thread(uint32_t id, const std::string& name, const format::GeneralRegisters& registers) {
  snapshot::CoreThread one;
  one.id = id;
  one.name = name;
  one.registers = registers;
  threads.push_back(std::move(one));
  return *this;
}

DumpBuilder& DumpBuilder::segment(uint64_t address, Bytes content, uint32_t flags) {
  segments.push_back({address, std::move(content), 0, flags});
  return *this;
}

Bytes DumpBuilder::core() const {
  const Bytes notes = all_notes(*this);
  const size_t header_count = segments.size() + 1;
  const bool many = header_count >= PN_XNUM;  // gABI: the count stands in section header 0 then

  Elf64_Ehdr header{};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_ident[EI_VERSION] = EV_CURRENT;
  header.e_type = ET_CORE;
  header.e_machine = EM_X86_64;
  header.e_version = EV_CURRENT;
  header.e_ehsize = sizeof(header);
  header.e_phoff = sizeof(header) + (many ? sizeof(Elf64_Shdr) : 0);
  header.e_phentsize = sizeof(Elf64_Phdr);
  header.e_phnum = many ? PN_XNUM : static_cast<uint16_t>(header_count);
  if (many) {
    header.e_shoff = sizeof(header);
    header.e_shentsize = sizeof(Elf64_Shdr);
    header.e_shnum = 1;
  }
  Bytes core;
  append_value(core, header);
  if (many) {
    Elf64_Shdr section{};
    section.sh_info = static_cast<uint32_t>(header_count);
    append_value(core, section);
  }
  uint64_t offset = core.size() + header_count * sizeof(Elf64_Phdr);
  append_value(core, Elf64_Phdr{PT_NOTE, 0, offset, 0, 0, notes.size(), 0, 4});
  offset = (offset + notes.size() + 4095) / 4096 * 4096;
  for (const DumpSegment& one : segments) {
    const uint64_t memory = std::max<uint64_t>(one.memory_size, one.content.size());
    append_value(core, Elf64_Phdr{PT_LOAD, one.flags, offset, one.address, 0, one.content.size(), memory, 4096});
    offset = (offset + one.content.size() + 4095) / 4096 * 4096;
  }
  append(core, notes);
  for (const DumpSegment& one : segments) {
    pad(core, 4096);
    append(core, one.content);
  }
  return core;
}

Bytes DumpBuilder::dump(size_t frame_size) const {
  return compress_seekable(core(), frame_size);
}

Bytes compress_seekable(std::span<const uint8_t> content, size_t frame_size, SeekTable table) {
  ZSTD_CCtx* compressor = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(compressor, ZSTD_c_checksumFlag, 1);
  Bytes file;
  std::vector<snapshot::ZstdFrame> frames;
  for (size_t at = 0; at < content.size(); at += frame_size) {
    const auto piece = content.subspan(at, std::min(frame_size, content.size() - at));
    Bytes frame(ZSTD_compressBound(piece.size()));
    const size_t size = ZSTD_compress2(compressor, frame.data(), frame.size(), piece.data(), piece.size());
    if (ZSTD_isError(size)) throw std::runtime_error(ZSTD_getErrorName(size));
    frames.push_back({file.size(), size, at, piece.size(), {}});
    if (table == SeekTable::WithChecksums) frames.back().checksum = static_cast<uint32_t>(snapshot::xxhash64(piece));
    append(file, std::span(frame).first(size));
  }
  ZSTD_freeCCtx(compressor);
  if (table != SeekTable::Without) append(file, snapshot::make_seek_table(frames));
  return file;
}

void write_file(const std::filesystem::path& path, std::span<const uint8_t> bytes) {
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  file.close();
  if (!file) throw std::runtime_error("cannot write " + path.string());
}

Bytes read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot read " + path.string());
  return Bytes(std::istreambuf_iterator<char>(file), {});
}

Bytes pattern(size_t size, uint32_t seed) {
  Bytes bytes(size);
  uint32_t state = seed * 2654435761u + 1;
  for (uint8_t& byte : bytes) {
    state = state * 1664525u + 1013904223u;
    byte = static_cast<uint8_t>(state >> 24);
  }
  return bytes;
}

namespace {
class MemorySource final : public snapshot::ByteSource {
 public:
  MemorySource(Bytes bytes, std::string name) : bytes_(std::move(bytes)), name_(std::move(name)) {}
  uint64_t size() const override { return bytes_.size(); }
  const std::string& name() const override { return name_; }
  Result<void> read(uint64_t offset, std::span<uint8_t> to) const override {
    TRY_VOID(check_range(offset, to.size()));
    if (!to.empty()) std::memcpy(to.data(), bytes_.data() + offset, to.size());
    return {};
  }

 private:
  Bytes bytes_;
  std::string name_;
};
}  // namespace

std::unique_ptr<snapshot::ByteSource> memory_source(Bytes bytes, std::string name) {
  return std::make_unique<MemorySource>(std::move(bytes), std::move(name));
}

TemporaryFolder::TemporaryFolder() {
  std::string name = (std::filesystem::temp_directory_path() / "mortem-test-XXXXXX").string();
  if (!mkdtemp(name.data())) throw std::runtime_error("no temporary folder");
  path_ = name;
}
TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string run_command(const std::string& command, int* status) {
  FILE* pipe = popen(command.c_str(), "r");
  if (!pipe) throw std::runtime_error("cannot run " + command);
  std::string output;
  char buffer[4096];
  for (size_t got; (got = fread(buffer, 1, sizeof(buffer), pipe)) > 0;) output.append(buffer, got);
  const int result = pclose(pipe);
  if (status) *status = WIFEXITED(result) ? WEXITSTATUS(result) : 128 + WTERMSIG(result);
  return output;
}

}  // namespace mortem::test
