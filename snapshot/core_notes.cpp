#include "snapshot/core_notes.h"

#include <elf.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "snapshot/little_endian.h"

namespace mortem::snapshot {
namespace {

// More than any guest of a size that can be dumped needs; keeps a lying length from eating the host's memory.
constexpr uint64_t kMaximumNoteLength = 512 << 20;
constexpr size_t kFloatingPointSize = 512;  // user_fpregs_struct of x86-64
constexpr size_t kSiginfoSize = 128;

template <size_t N>
std::string text_of(const char (&field)[N]) {
  return std::string(field, strnlen(field, N));
}

class NoteReader {
 public:
  NoteReader(const ByteSource& bytes, CoreNotes& notes) : bytes_(bytes), notes_(notes) {}

  Result<void> read_segment(const NoteSegment& segment) {
    auto align = [&](uint64_t value) { return (value + segment.alignment - 1) & ~(segment.alignment - 1); };
    uint64_t at = 0;
    while (segment.size - at >= sizeof(Elf64_Nhdr)) {
      Elf64_Nhdr header;
      TRY_VOID(bytes_.read(segment.file_offset + at, writable_bytes_of(header)));
      const uint64_t name_at = at + sizeof(header);
      const uint64_t descriptor_at = align(name_at + header.n_namesz);
      const uint64_t end = descriptor_at + header.n_descsz;
      offset_ = segment.file_offset + at;
      if (end > segment.size)
        return broken(fmt::format("a name of {} and a descriptor of {} bytes pass the end of its segment",
                                  header.n_namesz, header.n_descsz));
      CoreNote note{.owner = {},
                    .type = header.n_type,
                    .file_offset = segment.file_offset + descriptor_at,
                    .length = header.n_descsz,
                    .understood = false};
      if (header.n_namesz > 0 && header.n_namesz <= 64) {
        std::array<char, 65> owner{};
        TRY_VOID(
            bytes_.read(segment.file_offset + name_at, {reinterpret_cast<uint8_t*>(owner.data()), header.n_namesz}));
        note.owner = owner.data();
      }
      TRY_VOID(read_note(note));
      notes_.all.push_back(note);
      at = std::min(align(end), segment.size);
    }
    return {};
  }

  // These come in notes of their own, in any order with the threads.
  void complete_threads() {
    for (const format::ThreadName& name : thread_names_)
      for (CoreThread& thread : notes_.threads)
        if (thread.id == name.thread) thread.name = text_of(name.name);
    for (const format::KernelContext& context : kernel_contexts_)
      for (CoreThread& thread : notes_.threads)
        if (thread.id == context.thread) thread.switch_frame = context.switch_frame;
  }

 private:
  Result<void> read_note(CoreNote& note) {
    using Reader = Result<void> (NoteReader::*)(CoreNote&);
    Reader reader = nullptr;
    if (note.owner == "CORE") {
      switch (note.type) {
        case NT_PRSTATUS:
          reader = &NoteReader::read_status;
          break;
        case NT_FPREGSET:
          reader = &NoteReader::read_floating_point;
          break;
        case NT_PRPSINFO:
          reader = &NoteReader::read_process;
          break;
        case NT_AUXV:
          reader = &NoteReader::read_auxiliary_vector;
          break;
        case NT_SIGINFO:
          reader = &NoteReader::read_siginfo;
          break;
        case NT_FILE:
          reader = &NoteReader::read_files;
          break;
      }
    } else if (note.owner == "LINUX" && note.type == NT_X86_XSTATE) {
      reader = &NoteReader::read_extended_state;
    } else if (note.owner == format::kNoteOwner) {
      return read_mortem_note(note);
    }
    if (!reader) return {};
    TRY_VOID(load_descriptor(note));
    note.understood = true;
    return (this->*reader)(note);
  }

