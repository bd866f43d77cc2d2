// What the unwinder needs to know of a target's modules: which one an address is in, its call frame information and
// its code, from the file on this machine or, where there is none, from the target's memory.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "inspector/elf/elf_image.h"
#include "inspector/symbols/go_line_table.h"
#include "inspector/symbols/symbolizer.h"
#include "inspector/target/target.h"
#include "inspector/unwind/indexed_frames.h"

namespace mortem::inspector {

class ModuleImages {
 public:
  ModuleImages(const Target& target, Symbolizer& symbolizer, MemoryCache& memory);

  const CoreModule* find(uint64_t address) const;  // null: in no module
  // In a segment of a module that may be executed (a module whose segments are not known counts as executable).
  bool is_executable(uint64_t address);
  // Null: no information. `address` at run time; the lookup address, so the return address - 1 for a caller.
  const UnwindRow* unwind_row(uint64_t address);
  // The function at `address` is one that Go's runtime makes an interrupted thread call, from any instruction.
  bool is_called_by_interrupt(uint64_t address);
  // Code bytes, from memory or else from the module's file (Linux leaves unchanged code out of its cores).
  size_t read_code(uint64_t address, std::span<uint8_t> to);
  // A call instruction ends at `return_address`, which is executable.
  bool is_return_address(uint64_t return_address);

 private:
  struct Image {
    const CoreModule* module = nullptr;
    bool loaded = false;
    std::shared_ptr<const ElfImage> file;
    std::vector<ElfSegment> segments;
    std::unique_ptr<IndexedFrames> indexed;  // null: there is no index; then `frames`
    bool index_is_broken = false;
    std::vector<std::unique_ptr<CallFrameInformation>> frames;
    std::unique_ptr<GoLineTable> go_lines;  // of a Go program; for frames, if it has no call frame information
    std::map<uint64_t, UnwindRow> go_rows;  // made from it, by address
  };
  Image* image_at(uint64_t address);
  void load(Image& image);
  bool use_index(Image& image);
  void load_frames(Image& image);
  void load_from_memory(Image& image);
  static const UnwindRow* go_row(Image& image, uint64_t address);
  std::optional<FrameSection> frames_in_memory(const Image& image);

  Symbolizer& symbolizer_;
  MemoryCache& memory_;
  std::vector<Image> images_;  // by start
  size_t last_ = 0;
};

}  // namespace mortem::inspector
