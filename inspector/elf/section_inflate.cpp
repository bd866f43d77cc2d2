#include "inspector/elf/section_inflate.h"

#include <elf.h>
#include <libdeflate.h>
#include <sys/mman.h>
#include <zstd.h>

#include <algorithm>
#include <cstring>

namespace mortem::inspector {
namespace {

constexpr uint64_t kLargestSection = uint64_t{4} << 30;
constexpr uint32_t kCompressZstd = 2;  // ELFCOMPRESS_ZSTD: glibc 2.36 knows it, older headers do not
// Neither format shrinks more: a header that says so is broken, and memory for its claim is not taken.
constexpr size_t kWorthHugePages = 8 << 20;
constexpr uint64_t kLargestZlibRatio = 1032, kLargestZstdRatio = 1 << 17;

bool inflate_zlib(std::span<const uint8_t> packed, uint8_t* to, size_t size) {
  const std::unique_ptr<libdeflate_decompressor, decltype(&libdeflate_free_decompressor)> decompressor(
      libdeflate_alloc_decompressor(), libdeflate_free_decompressor);
  size_t got = 0;
  return decompressor &&
         libdeflate_zlib_decompress(decompressor.get(), packed.data(), packed.size(), to, size, &got) ==
             LIBDEFLATE_SUCCESS &&
         got == size;
}

bool inflate_zstd(std::span<const uint8_t> packed, uint8_t* to, size_t size) {
  return ZSTD_decompress(to, size, packed.data(), packed.size()) == size;
}

// Hundreds of megabytes may be filled: small pages would cost a third of the work. Kernels without huge pages, or with
// too little memory for them, give small ones. A few megabytes are given at once: a fault for each page costs more.
std::unique_ptr<uint8_t[], Unmap> allocate(size_t size) {
  const int at_once = size < kWorthHugePages ? MAP_POPULATE : 0;
  void* memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | at_once, -1, 0);
  if (memory == MAP_FAILED) return nullptr;
  if (size >= kWorthHugePages) madvise(memory, size, MADV_HUGEPAGE);
  return {static_cast<uint8_t*>(memory), Unmap{size}};
}

std::optional<SectionContent> inflate(std::span<const uint8_t> packed, uint64_t size, bool zstd) {
  if (size > kLargestSection || size / (zstd ? kLargestZstdRatio : kLargestZlibRatio) > packed.size())
    return std::nullopt;
  SectionContent content;
  content.storage = allocate(std::max<size_t>(size, 1));
  if (!content.storage) return std::nullopt;
  if (!(zstd ? inflate_zstd : inflate_zlib)(packed, content.storage.get(), size)) return std::nullopt;
  content.bytes = {content.storage.get(), size};
  return content;
}

}  // namespace

void Unmap::operator()(uint8_t* memory) const {
  munmap(memory, size);
}

std::optional<SectionContent> inflate_section(std::span<const uint8_t> stored, SectionPacking packing) {
  if (packing == SectionPacking::Header) {
    Elf64_Chdr header;
    if (stored.size() < sizeof(header)) return std::nullopt;
    std::memcpy(&header, stored.data(), sizeof(header));
    if (header.ch_type != ELFCOMPRESS_ZLIB && header.ch_type != kCompressZstd) return std::nullopt;
    return inflate(stored.subspan(sizeof(header)), header.ch_size, header.ch_type == kCompressZstd);
  }
  if (packing == SectionPacking::OldName) {
    constexpr char kMagic[] = {'Z', 'L', 'I', 'B'};
    constexpr size_t kHeaderSize = sizeof(kMagic) + 8;
    if (stored.size() < kHeaderSize || std::memcmp(stored.data(), kMagic, sizeof(kMagic)) != 0) return std::nullopt;
    uint64_t size = 0;
    for (size_t index = sizeof(kMagic); index < kHeaderSize; ++index) size = size << 8 | stored[index];
    return inflate(stored.subspan(kHeaderSize), size, false);
  }
  return SectionContent{stored, nullptr};
}

}  // namespace mortem::inspector
