#include "snapshot/clone/clone_core.h"

#include <elf.h>
#include <fmt/format.h>
#include <time.h>

#include <algorithm>
#include <cstring>

#include "snapshot/clone/clone_description.h"
#include "snapshot/clone/clone_layout.h"
#include "snapshot/clone/core_builder.h"
#include "snapshot/clone/cpu_state.h"
#include "snapshot/clone/device_states.h"
#include "snapshot/clone/guest_facts.h"
#include "snapshot/clone/guest_memory.h"
#include "snapshot/folder_checksums.h"
#include "snapshot/little_endian.h"
#include "snapshot/xxhash64.h"

namespace mortem::snapshot {

namespace fs = std::filesystem;

namespace {

using namespace format;

constexpr uint32_t kProcess = 2;  // kernel/task/process.h
constexpr size_t kFloatingPointBytes = 512;

// Headers and notes, then pages of the memory file.
class CloneSourceBytes final : public ByteSource {
 public:
  CloneSourceBytes(std::string name, std::vector<uint8_t> head, std::vector<CloneExtent> content,
                   uint64_t content_bytes, std::unique_ptr<ByteSource> memory)
      : name_(std::move(name)),
        head_(std::move(head)),
        content_(std::move(content)),
        size_(head_.size() + content_bytes),
        memory_(std::move(memory)) {}

  uint64_t size() const override { return size_; }
  const std::string& name() const override { return name_; }

  Result<void> read(uint64_t offset, std::span<uint8_t> to) const override {
    TRY_VOID(check_range(offset, to.size()));
    if (offset < head_.size()) {
      const size_t part = std::min<uint64_t>(to.size(), head_.size() - offset);
      std::memcpy(to.data(), head_.data() + offset, part);
      to = to.subspan(part);
      offset += part;
    }
    offset -= head_.size();
    auto extent = std::upper_bound(content_.begin(), content_.end(), offset,
                                   [](uint64_t value, const CloneExtent& one) { return value < one.at; });
    if (!to.empty()) --extent;
    for (; !to.empty(); ++extent) {
      const uint64_t inside = offset - extent->at;
      const size_t part = std::min<uint64_t>(to.size(), extent->length - inside);
      if (extent->source == kZeros)
        std::memset(to.data(), 0, part);
      else
        TRY_VOID(memory_->read(extent->source + inside, to.first(part)));
      to = to.subspan(part);
      offset += part;
    }
    return {};
  }

 private:
  const std::string name_;
  const std::vector<uint8_t> head_;
  const std::vector<CloneExtent> content_;  // by place, without gaps
  const uint64_t size_;
  const std::unique_ptr<ByteSource> memory_;
};

Result<std::vector<uint8_t>> read_state(const fs::path& folder, const CloneDescription& clone) {
  const fs::path path = folder / clone.state_file;
  const auto bytes = TRY(open_plain_file(path));
  if (bytes->size() != clone.state_bytes)
    return failure(ErrorKind::BadInput, fmt::format("{}: has {} bytes, {} says {}: cut short or changed", path.string(),
                                                    bytes->size(), kCloneDescriptionFile, clone.state_bytes));
  constexpr uint64_t kLargest = 256 << 20;
  if (bytes->size() > kLargest) return failure(ErrorKind::BadInput, path.string() + ": too large for a state");
  std::vector<uint8_t> content(bytes->size());
  TRY_VOID(bytes->read(0, content));
  if (xxhash64(content) != clone.state_checksum)
    return failure(ErrorKind::BadInput, fmt::format("{}: its checksum is not the one in {}: changed or damaged",
                                                    path.string(), kCloneDescriptionFile));
  return content;
}

std::string moment_text(int64_t moment_us) {
  const time_t seconds = moment_us / 1'000'000;
  tm broken{};
  gmtime_r(&seconds, &broken);
  char text[64];
  strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &broken);
  return fmt::format("{}.{:03} UTC", text, moment_us / 1000 % 1000);
}

class Notes {
 public:
  Notes(const CloneDescription& clone, const CpuState& cpu, const GuestFacts& facts, const CloneLayout& layout)
      : clone_(clone), cpu_(cpu), facts_(facts), layout_(layout) {}