  Result<void> read_mortem_note(CoreNote& note) {
    using Reader = Result<void> (NoteReader::*)(CoreNote&);
    Reader reader = nullptr;
    switch (static_cast<format::NoteType>(note.type)) {
      case format::NoteType::MachineRegisters:
        reader = &NoteReader::read_machine_registers;
        break;
      case format::NoteType::PageMap:
        reader = &NoteReader::read_page_map;
        break;
      case format::NoteType::KernelLog:
        reader = &NoteReader::read_kernel_log;
        break;
      case format::NoteType::Modules:
        reader = &NoteReader::read_modules;
        break;
      case format::NoteType::EventRing:
        break;
      case format::NoteType::Reason:
        reader = &NoteReader::read_reason;
        break;
      case format::NoteType::Identity:
        reader = &NoteReader::read_identity;
        break;
      case format::NoteType::ThreadNames:
        reader = &NoteReader::read_thread_names;
        break;
      case format::NoteType::Occurrence:
        reader = &NoteReader::read_occurrence;
        break;
      case format::NoteType::StandardError:
        reader = &NoteReader::read_standard_error;
        break;
      case format::NoteType::StandardOutput:
        reader = &NoteReader::read_standard_output;
        break;
      case format::NoteType::DescriptorTable:
        reader = &NoteReader::read_descriptors;
        break;
      case format::NoteType::SocketTable:
        reader = &NoteReader::read_sockets;
        break;
      case format::NoteType::KernelContexts:
        reader = &NoteReader::read_kernel_contexts;
        break;
    }
    if (!reader) return {};
    TRY_VOID(load_descriptor(note));
    const auto header = load<format::NoteHeader>(descriptor_);
    if (!header || header->length < sizeof(format::NoteHeader) || header->length > descriptor_.size())
      return broken(fmt::format("MORTEM note {}: its header does not agree with its {} bytes", note.type, note.length));
    if (header->version != 1) return {};  // of a later Mortem: listed as not understood
    descriptor_.resize(header->length);
    note.understood = true;
    return (this->*reader)(note);
  }

  // Piece by piece, so that a length without bytes behind it costs nothing.
  Result<void> load_descriptor(const CoreNote& note) {
    if (note.length > kMaximumNoteLength)
      return broken(fmt::format("a descriptor of {} bytes is more than a core can need", note.length));
    constexpr uint64_t kPiece = 1 << 20;
    descriptor_.clear();
    while (descriptor_.size() < note.length) {
      const size_t have = descriptor_.size();
      const size_t piece = std::min<uint64_t>(kPiece, note.length - have);
      descriptor_.resize(have + piece);
      TRY_VOID(bytes_.read(note.file_offset + have, std::span(descriptor_).subspan(have)));
    }
    return {};
  }

  tl::unexpected<Error> broken(const std::string& what) const {
    return failure(ErrorKind::BadInput, fmt::format("{}: note at offset {:#x}: {}", bytes_.name(), offset_, what));
  }
  tl::unexpected<Error> wrong_size(const char* type, size_t wanted) const {
    return broken(fmt::format("{} of {} bytes, not {}", type, descriptor_.size(), wanted));
  }

  Result<void> read_status(CoreNote&) {
    const auto status = load<format::PrStatus>(descriptor_);
    if (!status || descriptor_.size() != sizeof(format::PrStatus))
      return wrong_size("NT_PRSTATUS", sizeof(format::PrStatus));
    CoreThread thread;
    thread.id = static_cast<uint32_t>(status->pid);
    thread.registers = status->registers;
    thread.signal = status->cursig;
    notes_.threads.push_back(std::move(thread));
    return {};
  }

  // These follow the NT_PRSTATUS of their thread.
  Result<void> read_floating_point(CoreNote&) {
    if (descriptor_.size() != kFloatingPointSize) return wrong_size("NT_FPREGSET", kFloatingPointSize);
    if (notes_.threads.empty()) return broken("NT_FPREGSET before the first NT_PRSTATUS");
    notes_.threads.back().floating_point = descriptor_;
    return {};
  }
  Result<void> read_extended_state(CoreNote&) {
    if (notes_.threads.empty()) return broken("NT_X86_XSTATE before the first NT_PRSTATUS");
    notes_.threads.back().extended_state = descriptor_;
    return {};
  }

