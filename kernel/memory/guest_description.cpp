#include "kernel/memory/guest_description.h"

#include <cstddef>

#include "kernel/arch/x86_64/boot_info.h"
#include "kernel/arch/x86_64/cpu.h"
#include "kernel/arch/x86_64/interrupts.h"
#include "kernel/drivers/pci.h"
#include "kernel/library/log.h"
#include "kernel/resume/resume.h"
#include "kernel/task/address_space.h"
#include "kernel/task/process.h"

namespace kernel {

using mortem::format::GuestDescription;

GuestDescription& guest_description() {
  return *direct_map<GuestDescription>(mortem::format::kGuestDescriptionAddress);
}

std::span<const uint8_t> kernel_build_id() {
  constexpr size_t kHeader = 16;  // Elf64_Nhdr and "GNU\0"
  size_t length = size_t(build_id_note_end - build_id_note_start);
  if (length <= kHeader) return {};
  return {reinterpret_cast<const uint8_t*>(build_id_note_start) + kHeader, length - kHeader};
}

namespace {

static_assert(sizeof(mortem::format::GuestRing) == sizeof(LogRing) && sizeof(size_t) == 8);
static_assert(sizeof(mortem::format::GuestClock) == sizeof(ClockParameters));
static_assert(sizeof(ThreadKind) == 1 && static_cast<uint8_t>(ThreadKind::App) == 0);
static_assert(kProtectRead == 1 && kProtectWrite == 2 && kProtectExecute == 4);
static_assert(static_cast<uint8_t>(AreaKind::Vvar) == static_cast<uint8_t>(mortem::format::GuestAreaKind::Vvar));

void describe_areas(GuestDescription& block) {
  const AreaList& areas = address_space().areas;
  block.area_table = reinterpret_cast<uint64_t>(areas.table_place());
  block.area_count = reinterpret_cast<uint64_t>(areas.count_place());
  block.area_size = sizeof(MemoryArea);
  block.area_start_offset = offsetof(MemoryArea, start);
  block.area_end_offset = offsetof(MemoryArea, end);
  block.area_protection_offset = offsetof(MemoryArea, protection);
  block.area_kind_offset = offsetof(MemoryArea, kind);
  block.area_file_offset_offset = offsetof(MemoryArea, file_offset);
  block.area_path_offset = offsetof(MemoryArea, path);
  block.area_memory_offset = offsetof(MemoryArea, memory);
}

}  // namespace

void guest_description_initialize() {
  GuestDescription& block = guest_description();
  block = GuestDescription{};
  block.version = mortem::format::kGuestDescriptionVersion;
  block.size = sizeof(GuestDescription);
  block.page_table_root = g_boot_info.root;
  block.direct_map_base = g_direct_map_base;
  block.kernel_virtual_base = g_boot_info.load_bias;
  block.kernel_physical_base = kKernelPhysicalBase;
  block.kernel_image_size = reinterpret_cast<uint64_t>(image_end) - g_boot_info.load_bias;
  std::span<const uint8_t> id = kernel_build_id();
  size_t id_length = id.size() < sizeof block.kernel_build_id ? id.size() : sizeof block.kernel_build_id;
  block.kernel_build_id_length = uint32_t(id_length);
  __builtin_memcpy(block.kernel_build_id, id.data(), id_length);
  random_bytes(block.boot_id, sizeof block.boot_id);
  block.boot_id[6] = static_cast<uint8_t>((block.boot_id[6] & 0x0F) | 0x40);  // RFC 4122, version 4
  block.boot_id[8] = static_cast<uint8_t>((block.boot_id[8] & 0x3F) | 0x80);
  block.memory_pages = g_boot_info.page_count;
  block.page_owner_table = reinterpret_cast<uint64_t>(g_boot_info.page_owners);
  block.kernel_log = reinterpret_cast<uint64_t>(g_log_ring.bytes);
  block.kernel_log_size = g_log_ring.size;
  block.kernel_log_written = reinterpret_cast<uint64_t>(&g_log_ring.written);
  block.thread_list = reinterpret_cast<uint64_t>(&g_threads);
  block.thread_next_offset = offsetof(Thread, next);
  block.thread_id_offset = offsetof(Thread, id);
  block.thread_name_offset = offsetof(Thread, name);
  block.thread_frame_offset = offsetof(Thread, frame);
  block.thread_fs_base_offset = offsetof(Thread, fs_base);
  block.thread_xsave_offset = offsetof(Thread, extended_state);
  block.module_table = reinterpret_cast<uint64_t>(module_table_place());
  block.module_table_length = reinterpret_cast<uint64_t>(module_table_length_place());
  block.current_thread = reinterpret_cast<uint64_t>(&g_current_thread);
  block.thread_gs_base_offset = offsetof(Thread, gs_base);
  block.thread_switch_frame_offset = offsetof(Thread, kernel_rsp);
  block.thread_is_app_offset = offsetof(Thread, kind);
  block.xsave_size = reinterpret_cast<uint64_t>(&g_cpu.xsave_size);
  block.clock = reinterpret_cast<uint64_t>(clock_place());
  block.error_ring = reinterpret_cast<uint64_t>(&g_error_ring);
  block.output_ring = reinterpret_cast<uint64_t>(&g_output_ring);
  const std::span<const uint64_t> auxiliary = auxiliary_vector_place();
  block.auxiliary_vector = reinterpret_cast<uint64_t>(auxiliary.data());
  block.auxiliary_vector_length = auxiliary.size_bytes();
  block.command_line = reinterpret_cast<uint64_t>(command_line());
  describe_areas(block);
  block.host_bridge = pci_read32({}, 0);
  const ResumeCode resume = resume_code_place();
  block.resume_code = reinterpret_cast<uint64_t>(resume.code);
  block.resume_code_size = resume.size;
  block.resume_entry = reinterpret_cast<uint64_t>(resume.entry);
  // The signature goes in last: whoever finds it finds the block whole.
  __builtin_memcpy(block.magic, mortem::format::kGuestDescriptionMagic, sizeof block.magic);
}

}  // namespace kernel
