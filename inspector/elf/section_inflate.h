// Compressed sections of ELF files: SHF_COMPRESSED with zlib or zstd (gABI, "Section Compression"), and the older
// `.zdebug_` sections ("ZLIB", the size as 8 bytes of big endian, then zlib).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>

namespace mortem::inspector {

struct Unmap {
  size_t size = 0;
  void operator()(uint8_t* memory) const;
};

// What a section holds: a part of the mapped file, or memory of its own.
struct SectionContent {
  std::span<const uint8_t> bytes;
  std::unique_ptr<uint8_t[], Unmap> storage;  // null: the bytes are the file's own
};

enum class SectionPacking { None, Header, OldName };  // Header: SHF_COMPRESSED; OldName: .zdebug_

// Nothing if the stored bytes are broken, or of a compression that is not known.
std::optional<SectionContent> inflate_section(std::span<const uint8_t> stored, SectionPacking packing);

}  // namespace mortem::inspector
