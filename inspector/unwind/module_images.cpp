#include "inspector/unwind/module_images.h"

#include <elf.h>

#include <algorithm>
#include <cstring>

#include "inspector/unwind/call_instruction.h"

namespace mortem::inspector {
namespace {

constexpr uint64_t kMaximumVdso = 1 << 20;
constexpr uint64_t kMaximumFrames = 256 << 20;  // bytes of .eh_frame read from a target's memory

template <typename T>
std::optional<T> load_from(MemoryCache& memory, uint64_t address) {
  T value;
  if (memory.read(address, {reinterpret_cast<uint8_t*>(&value), sizeof(T)}) != sizeof(T)) return std::nullopt;
  return value;
}

}  // namespace

ModuleImages::ModuleImages(const Target& target, Symbolizer& symbolizer, MemoryCache& memory)
    : symbolizer_(symbolizer), memory_(memory) {
  for (const CoreModule& module : target.modules()) images_.emplace_back().module = &module;
  std::sort(images_.begin(), images_.end(),
            [](const Image& a, const Image& b) { return a.module->start < b.module->start; });
}

ModuleImages::Image* ModuleImages::image_at(uint64_t address) {
  auto holds = [&](const Image& image) { return address >= image.module->start && address < image.module->end; };
  if (last_ < images_.size() && images_[last_].loaded && holds(images_[last_])) return &images_[last_];
  auto after = std::upper_bound(images_.begin(), images_.end(), address,
                                [](uint64_t value, const Image& image) { return value < image.module->start; });
  if (after == images_.begin() || !holds(*std::prev(after))) return nullptr;
  last_ = static_cast<size_t>(std::prev(after) - images_.begin());
  Image& image = images_[last_];
  if (!image.loaded) load(image);
  return &image;
}

const CoreModule* ModuleImages::find(uint64_t address) const {
  auto after = std::upper_bound(images_.begin(), images_.end(), address,
                                [](uint64_t value, const Image& image) { return value < image.module->start; });
  if (after == images_.begin()) return nullptr;
  const CoreModule* module = std::prev(after)->module;
  return address < module->end ? module : nullptr;
}

void ModuleImages::load(Image& image) {
  image.loaded = true;
  const SymbolFiles& files = symbolizer_.files(*image.module);
  if (!files.executable.empty()) {
    if (auto file = ElfImage::map_file(files.executable)) {
      image.file = *file;
      image.segments = image.file->segments();
    }
  }
  if (!image.file) load_from_memory(image);
  if (image.file) image.go_lines = GoLineTable::create(*image.file);
  if (!use_index(image)) load_frames(image);
}

// Of a file without section headers only the memory of the target tells where its call frame information is: its index
// has none.
bool ModuleImages::use_index(Image& image) {
  const auto is_header = [](const ElfSegment& one) { return one.type == PT_GNU_EH_FRAME; };
  if (!image.file ||
      (!image.file->section(".eh_frame") && std::any_of(image.segments.begin(), image.segments.end(), is_header)))
    return false;
  auto index = symbolizer_.index_file(*image.module);
  if (!index) return false;
  auto frames = std::make_unique<IndexedFrames>(std::move(index));
  if (frames->is_empty()) return false;
  image.indexed = std::move(frames);
  return true;
}

void ModuleImages::load_frames(Image& image) {
  const SymbolFiles& files = symbolizer_.files(*image.module);
  std::optional<FrameSection> eh_frame, debug_frame;
  if (image.file) {
    eh_frame = FrameSection::of(image.file, ".eh_frame");
    debug_frame = FrameSection::of(image.file, ".debug_frame");
  }
  if (!debug_frame && !files.debug.empty() && files.debug != files.executable)
    if (auto debug = ElfImage::map_file(files.debug)) debug_frame = FrameSection::of(*debug, ".debug_frame");
  if (!eh_frame) eh_frame = frames_in_memory(image);
  for (auto* section : {&eh_frame, &debug_frame})
    if (*section)
      if (auto frames = CallFrameInformation::create(std::move(**section))) image.frames.push_back(std::move(frames));
}

void ModuleImages::load_from_memory(Image& image) {
  const CoreModule& module = *image.module;
  const auto header = load_from<Elf64_Ehdr>(memory_, module.start);
  if (!header || std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 || header->e_phentsize != sizeof(Elf64_Phdr))
    return;
  for (uint16_t index = 0; index < header->e_phnum; ++index)
    if (const auto one = load_from<Elf64_Phdr>(memory_, module.start + header->e_phoff + index * sizeof(Elf64_Phdr)))
      image.segments.push_back({one->p_type, one->p_flags, one->p_offset, one->p_vaddr, one->p_filesz, one->p_memsz});
  if (module.kind != format::ModuleKind::Vdso) return;
  // The vDSO is mapped as it stands in its file, section headers and all.
  std::vector<uint8_t> bytes(std::min(module.end - module.start, kMaximumVdso));
  bytes.resize(memory_.read(module.start, bytes));
  symbolizer_.add_image(module, std::move(bytes));
}

// Where .eh_frame_hdr says it stands (LSB 5.0, "Exception Frame Header").
std::optional<FrameSection> ModuleImages::frames_in_memory(const Image& image) {
  constexpr uint8_t kVersion = 1, kPcRelativeSigned4 = 0x1B;
  for (const ElfSegment& segment : image.segments) {
    if (segment.type != PT_GNU_EH_FRAME) continue;
    const uint64_t header = image.module->load_bias + segment.address;
    const auto start = load_from<std::array<uint8_t, 8>>(memory_, header);
    if (!start || (*start)[0] != kVersion || (*start)[1] != kPcRelativeSigned4) return std::nullopt;
    int32_t distance;
    std::memcpy(&distance, start->data() + 4, sizeof(distance));
    const uint64_t address = segment.address + 4 + static_cast<uint64_t>(int64_t{distance});
    for (const ElfSegment& holder : image.segments) {
      if (holder.type != PT_LOAD || address < holder.address || address - holder.address >= holder.file_size) continue;
      std::vector<uint8_t> bytes(std::min(holder.file_size - (address - holder.address), kMaximumFrames));
      bytes.resize(memory_.read(image.module->load_bias + address, bytes));
      // Its size is nowhere: records up to the terminator of length 0.
      size_t end = 0;
      while (bytes.size() - end >= 4) {
        uint32_t length;
        std::memcpy(&length, bytes.data() + end, sizeof(length));
        if (length == 0 || length >= 0xFFFFFFF0 || bytes.size() - end - 4 < length) break;
        end += 4 + size_t{length};
      }
      bytes.resize(end);
      if (end == 0) return std::nullopt;
      return FrameSection::from(".eh_frame", address, std::move(bytes), image.module->path);
    }
  }
  return std::nullopt;
}

bool ModuleImages::is_executable(uint64_t address) {
  Image* image = image_at(address);
  if (!image) return false;
  const uint64_t in_file = address - image->module->load_bias;
  bool any = false;
  for (const ElfSegment& segment : image->segments) {
    if (segment.type != PT_LOAD) continue;
    any = true;
    if ((segment.flags & PF_X) != 0 && in_file >= segment.address && in_file - segment.address < segment.memory_size)
      return true;
  }
  return !any;
}

const UnwindRow* ModuleImages::unwind_row(uint64_t address) {
  Image* image = image_at(address);
  if (!image) return nullptr;
  if (image->indexed && !image->index_is_broken) {
    const UnwindRow* row = image->indexed->find(address - image->module->load_bias);
    if (!image->indexed->broken()) return row;
    image->index_is_broken = true;  // rows that it gave stay: somebody may hold one
    load_frames(*image);
  }
  for (const auto& frames : image->frames)
    if (const UnwindRow* row = frames->find(address - image->module->load_bias)) return row;
  return image->go_lines && image->frames.empty() ? go_row(*image, address - image->module->load_bias) : nullptr;
}

// runtime/signal_unix.go: preparePanic, doSigPreempt; runtime/debugcall.go.
bool ModuleImages::is_called_by_interrupt(uint64_t address) {
  Image* image = image_at(address);
  if (!image || !image->go_lines) return false;
  const std::string name = image->go_lines->function_at(address - image->module->load_bias);
  return name == "runtime.sigpanic" || name == "runtime.asyncPreempt" || name == "runtime.debugCallV2";
}

// Go code keeps no register for its caller; where its frames end stands in its own table.
const UnwindRow* ModuleImages::go_row(Image& image, uint64_t address) {
  if (const auto known = image.go_rows.find(address); known != image.go_rows.end()) return &known->second;
  const auto rule = image.go_lines->stack_rule(address);
  if (!rule) return nullptr;
  UnwindRow row;
  row.cfa.kind = UnwindRule::Kind::InRegister;
  row.cfa.number = FrameRegisters::kRsp;
  row.cfa.offset = rule->delta + 8;
  for (UnwindRule& one : row.registers) one.kind = UnwindRule::Kind::Undefined;
  row.registers[FrameRegisters::kRsp].kind = UnwindRule::Kind::SameValue;
  if (!rule->outermost) {
    row.registers[FrameRegisters::kRip].kind = UnwindRule::Kind::AtOffset;
    row.registers[FrameRegisters::kRip].offset = -8;
  }
  return &image.go_rows.emplace(address, row).first->second;
}

size_t ModuleImages::read_code(uint64_t address, std::span<uint8_t> to) {
  if (const size_t got = memory_.read(address, to); got == to.size()) return got;
  Image* image = image_at(address);
  if (!image || !image->file) return 0;
  return image->file->read_segment(address - image->module->load_bias, to);
}

bool ModuleImages::is_return_address(uint64_t return_address) {
  if (return_address == 0 || !is_executable(return_address - 1)) return false;
  std::array<uint8_t, kLongestCall> code;
  // The instruction may be shorter than the longest one, and stand at the very start of what is there.
  for (size_t length = code.size(); length >= kShortestCall; --length) {
    const auto bytes = std::span(code).first(length);
    if (read_code(return_address - length, bytes) == length) return ends_in_call(bytes);
  }
  return false;
}

}  // namespace mortem::inspector
