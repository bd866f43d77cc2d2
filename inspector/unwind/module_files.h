// What the files of a target's modules give to its memory: what the program cannot write is in them as it was, and
// many cores leave it out (core(5), coredump_filter).
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "inspector/elf/elf_image.h"
#include "inspector/symbols/symbolizer.h"
#include "inspector/target/target.h"

namespace mortem::inspector {

// A module without an id is taken for the file at its path where a guess helps, and not where a value is shown.
enum class BackingFiles { All, WithId };

class ModuleFiles {
 public:
  ModuleFiles(const Target& target, Symbolizer& symbolizer) : target_(target), symbolizer_(symbolizer) {}

  // Bytes from `address` on that stand in a segment which the program does not write; 0: there is no such file.
  size_t read(uint64_t address, std::span<uint8_t> to);
  // Those parts of such segments that the target itself does not hold, by address.
  std::vector<TargetRegion> regions(BackingFiles files);

 private:
  struct File {
    std::shared_ptr<const ElfImage> image;  // null: there is none
    std::vector<ElfSegment> segments;       // loaded, not writable
  };
  const File& file_of(const CoreModule& module);

  const Target& target_;
  Symbolizer& symbolizer_;
  std::map<const CoreModule*, File> files_;
};

}  // namespace mortem::inspector
