#include "kernel/linux/vdso.h"

#include "kernel/arch/x86_64/interrupts.h"
#include "kernel/linux/elf_file.h"
#include "kernel/task/address_space.h"
#include "kernel/vdso/vdso.h"

namespace kernel::linux {

extern "C" {
[[gnu::visibility("hidden")]] extern const uint8_t vdso_image_start[], vdso_image_end[];
}

namespace {

static_assert(MORTEM_VVAR_SIZE == kPageSize);

Result<void> map_pages(uint64_t address, PhysicalAddress physical, uint64_t length, PageAccess access) {
  // The kernel keeps them, whatever the program does with its view.
  for (uint64_t at = 0; at < length; at += kPageSize) {
    TRY(retain_page(physical + at));
    TRY(kernel_page_table().map(address + at, physical + at, access));
  }
  return {};
}

// Its only PT_NOTE holds the build id.
std::span<const uint8_t> vdso_build_id() {
  ElfHeader header;
  __builtin_memcpy(&header, vdso_image_start, sizeof header);
  for (size_t index = 0; index < header.program_header_count; ++index) {
    ProgramHeader segment;
    __builtin_memcpy(&segment, vdso_image_start + header.program_headers + index * sizeof segment, sizeof segment);
    if (segment.type == kSegmentNote) return find_build_id({vdso_image_start + segment.offset, segment.file_size});
  }
  return {};
}

PhysicalAddress g_data = 0;  // struct vvar

}  // namespace

void vdso_clock_changed() {
  if (g_data == 0) return;
  const ClockParameters clock = clock_parameters();
  auto* data = direct_map<struct vvar>(g_data);
  data->base_tsc = clock.base_tsc;
  data->multiplier = clock.multiplier;
  data->wall_offset_ns = clock.wall_offset_ns;
}

Result<uint64_t> map_vdso() {
  const auto size = static_cast<uint64_t>(vdso_image_end - vdso_image_start);
  const uint64_t length = page_up(size);
  const PhysicalAddress data = TRY(allocate_page(PageOwner::App));
  const PhysicalAddress image = TRY(allocate_pages(length / kPageSize, PageOwner::App));
  __builtin_memcpy(direct_map(image), vdso_image_start, size);
  const ClockParameters clock = clock_parameters();
  g_data = data;
  *direct_map<struct vvar>(data) = {clock.base_tsc, clock.multiplier, clock.wall_offset_ns};

  AddressSpace& space = address_space();
  const uint64_t data_start = space.free_place(kPageSize + length, 0);
  if (data_start == 0) return Error::NoMemory;
  const uint64_t start = data_start + kPageSize;
  TRY(space.map({.address = data_start,
                 .length = kPageSize,
                 .protection = kProtectRead,
                 .kind = AreaKind::Vvar,
                 .placement = Placement::FixedNoReplace}));
  TRY(space.map({.address = start,
                 .length = length,
                 .protection = kProtectRead | kProtectExecute,
                 .kind = AreaKind::Vdso,
                 .placement = Placement::FixedNoReplace}));
  TRY(map_pages(data_start, data, kPageSize, {.user = true}));
  TRY(map_pages(start, image, length, {.execute = true, .user = true}));
  TRY(add_module(mortem::format::ModuleKind::Vdso, "linux-vdso.so.1", start, start, start + length, vdso_build_id()));
  return start;
}

}  // namespace kernel::linux
