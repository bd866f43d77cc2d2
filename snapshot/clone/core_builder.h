// The bytes of an ELF core up to its content: header, program headers, notes.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "snapshot/core_file.h"

namespace mortem::snapshot {

class CoreBuilder {
 public:
  void note(std::string_view owner, uint32_t type, std::span<const uint8_t> descriptor);
  // With the NoteHeader of our notes in front.
  void mortem_note(format::NoteType type, std::span<const uint8_t> content);
  // `segments`: file_offset counts from the content, which begins where the result ends.
  std::vector<uint8_t> finish(const std::vector<CoreSegment>& segments) const;

 private:
  std::vector<uint8_t> notes_;
};

}  // namespace mortem::snapshot
