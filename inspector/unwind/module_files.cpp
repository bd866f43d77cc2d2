#include "inspector/unwind/module_files.h"

#include <elf.h>

#include <algorithm>

namespace mortem::inspector {

const ModuleFiles::File& ModuleFiles::file_of(const CoreModule& module) {
  auto [place, is_new] = files_.try_emplace(&module);
  File& file = place->second;
  const std::string path = is_new ? symbolizer_.files(module).executable : "";
  if (path.empty()) return file;
  if (auto image = ElfImage::map_file(path)) {
    file.image = *image;
    for (const ElfSegment& one : file.image->segments())
      if (one.type == PT_LOAD && (one.flags & PF_W) == 0) file.segments.push_back(one);
  }
  return file;
}

size_t ModuleFiles::read(uint64_t address, std::span<uint8_t> to) {
  for (const CoreModule& module : target_.modules()) {
    if (address < module.start || address >= module.end) continue;
    const File& file = file_of(module);
    const uint64_t in_file = address - module.load_bias;
    for (const ElfSegment& one : file.segments)
      if (in_file >= one.address && in_file - one.address < one.file_size) return file.image->read_segment(in_file, to);
  }
  return 0;
}

std::vector<TargetRegion> ModuleFiles::regions(BackingFiles files) {
  const std::vector<TargetRegion>& held = target_.regions();
  std::vector<TargetRegion> all;
  for (const CoreModule& module : target_.modules()) {
    if (files == BackingFiles::WithId && module.id_kind == format::ModuleIdKind::None) continue;
    for (const ElfSegment& one : file_of(module).segments) {
      uint64_t at = module.load_bias + one.address;
      const uint64_t end = at + one.file_size;
      auto next = std::partition_point(held.begin(), held.end(), [&](const auto& region) { return region.end <= at; });
      while (at < end) {
        const bool is_last = next == held.end() || next->start >= end;
        const uint64_t stop = is_last ? end : next->start;
        if (at < stop)
          all.push_back({at, stop, one.flags, one.offset + (at - module.load_bias - one.address), module.path});
        if (is_last) break;
        at = next->end;
        ++next;
      }
    }
  }
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.start < b.start; });
  return all;
}

}  // namespace mortem::inspector
