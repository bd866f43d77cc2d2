#include "snapshot/cut_dump.h"

#include <elf.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <span>

#include "snapshot/core_notes.h"
#include "snapshot/elf_core.h"
#include "snapshot/format/notes.h"
#include "snapshot/little_endian.h"

namespace mortem::snapshot {
namespace {

constexpr uint64_t kPageSize = 4096;

// The expanded bytes so far. Their length is said to be longer than it is, so that the headers of what is missing are
// no error to those who parse them; only what is there is ever read.
class Start final : public ByteSource {
 public:
  Start(const std::string& name, std::vector<uint8_t>& bytes) : name_(name), bytes_(bytes) {}
  uint64_t size() const override { return ~uint64_t{0}; }
  const std::string& name() const override { return name_; }
  Result<void> read(uint64_t offset, std::span<uint8_t> to) const override {
    if (offset > bytes_.size() || to.size() > bytes_.size() - offset)
      return failure(ErrorKind::Unavailable,
                     fmt::format("{}: the guest ended before it had written the headers and notes of its dump", name_));
    if (!to.empty()) std::memcpy(to.data(), bytes_.data() + offset, to.size());
    return {};
  }

 private:
  const std::string& name_;
  const std::vector<uint8_t>& bytes_;
};

class Mending {
 public:
  Mending(const ByteSource& compressed, const std::vector<ZstdFrame>& frames)
      : compressed_(compressed), frames_(frames), available_(frames.back().offset + frames.back().size) {}

  Result<MendedStart> run() {
    const Start source(compressed_.name(), start_);
    // Headers and notes stand first (kernel/crash/core_writer.cpp): frame by frame until all of them are there.
    Result<void> parsed = parse(source);
    while (!parsed && parsed.error().kind == ErrorKind::Unavailable && mended_.replaced < frames_.size()) {
      const auto content = TRY(expand_frame(compressed_, frames_[mended_.replaced], mended_.replaced));
      start_.insert(start_.end(), content.begin(), content.end());
      ++mended_.replaced;
      parsed = parse(source);
    }
    TRY_VOID(std::move(parsed));
    cut_segments();
    for (const CoreNote& note : notes_.all) {
      if (note.owner != format::kNoteOwner || !note.understood) continue;
      if (note.type == static_cast<uint32_t>(format::NoteType::PageMap)) cut_page_map(note);
      if (note.type == static_cast<uint32_t>(format::NoteType::Reason))
        put(note.file_offset + offsetof(format::ReasonNote, level), kLevelCutShort);
    }
    TRY_VOID(compress());
    return std::move(mended_);
  }

 private:
  Result<void> parse(const Start& source) {
    TRY_VOID(source.read(0, writable_bytes_of(header_)));
    header_count_ = header_.e_phnum;
    if (header_.e_phnum == PN_XNUM) {
      Elf64_Shdr section;
      TRY_VOID(source.read(header_.e_shoff, writable_bytes_of(section)));
      header_count_ = section.sh_info;
    }
    if (header_.e_phoff > available_ || (available_ - header_.e_phoff) / sizeof(Elf64_Phdr) < header_count_)
      return source.read(available_, std::span(start_));  // the error for what is not there
    ElfCore core = TRY(parse_elf_core(source));
    notes_ = TRY(parse_core_notes(source, core.notes));
    stored_ = std::move(core.segments);
    std::sort(stored_.begin(), stored_.end(), [](auto& a, auto& b) { return a.address < b.address; });
    return {};
  }

  // How much of `size` bytes at `offset` of the file is there, in whole pages.
  uint64_t there(uint64_t offset, uint64_t size) const {
    const uint64_t bytes = offset < available_ ? std::min(size, available_ - offset) : 0;
    return bytes == size ? bytes : bytes & ~(kPageSize - 1);
  }

  void cut_segments() {
    for (uint64_t index = 0; index < header_count_; ++index) {
      const uint64_t at = header_.e_phoff + index * sizeof(Elf64_Phdr);
      auto header = *load<Elf64_Phdr>(start_, at);
      if (header.p_type != PT_LOAD) continue;
      header.p_filesz = header.p_memsz = there(header.p_offset, header.p_filesz);
      if (header.p_filesz == 0) header.p_type = PT_NULL;
      put(at, header);
    }
  }

  void cut_page_map(const CoreNote& note) {
    for (uint64_t at = note.file_offset + sizeof(format::NoteHeader);
         at + sizeof(format::PageMapEntry) <= note.file_offset + note.length; at += sizeof(format::PageMapEntry)) {
      auto entry = *load<format::PageMapEntry>(start_, at);
      if (entry.kind != format::PageMapKind::Stored) continue;
      const uint64_t left = stored_bytes(entry);
      if (left == entry.length) continue;
      // There is no room for a second entry: one that is cut keeps the part that is there.
      if (left == 0)
        entry.kind = format::PageMapKind::Dropped;
      else
        entry.length = left;
      put(at, entry);
    }
  }

  uint64_t stored_bytes(const format::PageMapEntry& entry) const {
    const auto after = std::upper_bound(stored_.begin(), stored_.end(), entry.virtual_start,
                                        [](uint64_t value, const CoreSegment& one) { return value < one.address; });
    if (after == stored_.begin()) return 0;
    const uint64_t inside = entry.virtual_start - std::prev(after)->address;
    return there(std::prev(after)->file_offset + inside, entry.length);
  }

  template <typename Value>
  void put(uint64_t offset, const Value& value) {
    std::memcpy(start_.data() + offset, &value, sizeof value);
  }

  Result<void> compress() {
    uint64_t compressed_offset = 0;
    for (size_t index = 0; index < mended_.replaced; ++index) {
      ZstdFrame frame = frames_[index];
      const auto bytes = TRY(compress_frame(std::span(start_).subspan(frame.offset, frame.size)));
      frame.compressed_offset = compressed_offset;
      frame.compressed_size = bytes.size();
      compressed_offset += bytes.size();
      mended_.bytes.insert(mended_.bytes.end(), bytes.begin(), bytes.end());
      mended_.frames.push_back(frame);
    }
    return {};
  }

  const ByteSource& compressed_;
  const std::vector<ZstdFrame>& frames_;
  const uint64_t available_;
  std::vector<uint8_t> start_;
  Elf64_Ehdr header_{};
  uint64_t header_count_ = 0;
  std::vector<CoreSegment> stored_;  // as the headers claim, by address
  CoreNotes notes_;
  MendedStart mended_;
};

}  // namespace

Result<MendedStart> mend_cut_dump(const ByteSource& compressed, const std::vector<ZstdFrame>& frames) {
  return Mending(compressed, frames).run();
}

}  // namespace mortem::snapshot