  Result<void> read_siginfo(CoreNote&) {
    if (descriptor_.size() < kSiginfoSize) return wrong_size("NT_SIGINFO", kSiginfoSize);
    if (!notes_.threads.empty())
      notes_.threads.back().siginfo.assign(descriptor_.begin(), descriptor_.begin() + kSiginfoSize);
    if (!notes_.siginfo.empty()) return {};  // gcore writes one for each thread; the first is the crashed one's
    notes_.siginfo.assign(descriptor_.begin(), descriptor_.begin() + kSiginfoSize);
    return {};
  }

  Result<void> read_process(CoreNote&) {
    const auto process = load<format::PrPsInfo>(descriptor_);
    if (!process) return wrong_size("NT_PRPSINFO", sizeof(format::PrPsInfo));
    notes_.process_id = process->pid > 0 ? static_cast<uint32_t>(process->pid) : 0;
    notes_.program_name = text_of(process->filename);
    notes_.command_line = text_of(process->arguments);
    while (notes_.command_line.ends_with(' ')) notes_.command_line.pop_back();  // Linux leaves one
    return {};
  }

  Result<void> read_auxiliary_vector(CoreNote&) {
    if (descriptor_.size() % 16 != 0)
      return broken(fmt::format("NT_AUXV of {} bytes is not pairs", descriptor_.size()));
    notes_.auxiliary_vector.clear();
    for (size_t at = 0; at < descriptor_.size(); at += 16) {
      const uint64_t type = *load<uint64_t>(descriptor_, at);
      if (type == AT_NULL) break;
      notes_.auxiliary_vector.push_back(type);
      notes_.auxiliary_vector.push_back(*load<uint64_t>(descriptor_, at + 8));
    }
    return {};
  }

  // Linux fs/binfmt_elf.c, fill_files_note: count, page size, {start, end, offset in pages}[count], paths.
  Result<void> read_files(CoreNote&) {
    const auto count = load<uint64_t>(descriptor_), page_size = load<uint64_t>(descriptor_, 8);
    if (!count || !page_size || *count > (descriptor_.size() - 16) / 24) return broken("NT_FILE is cut short");
    size_t path_at = 16 + *count * 24;
    for (uint64_t index = 0; index < *count; ++index) {
      const size_t at = 16 + index * 24;
      CoreFileMapping mapping{*load<uint64_t>(descriptor_, at),
                              *load<uint64_t>(descriptor_, at + 8),
                              *load<uint64_t>(descriptor_, at + 16) * *page_size,
                              {}};
      const auto* path = reinterpret_cast<const char*>(descriptor_.data()) + path_at;
      const size_t left = descriptor_.size() - path_at, length = strnlen(path, left);
      if (length == left) return broken(fmt::format("NT_FILE ends inside path {}", index));
      if (mapping.end < mapping.start) return broken(fmt::format("NT_FILE mapping {} ends before it starts", index));
      mapping.path.assign(path, length);
      path_at += length + 1;
      notes_.file_mappings.push_back(std::move(mapping));
    }
    return {};
  }

  template <typename Note>
  Result<void> read_struct(const char* type, std::optional<Note>& to) {
    to = load<Note>(descriptor_);
    if (!to)
      return broken(
          fmt::format("MORTEM {} note of {} bytes, at least {} are needed", type, descriptor_.size(), sizeof(Note)));
    return {};
  }
  Result<void> read_machine_registers(CoreNote&) { return read_struct("machine registers", notes_.machine_registers); }
  Result<void> read_reason(CoreNote&) {
    TRY_VOID(read_struct("reason", notes_.reason));
    notes_.reason->message[sizeof(notes_.reason->message) - 1] = '\0';
    return {};
  }
  Result<void> read_identity(CoreNote&) {
    TRY_VOID(read_struct("identity", notes_.identity));
    notes_.identity->kernel_version[sizeof(notes_.identity->kernel_version) - 1] = '\0';
    return {};
  }

  Result<void> read_occurrence(CoreNote&) { return read_struct("occurrence", notes_.occurrence); }

