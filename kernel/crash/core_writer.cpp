#include "kernel/crash/core_writer.h"

#include "kernel/crash/checked_memory.h"
#include "kernel/crash/core_notes.h"
#include "kernel/crash/dump_plan.h"
#include "kernel/crash/elf.h"

namespace kernel {

namespace {

using mortem::format::PageMapKind;

class Counter final : public SegmentVisitor {
 public:
  uint64_t segments = 0, entries = 0, bytes = 0;

 private:
  bool piece(const DumpPiece& piece) override {
    ++entries;
    if (piece.entry.kind == PageMapKind::Stored) bytes += piece.entry.length;
    return true;
  }
  bool segment(const DumpSegment&) override { return ++segments, true; }
};

class ProgramHeaders final : public SegmentVisitor {
 public:
  ProgramHeaders(ByteSink& to, uint64_t content_offset) : to_(to), offset_(content_offset) {}
  uint64_t written = 0;

 private:
  bool segment(const DumpSegment& segment) override {
    elf::ProgramHeader header{};
    header.type = elf::kTypeLoad;
    header.flags = segment.flags & (elf::kFlagRead | elf::kFlagWrite | elf::kFlagExecute);
    header.offset = offset_ + segment.content;
    header.virtual_address = segment.address;
    header.physical_address = segment.physical == kNoPhysical ? 0 : segment.physical;
    header.file_size = segment.size;  // all that a PT_LOAD claims is in the file
    header.memory_size = segment.size;
    header.alignment = kPageSize;
    ++written;
    return to_.write(&header, sizeof header);
  }

  ByteSink& to_;
  uint64_t offset_;  // of the dump's content in the file
};

class Content final : public PieceVisitor {
 public:
  Content(ByteSink& to, const Deadline& deadline) : to_(to), deadline_(deadline) {}
  CoreResult result = CoreResult::Written;
  uint64_t written = 0;

  bool visit(const DumpPiece& piece) override {
    const auto& entry = piece.entry;
    if (entry.kind != PageMapKind::Stored) return true;
    written += entry.length;
    if (entry.physical_start == kNoPhysical) return to_.write_zeros(entry.length) || fail(CoreResult::SinkFailed);
    static uint8_t page[kPageSize];  // the sink must not fault on guest memory: it gets a copy
    for (uint64_t done = 0; done < entry.length; done += kPageSize) {
      if (deadline_.passed()) return fail(CoreResult::TooLate);
      if (!read_physical(page, entry.physical_start + done, kPageSize)) return fail(CoreResult::Unreadable);
      if (!to_.write(page, kPageSize)) return fail(CoreResult::SinkFailed);
    }
    return true;
  }

 private:
  bool fail(CoreResult why) { return result = why, false; }
  ByteSink& to_;
  const Deadline& deadline_;
};

}  // namespace

bool CoreWriter::measure() {
  Counter counter;
  if (!walk_dump(state_, level_, counter) || !counter.finish()) return false;
  segments_ = counter.segments;
  entries_ = counter.entries;
  content_bytes_ = counter.bytes;

  CountingSink notes;
  if (!write_notes({state_, level_, entries_}, notes)) return false;
  notes_bytes_ = notes.count();

  const uint64_t headers = segments_ + 1;  // PT_NOTE
  notes_offset_ = sizeof(elf::Header) + headers * sizeof(elf::ProgramHeader);
  if (headers >= elf::kProgramHeaderCountElsewhere) notes_offset_ += sizeof(elf::SectionHeader);
  content_offset_ = page_up(notes_offset_ + notes_bytes_);
  return true;
}

bool CoreWriter::headers(ByteSink& to) {
  const uint64_t headers = segments_ + 1;
  const bool too_many = headers >= elf::kProgramHeaderCountElsewhere;

  elf::Header header{};
  header.identification[0] = 0x7F;
  header.identification[1] = 'E';
  header.identification[2] = 'L';
  header.identification[3] = 'F';
  header.identification[4] = elf::kClass64;
  header.identification[5] = elf::kLittleEndian;
  header.identification[6] = elf::kCurrentVersion;
  header.type = elf::kTypeCore;
  header.machine = elf::kMachineX86_64;
  header.version = elf::kCurrentVersion;
  header.program_header_offset = sizeof header;
  header.header_size = sizeof header;
  header.program_header_size = sizeof(elf::ProgramHeader);
  header.program_header_count = too_many ? elf::kProgramHeaderCountElsewhere : static_cast<uint16_t>(headers);
  if (too_many) {
    header.section_header_offset = notes_offset_ - sizeof(elf::SectionHeader);
    header.section_header_size = sizeof(elf::SectionHeader);
    header.section_header_count = 1;
  }
  if (!to.write(&header, sizeof header)) return false;

  elf::ProgramHeader note{};
  note.type = elf::kTypeNote;
  note.offset = notes_offset_;
  note.file_size = notes_bytes_;
  note.alignment = 4;
  if (!to.write(&note, sizeof note)) return false;

  ProgramHeaders loads(to, content_offset_);
  if (!walk_dump(state_, level_, loads) || !loads.finish() || loads.written != segments_) return false;

  if (too_many) {
    // ELF gABI, "ELF Header": the true count stands in sh_info of section header 0.
    elf::SectionHeader section{};
    section.size = 1;
    section.info = static_cast<uint32_t>(headers);
    if (!to.write(&section, sizeof section)) return false;
  }
  return true;
}

CoreResult CoreWriter::content(ByteSink& to) {
  Content content(to, deadline_);
  walk_dump(state_, level_, content);
  if (content.result == CoreResult::Written && content.written != content_bytes_) return CoreResult::Changed;
  return content.result;
}

CoreResult CoreWriter::write(ByteSink& to) {
  if (!measure()) return CoreResult::Changed;
  if (!headers(to)) return CoreResult::SinkFailed;
  if (!write_notes({state_, level_, entries_}, to)) return CoreResult::SinkFailed;
  const uint64_t padding = content_offset_ - (notes_offset_ + notes_bytes_);
  if (padding != 0 && !to.write_zeros(padding)) return CoreResult::SinkFailed;
  return content(to);
}

}  // namespace kernel