  CoreBuilder write() {
    bool first = true;
    for (const GuestThread& thread : facts_.threads) {
      if (!thread.registers_known) continue;  // zeros would be a lie
      thread_notes(thread);
      if (first) process_notes();
      first = false;
    }
    reason();
    identity();
    machine();
    builder_.mortem_note(NoteType::Modules, facts_.modules);
    names();
    if (!facts_.open_files.sockets.empty()) {
      builder_.mortem_note(NoteType::DescriptorTable, facts_.open_files.descriptors);
      builder_.mortem_note(NoteType::SocketTable, facts_.open_files.sockets);
    }
    text(NoteType::StandardError, facts_.standard_error);
    text(NoteType::StandardOutput, facts_.standard_output);
    text(NoteType::KernelLog, facts_.kernel_log);
    builder_.mortem_note(NoteType::PageMap, {reinterpret_cast<const uint8_t*>(layout_.page_map.data()),
                                             layout_.page_map.size() * sizeof(PageMapEntry)});
    return std::move(builder_);
  }

 private:
  void thread_notes(const GuestThread& thread) {
    PrStatus status{};
    status.pid = static_cast<int32_t>(thread.id);
    status.registers = thread.registers;
    status.fpvalid = thread.extended_state.size() >= kFloatingPointBytes;
    builder_.note("CORE", NT_PRSTATUS, bytes_of(status));
    const std::span<const uint8_t> state(thread.extended_state);
    if (state.size() < kFloatingPointBytes) return;
    builder_.note("CORE", NT_FPREGSET, state.first(kFloatingPointBytes));
    if (state.size() > kFloatingPointBytes) builder_.note("LINUX", NT_X86_XSTATE, state);
  }

  void process_notes() {
    PrPsInfo info{};
    info.sname = 'R';
    info.pid = kProcess;
    const std::string program = clone_.program.substr(clone_.program.rfind('/') + 1);
    program.copy(info.filename, sizeof info.filename - 1);
    facts_.command_line.copy(info.arguments, sizeof info.arguments - 1);
    builder_.note("CORE", NT_PRPSINFO, bytes_of(info));
    std::vector<uint64_t> auxiliary = facts_.auxiliary_vector;
    auxiliary.insert(auxiliary.end(), {AT_NULL, 0});
    builder_.note("CORE", NT_AUXV, {reinterpret_cast<const uint8_t*>(auxiliary.data()), auxiliary.size() * 8});
    file_mappings();
  }

  // As the kernel's dumps do: without files that live in memory, which a debugger would look for in vain.
  void file_mappings() {
    std::vector<uint64_t> words = {0, 4096};
    std::string paths;
    for (const GuestArea& area : facts_.areas) {
      if (area.path.empty() || area.in_memory) continue;
      ++words[0];
      words.insert(words.end(), {area.start, area.end, area.file_offset / 4096});
      paths += area.path;
      paths += '\0';
    }
    if (words[0] == 0) return;
    std::vector<uint8_t> note(words.size() * 8 + paths.size());
    std::memcpy(note.data(), words.data(), words.size() * 8);
    std::memcpy(note.data() + words.size() * 8, paths.data(), paths.size());
    builder_.note("CORE", NT_FILE, note);
  }

  template <typename Note>
  void whole(NoteType type, Note& note) {
    note.header = {1, sizeof note};
    builder_.note(kNoteOwner, static_cast<uint32_t>(type), bytes_of(note));
  }

  void reason() {
    ReasonNote note{};
    note.kind = ReasonKind::OnDemand;
    note.level = DumpLevel::Full;
    note.thread = facts_.current_thread;
    const std::string message =
        fmt::format("a clone of {} as it ran at {}: nothing crashed", clone_.name, moment_text(clone_.moment_us));
    message.copy(note.message, sizeof note.message - 1);
    whole(NoteType::Reason, note);
  }

  void identity() {
    IdentityNote note{};
    std::memcpy(note.boot_id, facts_.description.boot_id, sizeof note.boot_id);
    note.wall_clock_ns = facts_.wall_clock_ns;
    note.uptime_ns = facts_.uptime_ns;
    note.memory_bytes = clone_.memory_bytes;
    note.resident_bytes = layout_.content_bytes;
    whole(NoteType::Identity, note);
  }