  template <typename Entry>
  Result<void> read_array(const char* type, std::vector<Entry>& to) {
    const size_t length = descriptor_.size() - sizeof(format::NoteHeader);
    if (length % sizeof(Entry) != 0)
      return broken(fmt::format("MORTEM {} note: {} bytes are not a multiple of {}", type, length, sizeof(Entry)));
    to.resize(length / sizeof(Entry));
    if (length > 0) std::memcpy(to.data(), descriptor_.data() + sizeof(format::NoteHeader), length);
    return {};
  }
  Result<void> read_kernel_contexts(CoreNote&) { return read_array("kernel contexts", kernel_contexts_); }
  Result<void> read_thread_names(CoreNote&) { return read_array("thread names", thread_names_); }
  Result<void> read_page_map(CoreNote&) {
    TRY_VOID(read_array("page map", notes_.page_map));
    for (const format::PageMapEntry& entry : notes_.page_map)
      if (entry.length == 0 || entry.virtual_start + (entry.length - 1) < entry.virtual_start)
        return broken(
            fmt::format("MORTEM page map: {:#x} bytes at {:#x} are no range", entry.length, entry.virtual_start));
    std::stable_sort(notes_.page_map.begin(), notes_.page_map.end(),
                     [](const auto& a, const auto& b) { return a.virtual_start < b.virtual_start; });
    return {};
  }

  Result<void> read_text(std::string& to) {
    to.assign(descriptor_.begin() + sizeof(format::NoteHeader), descriptor_.end());
    while (!to.empty() && to.back() == '\0') to.pop_back();  // the descriptor may be filled up with NUL
    return {};
  }
  Result<void> read_kernel_log(CoreNote&) { return read_text(notes_.kernel_log); }
  Result<void> read_standard_error(CoreNote&) { return read_text(notes_.standard_error); }
  Result<void> read_standard_output(CoreNote&) { return read_text(notes_.standard_output); }

  Result<void> read_modules(CoreNote&) {
    for (size_t at = sizeof(format::NoteHeader); at < descriptor_.size();) {
      const auto entry = load<format::ModuleEntry>(descriptor_, at);
      if (!entry || entry->entry_length > descriptor_.size() - at ||
          entry->entry_length < sizeof(*entry) + entry->id_length + entry->path_length)
        return broken(fmt::format("MORTEM modules note: module {} is cut short", notes_.modules.size()));
      const uint8_t* id = descriptor_.data() + at + sizeof(*entry);
      CoreModule module;
      module.kind = entry->kind;
      module.id_kind = entry->id_kind;
      module.id.assign(id, id + entry->id_length);
      module.path.assign(reinterpret_cast<const char*>(id) + entry->id_length, entry->path_length);
      module.load_bias = entry->load_bias;
      module.start = entry->start;
      module.end = entry->end;
      notes_.modules.push_back(std::move(module));
      at += entry->entry_length;
    }
    return {};
  }

  Result<void> read_descriptors(CoreNote&) {
    auto read = parse_descriptor_table(std::span(descriptor_).subspan(sizeof(format::NoteHeader)));
    if (!read) return broken("MORTEM descriptors note: " + read.error().message);
    notes_.open_files.descriptors = std::move(*read);
    return {};
  }
  Result<void> read_sockets(CoreNote&) {
    auto read = parse_socket_table(std::span(descriptor_).subspan(sizeof(format::NoteHeader)));
    if (!read) return broken("MORTEM sockets note: " + read.error().message);
    notes_.open_files.sockets = std::move(*read);
    return {};
  }

  const ByteSource& bytes_;
  CoreNotes& notes_;
  std::vector<format::ThreadName> thread_names_;
  std::vector<format::KernelContext> kernel_contexts_;
  std::vector<uint8_t> descriptor_;  // of the note at hand
  uint64_t offset_ = 0;              // of the note at hand, in the file
};

}  // namespace

Result<CoreNotes> parse_core_notes(const ByteSource& bytes, const std::vector<NoteSegment>& segments) {
  CoreNotes notes;
  NoteReader reader(bytes, notes);
  for (const NoteSegment& segment : segments) TRY_VOID(reader.read_segment(segment));
  reader.complete_threads();
  return notes;
}

}  // namespace mortem::snapshot
