#include "snapshot/core_file.h"

#include <fmt/format.h>

#include <algorithm>

#include "snapshot/clone/clone_core.h"
#include "snapshot/clone/clone_description.h"
#include "snapshot/core_memory.h"
#include "snapshot/core_modules.h"
#include "snapshot/core_notes.h"
#include "snapshot/elf_core.h"

namespace mortem::snapshot {
namespace {

class ElfCoreFile final : public CoreFile {
 public:
  ElfCoreFile(std::unique_ptr<ByteSource> bytes, std::vector<CoreSegment> segments, CoreNotes notes)
      : bytes_(std::move(bytes)),
        segments_(std::move(segments)),
        notes_(std::move(notes)),
        memory_(*bytes_, segments_, notes_.page_map) {
    std::stable_sort(segments_.begin(), segments_.end(),
                     [](const CoreSegment& a, const CoreSegment& b) { return a.address < b.address; });
    const ReadMemory read = [this](uint64_t address, std::span<uint8_t> to) { return memory_.read(address, to); };
    if (notes_.modules.empty()) notes_.modules = find_core_modules(read, notes_);
    add_go_build_ids(read, notes_.modules);
    // Linux and gdb write the crashed thread first; our dumps name it.
    if (notes_.reason && notes_.reason->thread != 0)
      std::stable_partition(notes_.threads.begin(), notes_.threads.end(),
                            [&](const CoreThread& thread) { return thread.id == notes_.reason->thread; });
  }

  const std::string& name() const override { return bytes_->name(); }
  const ByteSource& bytes() const override { return *bytes_; }
  const std::vector<CoreThread>& threads() const override { return notes_.threads; }
  const std::vector<CoreModule>& modules() const override { return notes_.modules; }
  const std::vector<CoreSegment>& segments() const override { return segments_; }
  const std::vector<CoreFileMapping>& file_mappings() const override { return notes_.file_mappings; }
  const std::vector<uint64_t>& auxiliary_vector() const override { return notes_.auxiliary_vector; }
  std::optional<format::ReasonNote> reason() const override { return notes_.reason; }
  std::optional<format::IdentityNote> identity() const override { return notes_.identity; }
  std::optional<format::MachineRegistersNote> machine_registers() const override { return notes_.machine_registers; }
  const std::vector<format::PageMapEntry>& page_map() const override { return notes_.page_map; }
  const std::string& kernel_log() const override { return notes_.kernel_log; }
  const std::string& standard_error() const override { return notes_.standard_error; }
  const std::string& standard_output() const override { return notes_.standard_output; }
  std::optional<format::OccurrenceNote> occurrence() const override { return notes_.occurrence; }
  std::span<const uint8_t> siginfo() const override { return notes_.siginfo; }
  uint32_t process_id() const override { return notes_.process_id; }
  std::string program_name() const override { return notes_.program_name; }
  std::string command_line() const override { return notes_.command_line; }
  const std::vector<CoreNote>& notes() const override { return notes_.all; }
  const OpenFiles& open_files() const override { return notes_.open_files; }

  Result<size_t> read_memory(uint64_t address, std::span<uint8_t> to) const override {
    return memory_.read(address, to);
  }

 private:
  std::unique_ptr<ByteSource> bytes_;
  std::vector<CoreSegment> segments_;
  CoreNotes notes_;
  CoreMemory memory_;
};

}  // namespace

Result<std::unique_ptr<CoreFile>> CoreFile::from(std::unique_ptr<ByteSource> bytes) {
  ElfCore core = TRY(parse_elf_core(*bytes));
  CoreNotes notes = TRY(parse_core_notes(*bytes, core.notes));
  return std::make_unique<ElfCoreFile>(std::move(bytes), std::move(core.segments), std::move(notes));
}

Result<std::unique_ptr<CoreFile>> CoreFile::open(const std::filesystem::path& path) {
  if (is_clone_folder(path)) return from(TRY(open_clone(path)));
  return from(TRY(open_bytes(path)));
}

}  // namespace mortem::snapshot