  void machine() {
    MachineRegistersNote note{};
    note.thread = facts_.current_thread;
    note.in_kernel = facts_.in_kernel && facts_.current_thread != 0 ? 1 : 0;
    note.registers = cpu_.registers;
    whole(NoteType::MachineRegisters, note);
  }

  void names() {
    std::vector<uint8_t> content;
    for (const GuestThread& thread : facts_.threads) {
      ThreadName name{};
      name.thread = thread.id;
      thread.name.copy(name.name, sizeof name.name - 1);
      content.insert(content.end(), bytes_of(name).begin(), bytes_of(name).end());
    }
    builder_.mortem_note(NoteType::ThreadNames, content);
    content.clear();
    for (const GuestThread& thread : facts_.threads) {
      if (thread.switch_frame == 0) continue;
      const KernelContext context{thread.id, 0, thread.switch_frame};
      content.insert(content.end(), bytes_of(context).begin(), bytes_of(context).end());
    }
    builder_.mortem_note(NoteType::KernelContexts, content);
  }

  void text(NoteType type, const std::string& text) {
    builder_.mortem_note(type, {reinterpret_cast<const uint8_t*>(text.data()), text.size()});
  }

  const CloneDescription& clone_;
  const CpuState& cpu_;
  const GuestFacts& facts_;
  const CloneLayout& layout_;
  CoreBuilder builder_;
};

}  // namespace

Result<FolderChecksums> check_clone_files(const fs::path& folder, const CloneDescription& clone) {
  if (!clone.checksums) return FolderChecksums();
  FolderChecksums checksums = TRY(FolderChecksums::read(folder, *clone.checksums));
  TRY_VOID(checksums.check_sizes(folder));
  TRY_VOID(checksums.check_content(folder, kLargestCheckedAtOnce));
  return checksums;
}

Result<std::unique_ptr<ByteSource>> open_clone(const fs::path& folder) {
  const CloneDescription clone = TRY(read_clone_description(folder));
  auto memory = TRY(open_plain_file(folder / clone.memory_file));
  if (memory->size() != clone.memory_bytes)
    return failure(ErrorKind::BadInput,
                   fmt::format("{}: has {} bytes, {} says {}: cut short or changed", memory->name(), memory->size(),
                               kCloneDescriptionFile, clone.memory_bytes));
  const std::string state_name = (folder / clone.state_file).string();
  const DeviceStates states = TRY(DeviceStates::parse(TRY(read_state(folder, clone)), state_name));
  const CpuState cpu = TRY(read_cpu_state(states, state_name));
  if (!clone.checksums) return open_moment(clone, folder.string(), std::move(memory), cpu);
  const FolderChecksums checksums = TRY(check_clone_files(folder, clone));
  const FileChecksums* of_memory = checksums.find(clone.memory_file);
  if (!of_memory || of_memory->bytes != memory->size())
    return failure(ErrorKind::BadInput,
                   fmt::format("{}: has no checksums of {}", (folder / kChecksumsFile).string(), clone.memory_file));
  auto checked = std::make_unique<CheckedFile>(std::move(memory), *of_memory);
  CheckedFile* const file = checked.get();  // the moment's from here on
  const auto find_damage = file->damage_of();
  auto moment = open_moment(clone, folder.string(), std::move(checked), cpu);
  if (moment)
    file->tell_from_now_on();
  else if (const std::string damage = find_damage(); !damage.empty())
    return failure(ErrorKind::BadInput, damage);
  return moment;
}

Result<std::unique_ptr<ByteSource>> open_moment(const CloneDescription& description, std::string name,
                                                std::unique_ptr<ByteSource> memory, const CpuState& cpu) {
  GuestMemory guest(*memory, description.memory_below_4g);
  const GuestFacts facts = TRY(read_guest_facts(guest, cpu, memory->name()));
  CloneLayout layout = lay_out_clone(guest, facts);
  std::vector<uint8_t> head = Notes(description, cpu, facts, layout).write().finish(layout.segments);
  return std::make_unique<CloneSourceBytes>(std::move(name), std::move(head), std::move(layout.content),
                                            layout.content_bytes, std::move(memory));
}

}  // namespace mortem::snapshot
